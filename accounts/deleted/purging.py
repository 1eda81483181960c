"""Removing deleted rows for ever: by an operator's hand, never by itself.

A row goes when nothing that stays points at it: purging changes nothing that stays.
What history needs is kept whole, and it is said what needs it
(docs/decisions/0012-deleting-restoring-purging.md).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import models, transaction
from django.db.models import QuerySet

from accounts import audit
from accounts.deleted.kinds import Kind, kind_of, kinds
from accounts.models import Workspace
from accounts.tenancy import SoftDeleteModel
from voiceops.paging import counted

# Rows a transaction: each is soon over, and what a kill interrupts is undone.
BATCH = 100
# By their model, ids of rows that are as good as gone: a rehearsal removes nothing.
Going = Mapping[type[models.Model], set[UUID]]


@dataclass
class Verdict:
    """What becomes of a deleted row, and with how many rows of what name.

    They go `along` with it, or it is `kept_by` them.
    """

    row: SoftDeleteModel
    along: dict[str, int] = field(default_factory=dict)
    kept_by: dict[str, int] = field(default_factory=dict)

    @property
    def goes(self) -> bool:
        return not self.kept_by

    @property
    def kind(self) -> Kind:
        return kind_of(type(self.row))

    @property
    def name(self) -> str:
        return str(getattr(self.row, self.kind.name_field))


def examine(row: SoftDeleteModel, going: Going | None = None) -> Verdict:
    """What would become of the row. Changes nothing."""
    verdict = Verdict(row)
    _follow(verdict, type(row), [row.pk], going or {})
    return verdict


def _follow(
    verdict: Verdict, model: type[models.Model], pks: list[UUID], going: Going
) -> None:
    """Count what points at these rows, and at what goes along with them."""
    for key in _keys_to(model):
        rows = key.model._base_manager.filter(**{f"{key.name}__in": pks})
        called = str(key.model._meta.verbose_name)
        if not _goes_along(key, verdict.kind):
            if stay := _staying(rows, going.get(key.model)):
                verdict.kept_by[called] = verdict.kept_by.get(called, 0) + stay
        elif found := list(rows.values_list("pk", flat=True)):
            verdict.along[called] = verdict.along.get(called, 0) + len(found)
            _follow(verdict, key.model, found, going)


def _staying(rows: QuerySet, going: set[UUID] | None) -> int:
    if not going:
        return counted(rows)
    return sum(pk not in going for pk in rows.values_list("pk", flat=True))


def _keys_to(model: type[models.Model]) -> list[models.ForeignKey]:
    """The foreign keys of all tables that point at this one."""
    relations = model._meta.get_fields(include_hidden=True)
    return [
        relation.field
        for relation in relations
        if isinstance(relation, models.ManyToOneRel)  # one to one as well
    ]


def _goes_along(key: models.ForeignKey, kind: Kind) -> bool:
    """Whether rows that point by `key` are nothing without what they point at."""
    is_part = key.model in _part_models(kind) and key.related_model is kind.model
    return is_part or key.remote_field.on_delete is models.CASCADE


def _part_models(kind: Kind) -> list[type[models.Model]]:
    return [kind.model._meta.get_field(name).related_model for name in kind.parts]


# -- One after the other ---------------------------------------------------------------


def purge(
    *, before: datetime, owner: Workspace | None = None, is_rehearsal: bool = False
) -> Iterator[Verdict]:
    """Purge what was deleted before that moment; what became of each, as it happens.

    Safe to kill, and to do again.
    """
    going: dict[type[models.Model], set[UUID]] = defaultdict(set)
    for kind in _pointing_first():
        rows = kind.model.unscoped.filter(deleted_at__lt=before)
        if owner is not None:
            rows = rows.filter(owner=owner)
        for batch in _batches(rows):
            if is_rehearsal:
                verdicts = [examine(row, going) for row in batch]
                going[kind.model] |= {told.row.pk for told in verdicts if told.goes}
            else:
                verdicts = purge_rows(batch)
            yield from verdicts


def purge_rows(rows: list[SoftDeleteModel]) -> list[Verdict]:
    """Purge those of the rows (of one kind) that can go, in one transaction."""
    with transaction.atomic():
        # Held: nothing new can point at them until they are gone or kept.
        held = type(rows[0]).unscoped.select_for_update().order_by("pk")
        still = held.filter(pk__in=[row.pk for row in rows], deleted_at__isnull=False)
        verdicts = [examine(row) for row in still]
        for verdict in verdicts:
            if verdict.goes:
                _remove(verdict.row, verdict.kind)
    return verdicts


def _remove(row: SoftDeleteModel, kind: Kind) -> None:
    audit.record(audit.Action.PURGED, row)
    for name in kind.parts:
        key = kind.model._meta.get_field(name).field
        key.model._base_manager.filter(**{key.name: row}).delete()
    kind.model.unscoped.filter(pk=row.pk).delete()  # the row keeps its id, to be told


def _batches(rows: QuerySet) -> Iterator[list[SoftDeleteModel]]:
    """The rows by their ids; what is removed meanwhile shifts nothing."""
    found = list(rows.order_by("pk")[:BATCH])
    while found:
        last = found[-1].pk
        yield found
        found = list(rows.filter(pk__gt=last).order_by("pk")[:BATCH])


def _pointing_first() -> Iterator[Kind]:
    """The kinds, each before those that it points at: agents before prompts."""
    left = kinds()
    while left:
        free = [kind for kind in left if not _is_pointed_at(kind, left)] or left
        yield from free
        left = [kind for kind in left if kind not in free]


def _is_pointed_at(kind: Kind, by: list[Kind]) -> bool:
    others = {other.model for other in by} - {kind.model}
    return any(key.model in others for key in _keys_to(kind.model))
