"""Removing what a workspace keeps no longer: in small pieces, for ever.

Calls and texts are found by their ids, which are in the order of time, from where the
last piece ended. Each piece is a transaction of its own, so nobody waits for it, and
what a kill interrupts is begun again: to remove twice is to remove once.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.timezone import now

from accounts import audit
from accounts.models import Workspace
from hooks.models import Delivery, Endpoint
from privacy.models import Retention
from telephony.models import Call, CallEvent, Message, Recording
from telephony.services import removals, wordless
from voiceops.ids import earliest_uuid7
from voiceops.paging import counted

CHUNK = 200  # calls or texts a transaction
LONGEST_RUN_S = 45
# A call's id is made when it begins; so long after it every call has ended.
LONGEST_CALL = timedelta(hours=6)
ON_THE_WAY = (Message.Status.LATER, Message.Status.WAITING, Message.Status.ASKING)


@dataclass(frozen=True)
class Kind:
    """One thing that has its own number of days."""

    name: str
    rows: Callable[[Workspace, UUID], QuerySet]  # before an id; what may be removed
    remove: Callable[[Collection[UUID], datetime], object]
    affected: Callable[[QuerySet], QuerySet]  # those of them that still hold something

    @property
    def field(self) -> str:
        return f"{self.name}_days"


def _calls(owner: Workspace, before: UUID) -> QuerySet:
    return Call.unscoped.filter(owner=owner, pk__lt=before, ended_at__isnull=False)


def _texts(owner: Workspace, before: UUID) -> QuerySet:
    texts = Message.unscoped.filter(owner=owner, pk__lt=before)
    return texts.exclude(status__in=ON_THE_WAY)


def _with_recording(calls: QuerySet) -> QuerySet:
    kept = Recording.unscoped.filter(call=OuterRef("pk"))
    return calls.filter(Exists(kept.exclude(status=Recording.Status.REMOVED)))


def _remove_texts(ids: Collection[UUID], before: datetime) -> None:
    removals.texts(Message.unscoped.filter(pk__in=ids, words_removed_at=None))
    wordless.texts(ids)
    wordless.notes_of(wordless.conversations_of(ids), before=before)


def _remove_events(ids: Collection[UUID], before: datetime) -> None:
    CallEvent.unscoped.filter(call__in=ids).delete()
    told = Call.unscoped.filter(pk__in=ids, events_removed_at=None)
    told.update(events_removed_at=now(), updated_at=now())


KINDS = (
    Kind(
        "transcript",
        _calls,
        lambda ids, before: wordless.calls(ids),
        lambda calls: calls.filter(words_removed_at=None, answered_at__isnull=False),
    ),
    Kind(
        "recording",
        _calls,
        lambda ids, before: removals.recordings_of(ids),
        _with_recording,
    ),
    Kind(
        "message",
        _texts,
        _remove_texts,
        lambda texts: texts.filter(words_removed_at=None),
    ),
    Kind(
        "event",
        _calls,
        _remove_events,
        lambda calls: calls.filter(events_removed_at=None),
    ),
)
FIELDS = tuple(kind.field for kind in KINDS)


# -- Kept by people --------------------------------------------------------------------


def find(owner: Workspace) -> Retention:
    """What the workspace keeps for how long; for ever, where nobody has said."""
    found = Retention.objects.for_owner(owner).first()
    return found or Retention(owner=owner)


def save(owner: Workspace, **days: int | None) -> Retention:
    """Store it, also when somebody else does at the same moment."""
    with transaction.atomic():
        Workspace.objects.select_for_update(no_key=True).get(pk=owner.pk)
        retention = find(owner)
        for name in FIELDS:
            setattr(retention, name, days.get(name))
        with audit.changing(retention):
            retention.save()
    return retention


def preview(owner: Workspace, at: datetime, **days: int | None) -> dict[str, int]:
    """By kind, about how many calls or texts would lose something today.

    No more than one beyond `voiceops.paging.MOST_COUNTED` are counted.
    """
    through = find(owner).through
    return {
        kind.name: counted(kind.affected(_left(kind, owner, through, at, given)))
        for kind in KINDS
        if (given := days.get(kind.field))
    }


# -- Done by the clock -----------------------------------------------------------------


def run(at: datetime, *, longest_s: float = LONGEST_RUN_S) -> None:
    """Remove what is due, of the workspace first that waits longest. Safe to repeat."""
    until = time.monotonic() + longest_s
    wanted = Q()
    for name in FIELDS:
        wanted |= Q(**{f"{name}__isnull": False})
    in_turn = Retention.unscoped.filter(wanted).select_related("owner")
    for retention in in_turn.order_by(F("looked_at").asc(nulls_first=True)):
        if time.monotonic() >= until:
            return
        Retention.unscoped.filter(pk=retention.pk).update(looked_at=now())
        for kind in KINDS:
            _remove_kind(kind, retention, at, until)


def _remove_kind(kind: Kind, retention: Retention, at: datetime, until: float) -> None:
    days = getattr(retention, kind.field)
    if days is None:
        return
    before = at - timedelta(days=days)
    while time.monotonic() < until:
        ids = _piece(kind, retention, at, days)
        if ids:
            with transaction.atomic():
                kind.remove(ids, before)
                _note(retention, kind, max(ids))
        if len(ids) < CHUNK:
            break
    if kind.name == "message":
        _remove_late_texts(retention.owner, before, until)
    if kind.name == "event":
        _remove_deliveries(retention.owner, before, until)


def _piece(kind: Kind, retention: Retention, at: datetime, days: int) -> list[UUID]:
    left = _left(kind, retention.owner, retention.through, at, days)
    return list(left.order_by("pk").values_list("pk", flat=True)[:CHUNK])


def _left(
    kind: Kind, owner: Workspace, through: dict[str, str], at: datetime, days: int
) -> QuerySet:
    """What is old enough and has not been looked at."""
    before = at - timedelta(days=days)
    if kind.rows is _calls:
        before -= LONGEST_CALL
    rows = kind.rows(owner, earliest_uuid7(before))
    last = through.get(kind.name)
    return rows.filter(pk__gt=UUID(last)) if last else rows


def _note(retention: Retention, kind: Kind, last: UUID) -> None:
    """How far it has come: in the transaction that has removed it.

    Two workers at once remove the same rows; the one who is behind puts the mark back,
    and rows are looked at once more.
    """
    retention.through = {**retention.through, kind.name: str(last)}
    rows = Retention.unscoped.filter(pk=retention.pk)
    rows.update(through=retention.through)


def _remove_late_texts(owner: Workspace, before: datetime, until: float) -> None:
    """Texts that were written long before they were sent: their ids are too old."""
    late = Message.unscoped.filter(
        owner=owner, send_at__lt=before, words_removed_at=None
    ).exclude(status__in=ON_THE_WAY)
    while time.monotonic() < until:
        ids = list(late.order_by("send_at").values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return
        with transaction.atomic():
            _remove_texts(ids, before)


def _remove_deliveries(owner: Workspace, before: datetime, until: float) -> None:
    """What webhooks were told, with every attempt at it."""
    for endpoint in Endpoint.unscoped.filter(owner=owner):
        told = Delivery.unscoped.filter(
            endpoint=endpoint, pk__lt=earliest_uuid7(before)
        ).exclude(status=Delivery.Status.PENDING)
        while time.monotonic() < until:
            ids = list(told.order_by("pk").values_list("pk", flat=True)[:CHUNK])
            if not ids:
                break
            with transaction.atomic():
                Delivery.unscoped.filter(pk__in=ids).delete()
