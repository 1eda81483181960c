"""Exports: asked for by people, made by a worker, kept for some days."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from accounts import audit
from accounts.models import User, Workspace
from privacy import exporting, tasks
from privacy.models import Export, ExportPiece
from telephony.tasks import ring
from voiceops import claims

Status = Export.Status

KEPT_FOR = timedelta(days=3)
MOST_TRIES = 5
AT_ONCE = 1

logger = logging.getLogger(__name__)


def ask(owner: Workspace, *, by: User | None) -> Export:
    """Have everything put into a file; the one being made, if there is one."""
    export = Export(owner=owner, asked_by=by, next_try_at=now())
    try:
        with transaction.atomic():
            export.save(force_insert=True)
            audit.record(audit.Action.CREATED, export)
            ring(tasks.make_exports)
    except IntegrityError:
        return Export.objects.for_owner(owner).get(status=Status.RUNNING)
    return export


def latest(owner: Workspace) -> Export | None:
    rows = Export.objects.for_owner(owner).select_related("asked_by")
    return rows.order_by("-pk").first()


def run() -> None:
    """Make what is asked for. Safe to run twice at once, and to kill."""
    for export in claims.claim(
        Export.unscoped.filter(status=Status.RUNNING),
        at=now(),
        room=AT_ONCE,
        lease_s=int(exporting.LEASE.total_seconds()),
        group="owner_id",
        most_of_a_group=1,
    ):
        _make(export)


def _make(export: Export) -> None:
    if export.tries >= MOST_TRIES:
        ExportPiece.unscoped.filter(export=export).delete()
        claims.finish(export, status=Status.FAILED, next_try_at=None)
        return
    try:
        exporting.renew(export, tries=export.tries + 1)
        told = exporting.make(export)
    except exporting.LostClaim:
        logger.info("export %s: left to another", export.pk)
        return
    at = now()
    claims.finish(
        export,
        **told,
        status=Status.DONE,
        percent=100,
        done_at=at,
        expires_at=at + KEPT_FOR,
        next_try_at=at + KEPT_FOR,
        updated_at=at,
    )


def forget(at: datetime) -> None:
    """Delete the files whose time is over. Safe to repeat."""
    _delete(Export.unscoped.filter(status=Status.DONE, next_try_at__lte=at), at)


def withdraw(owner_id: UUID) -> int:
    """Delete a workspace's files, how many; the one being made is begun anew.

    For what was in them is not there any more. Call it in a transaction.
    """
    at, mine = now(), Export.unscoped.filter(owner=owner_id)
    being_made = mine.filter(status=Status.RUNNING)
    being_made.update(claimed_until=None, next_try_at=at, tries=0, updated_at=at)
    return _delete(mine.filter(status=Status.DONE), at)


def _delete(exports: QuerySet[Export], at: datetime) -> int:
    ids = list(exports.values_list("pk", flat=True))
    with transaction.atomic():
        ExportPiece.unscoped.filter(export__in=ids).delete()
        rows = Export.unscoped.filter(pk__in=ids)
        return rows.update(status=Status.EXPIRED, next_try_at=None, updated_at=at)
