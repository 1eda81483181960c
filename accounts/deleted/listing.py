"""What a workspace deleted lately, of all kinds in one list, the last deleted first."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Cast
from django.utils.timezone import now

from accounts.deleted.kinds import Kind, kind_named, kinds
from accounts.models import AuditEntry, Workspace
from accounts.tenancy import SoftDeleteModel
from voiceops.ids import earliest_uuid7
from voiceops.paging import Page

RESTORABLE_FOR = timedelta(days=30)
COLUMNS = ("kind", "id", "called", "deleted_at")


def restorable_since() -> datetime:
    """What was deleted before that cannot be brought back any more."""
    return now() - RESTORABLE_FOR


@dataclass(frozen=True)
class Place:
    """A row's place in the list: by the moment, then by the id."""

    deleted_at: datetime
    id: UUID

    def __str__(self):
        return f"{self.deleted_at.isoformat()}_{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that was written as `text`; raises ValueError for what is none."""
        at, _, id_ = text.partition("_")
        moment = datetime.fromisoformat(at)
        if moment.utcoffset() != timedelta(0):
            raise ValueError("not a moment in UTC")
        return cls(moment, UUID(id_))

    @property
    def before(self) -> Q:
        """Rows after this one in the list: they were deleted earlier."""
        same_moment = Q(deleted_at=self.deleted_at, pk__lt=self.id)
        return Q(deleted_at__lt=self.deleted_at) | same_moment

    @property
    def after(self) -> Q:
        same_moment = Q(deleted_at=self.deleted_at, pk__gt=self.id)
        return Q(deleted_at__gt=self.deleted_at) | same_moment


@dataclass(frozen=True)
class Deleted:
    """One line of the list; `entry` of the audit log says who did it."""

    kind: Kind
    id: UUID
    name: str
    deleted_at: datetime
    entry: AuditEntry | None = None

    @property
    def deleted_by(self) -> str:
        return self.entry.actor_name or self.entry.actor_email if self.entry else ""

    @property
    def restorable_until(self) -> datetime:
        return self.deleted_at + RESTORABLE_FOR

    @property
    def place(self) -> Place:
        return Place(self.deleted_at, self.id)

    @classmethod
    def of(cls, row: SoftDeleteModel, kind: Kind) -> "Deleted":
        return cls(kind, row.pk, str(getattr(row, kind.name_field)), row.deleted_at)


def newest_first(
    owner: Workspace,
    chosen: list[Kind],
    *,
    size: int,
    before: Place | None = None,
    after: Place | None = None,
) -> Page:
    """Up to `size` lines beyond `before`, or the nearest ones this side of `after`.

    Two statements, whatever the number of kinds.
    """
    if after is not None:
        found = _lines(owner, chosen, after.after, ("deleted_at", "id"), size + 1)
        shown, has_newer, has_older = found[:size][::-1], len(found) > size, True
    else:
        beyond = before.before if before else Q()
        found = _lines(owner, chosen, beyond, ("-deleted_at", "-id"), size + 1)
        shown, has_newer, has_older = found[:size], bool(before), len(found) > size
    if not shown:
        return Page([])
    return Page(
        shown,
        newer=str(shown[0].place) if has_newer else None,
        older=str(shown[-1].place) if has_older else None,
    )


def _lines(
    owner: Workspace, chosen: list[Kind], where: Q, order: tuple[str, str], count: int
) -> list[Deleted]:
    first, *others = [_rows(owner, kind).filter(where) for kind in chosen]
    rows = first.union(*others, all=True) if others else first
    lines = list(rows.order_by(*order)[:count])
    entries = _entries(owner, [id_ for _, id_, _, _ in lines])
    return [
        Deleted(kind_named(key), id_, name, at, entries.get(str(id_)))
        for key, id_, name, at in lines
    ]


def _rows(owner: Workspace, kind: Kind) -> QuerySet:
    return (
        restorable(owner, kind)
        .order_by()  # SQLite orders a union as a whole, not its parts
        .annotate(
            kind=Value(kind.key, CharField()),
            called=Cast(kind.name_field, CharField()),
        )
        .values_list(*COLUMNS)
    )


def _entries(owner: Workspace, ids: list[UUID]) -> dict[str, AuditEntry]:
    """Who deleted these rows, the last time that they were; by their ids."""
    entries = AuditEntry.objects.for_owner(owner).filter(
        action=AuditEntry.Action.DELETED,
        object_id__in=[str(id_) for id_ in ids],
        pk__gte=earliest_uuid7(restorable_since()),
    )
    return {entry.object_id: entry for entry in entries.order_by("pk")}


def restorable(owner: Workspace, kind: Kind) -> QuerySet:
    """The rows of this kind that the workspace can bring back."""
    rows = kind.model.objects.for_owner(owner, with_deleted=True)
    return rows.filter(deleted_at__gte=restorable_since())


def find(owner: Workspace, pk: UUID) -> tuple[SoftDeleteModel, Kind] | None:
    """The row that can be brought back, of whatever kind; None: there is no such."""
    for kind in kinds():
        if row := restorable(owner, kind).filter(pk=pk).first():
            return row, kind
    return None
