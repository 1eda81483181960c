"""A workspace that goes with all it has, and a person who goes.

A workspace is told when it goes. What it has scheduled is canceled at once; all else
goes on until then, and whoever owns it can take it back. Then it is taken out of
service, and its rows go in pieces, each a transaction, those that point at others
first: a kill loses nothing, and what is gone stays gone.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.apps import apps
from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import audit, members, services
from accounts.models import AccessToken, Membership, User, Workspace
from accounts.permissions import Action as Right
from accounts.permissions import Role
from accounts.tenancy import OwnedModel
from agents.models import MessageAgent, VoiceAgent
from alerts.models import Alert
from analytics.models import Change
from hooks.models import Endpoint
from privacy.models import WorkspaceRemoval
from telephony.models import (
    Call,
    Campaign,
    Message,
    Phone,
    RecurringCall,
)
from telephony.services import campaigns, carrier, recurring, scheduled
from voiceops import claims

Status = WorkspaceRemoval.Status

GRACE = timedelta(days=14)
LOOK_AGAIN = timedelta(minutes=1)
LEASE_S = 180  # more than a run and asking the carrier take
LONGEST_RUN_S = 40
CHUNK = 100  # rows a transaction; what is nothing without them comes on top


class Refused(Exception):
    """It cannot be done: `str()` says why."""


# -- A workspace -----------------------------------------------------------------------


def plan(workspace: Workspace, *, by: Membership, typed: str) -> datetime:
    """Have it deleted after the grace; from when on. Raises PermissionDenied, Refused.

    Repeating is safe, and makes it no later.
    """
    with members.locked(workspace):
        members.require(by, Right.DELETE_WORKSPACE)
        if typed.strip() != workspace.name:
            raise Refused(_("Type the workspace’s name as it is written here."))
        return _plan(workspace, at=now() + GRACE)


def _plan(workspace: Workspace, *, at: datetime) -> datetime:
    removal, is_new = WorkspaceRemoval.objects.get_or_create(
        workspace_id=workspace.pk, defaults={"next_try_at": at}
    )
    if is_new:
        Workspace.objects.filter(pk=workspace.pk).update(deleted_from=at)
        told = {"deleted_from": [None, at.isoformat()]}
        audit.record(audit.Action.DELETED, workspace, changes=told)
        _cancel_schedules(workspace)
    return removal.next_try_at or at


def take_back(workspace: Workspace, *, by: Membership) -> bool:
    """Keep it after all; False if it is too late, or nobody wanted it deleted."""
    with members.locked(workspace):
        members.require(by, Right.DELETE_WORKSPACE)
        planned = WorkspaceRemoval.objects.filter(
            workspace_id=workspace.pk, status=Status.PLANNED, claimed_until=None
        )
        if not planned.delete()[0]:
            return False
        Workspace.objects.filter(pk=workspace.pk).update(deleted_from=None)
        audit.record(audit.Action.RESTORED, workspace)
    return True


# -- Done by the clock -----------------------------------------------------------------


def run(*, longest_s: float = LONGEST_RUN_S) -> None:
    """Go on with what is due. Safe to run twice at once, and to kill."""
    until = time.monotonic() + longest_s
    for removal in claims.claim(
        WorkspaceRemoval.objects.all(),
        at=now(),
        room=1,
        lease_s=LEASE_S,
        group="workspace_id",
        most_of_a_group=1,
    ):
        _go_on(removal, until)


def _go_on(removal: WorkspaceRemoval, until: float) -> None:
    workspace = Workspace.objects.filter(pk=removal.workspace_id).first()
    if workspace is None:
        _finish(removal)
        return
    if removal.status != Status.PURGING:
        _stop(workspace)
        if Call.unscoped.filter(owner=workspace).in_progress().exists():
            _rest(removal, LOOK_AGAIN, status=Status.STOPPING)
            return
    while (piece := _purge_piece(workspace.pk)) is not None:
        label, count = piece
        removal.counts[label] = removal.counts.get(label, 0) + count
        if time.monotonic() >= until:
            _rest(removal, timedelta(), status=Status.PURGING)
            return
    workspace.delete()
    _finish(removal)


def _stop(workspace: Workspace) -> None:
    """Nobody is called, texted, told or let in from now on. Safe to repeat."""
    mine = {"owner": workspace}
    Membership.objects.filter(workspace=workspace).delete()
    AccessToken.unscoped.filter(**mine, revoked_at=None).update(revoked_at=now())
    for kind in (VoiceAgent, MessageAgent, Alert):
        kind.unscoped.filter(**mine, is_active=True).update(is_active=False)
    Endpoint.unscoped.filter(**mine).update(is_enabled=False)
    with transaction.atomic():
        _cancel_schedules(workspace)
    Message.unscoped.filter(**mine, status=Message.Status.WAITING).update(
        status=Message.Status.CANCELED
    )
    for phone in Phone.unscoped.filter(**mine, deleted_at=None):
        with suppress(carrier.NotCleared):  # it is put away all the same
            carrier.remove_phone(phone)


def _cancel_schedules(workspace: Workspace) -> None:
    """What was to come does not. Safe to repeat; call it in a transaction."""
    for row in RecurringCall.objects.for_owner(workspace):
        recurring.delete(row, at=now())
    begun = Campaign.objects.for_owner(workspace).filter(started_at__isnull=False)
    for campaign in begun.exclude(status__in=Campaign.OVER):
        with suppress(campaigns.Refused):  # it has just ended
            campaigns.cancel(campaign, by=None)
    scheduled.cancel_all(workspace, _("The workspace is being deleted."))
    Message.unscoped.filter(owner=workspace, status=Message.Status.LATER).update(
        status=Message.Status.CANCELED
    )


def _purge_piece(workspace_id: UUID) -> tuple[str, int] | None:
    """Delete some rows of the first kind that has any; None: none has."""
    for model in pointing_first():
        rows = model.unscoped.filter(owner=workspace_id).order_by("pk")
        ids = list(rows.values_list("pk", flat=True)[:CHUNK])
        if ids:
            with transaction.atomic():
                # Django's own rows: those of the audit log refuse to go by theirs.
                models.QuerySet(model=model).filter(pk__in=ids).delete()
            return model._meta.label_lower, len(ids)
    return None


@cache
def pointing_first() -> list[type[OwnedModel]]:
    """Every kind of owned row, each before those that it is nothing without."""
    left = [one for one in apps.get_models() if issubclass(one, OwnedModel)]
    found: list[type[OwnedModel]] = []
    while left:
        free = [one for one in left if not _is_pointed_at(one, left)]
        if not free:  # a circle: the database will say
            return [*found, *left]
        found += free
        left = [one for one in left if one not in free]
    return found


def _is_pointed_at(model: type[OwnedModel], by: Iterable[type[OwnedModel]]) -> bool:
    return any(
        field.related_model is model
        and field.remote_field.on_delete in (models.CASCADE, models.PROTECT)
        for other in by
        if other is not model
        for field in other._meta.concrete_fields
        if field.is_relation
    )


def _rest(removal: WorkspaceRemoval, wait: timedelta, **changes) -> None:
    next_try_at = now() + wait
    claims.finish(removal, next_try_at=next_try_at, counts=removal.counts, **changes)


def _finish(removal: WorkspaceRemoval) -> None:
    Change.objects.filter(owner_id=removal.workspace_id).delete()
    claims.finish(
        removal,
        status=Status.DONE,
        done_at=now(),
        next_try_at=None,
        counts=removal.counts,
    )


# -- A person --------------------------------------------------------------------------


def held_by(user: User) -> list[Workspace]:
    """Those that the person owns and others are in: they need another owner first."""
    return [one.workspace for one in _owned(user) if _has_others(one)]


def going_with(user: User) -> list[Workspace]:
    """Those that nobody else is in: they go with the person, at once."""
    return [one.workspace for one in _owned(user) if not _has_others(one)]


def _owned(user: User) -> list[Membership]:
    mine = Membership.objects.filter(user=user, role=Role.OWNER)
    return list(mine.select_related("workspace").order_by("pk"))


def _has_others(membership: Membership) -> bool:
    others = Membership.objects.filter(workspace=membership.workspace_id)
    return others.exclude(pk=membership.pk).exists()


def delete_person(user: User, *, typed: str) -> None:
    """Delete the account: log-ins, factors and addresses with it. Raises Refused."""
    if typed.strip().lower() != user.email:
        raise Refused(_("Type your e-mail address as it is written here."))
    if user.is_staff:
        raise Refused(_("An operator’s account is deleted by another operator."))
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        for membership in Membership.objects.filter(user=user).order_by("pk"):
            _leave(membership)
        services.revoke_logins(user)
        for session in UserSession.objects.filter(user=user):
            session.end()
        User.objects.get(pk=user.pk).delete()


def _leave(membership: Membership) -> None:
    """The workspace is locked: nobody joins one that goes, or is left without owner."""
    if membership.role != Role.OWNER:
        members.leave(membership)
        return
    with members.locked(membership.workspace):
        if _has_others(membership):
            words = _("Others are in “%(name)s”: make one of them the owner first.")
            raise Refused(words % {"name": membership.workspace.name})
        _plan(membership.workspace, at=now())
        WorkspaceRemoval.objects.filter(
            workspace_id=membership.workspace_id, status=Status.PLANNED
        ).update(next_try_at=now())
