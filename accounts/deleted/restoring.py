"""Bringing a deleted row back: what forbids it, and the words for that."""

from collections.abc import Iterator
from copy import copy
from itertools import chain, count

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import BaseConstraint
from django.utils.translation import gettext as _

from accounts import audit
from accounts.deleted.kinds import Kind, kind_of
from accounts.deleted.listing import restorable_since
from accounts.tenancy import SoftDeleteModel


class Gone(Exception):
    """It was brought back or purged meanwhile, or its time is over."""


class Refused(Exception):
    """It stays deleted: `str()` says why, `reason` says it to programs."""

    reason = "taken"


class NameTaken(Refused):
    """Another row has the name now; `suggestion` is free."""

    reason = "name_taken"

    def __init__(self, why: str, suggestion: str):
        super().__init__(why)
        self.suggestion = suggestion


class BadName(Refused):
    """The name that it shall come back under cannot be one."""

    reason = "bad_name"


class NeedsAnother(Refused):
    """It cannot be without `row`, which is deleted too."""

    reason = "needs_another"

    def __init__(self, row: SoftDeleteModel):
        self.row, self.kind = row, kind_of(type(row))
        self.name = str(getattr(row, self.kind.name_field))
        super().__init__(
            _("It needs “%(name)s” (%(kind)s), deleted as well: restore that first.")
            % {"name": self.name, "kind": self.kind.title}
        )


class CouldNotAsk(Refused):
    """Somebody outside, such as the carrier, had to be asked and did not answer."""

    reason = "could_not_ask"


class RestoredIncompletely(Exception):
    """`row` is back, but something outside did not follow: `str()` says what to do."""

    def __init__(self, row: SoftDeleteModel, why: str):
        super().__init__(why)
        self.row = row


def restore(row: SoftDeleteModel, kind: Kind, *, name: str = "") -> SoftDeleteModel:
    """Bring the row back, under another `name` if one is given.

    Raises `Gone`, `Refused` or `RestoredIncompletely`. Of two at once one wins.
    """
    if name and not kind.can_be_renamed:
        raise BadName(_("This cannot come back under another name."))
    if kind.restore is not None:
        return kind.restore(row)
    return bring_back(row, **({kind.name_field: name} if name else {}))


def bring_back(row: SoftDeleteModel, **changes: object) -> SoftDeleteModel:
    """Undelete the row with these `changes`; the constraints decide races.

    Whatever acts by itself comes back switched off: much may have changed meanwhile.
    Raises `Gone` or `Refused`.
    """
    kind = kind_of(type(row))
    changes["deleted_at"] = None
    if any(field.name == "is_active" for field in row._meta.concrete_fields):
        changes["is_active"] = False
    with transaction.atomic():
        # Those first, in the order of whoever deletes them: no deadlock.
        _refuse_without_needs(row, kind, changes)
        locked = _locked(row)
        before = copy(locked)
        for name, value in changes.items():
            setattr(locked, name, value)
        _refuse_bad_name(locked, kind, changes)
        _refuse_collision(locked, kind)
        try:
            with transaction.atomic():
                locked.save(update_fields=[*changes])
        except IntegrityError:  # somebody was faster, and is stored now
            _refuse_collision(locked, kind)
            raise
        changed = audit.differences(before, locked)
        audit.record(audit.Action.RESTORED, locked, changes=changed)
    return locked


def _refuse_without_needs(row: SoftDeleteModel, kind: Kind, changes: dict) -> None:
    for field in kind.all_needs:
        needed = changes.get(field.name) or getattr(row, field.name)
        if needed is None:
            continue
        held = field.related_model.unscoped.select_for_update(no_key=True)
        if (stored := held.get(pk=needed.pk)).is_deleted:
            raise NeedsAnother(stored)


def _locked(row: SoftDeleteModel) -> SoftDeleteModel:
    """The row as it is stored, held until the transaction ends."""
    rows = type(row).unscoped.select_for_update(no_key=True)
    found = rows.filter(pk=row.pk, deleted_at__gte=restorable_since()).first()
    if found is None:
        raise Gone
    return found


def _refuse_bad_name(row: SoftDeleteModel, kind: Kind, changes: dict) -> None:
    if kind.name_field not in changes:
        return
    field = row._meta.get_field(kind.name_field)
    try:
        field.clean(getattr(row, kind.name_field), row)
        row.clean()  # some names are taken by what is no row
    except ValidationError as error:
        raise BadName(" ".join(error.messages)) from error


def _refuse_collision(row: SoftDeleteModel, kind: Kind) -> None:
    """Say in the model's own words which of its constraints forbids the row."""
    for model, constraints in row.get_constraints():
        for constraint in constraints:
            try:
                constraint.validate(model, row)
            except ValidationError as error:
                why = " ".join(error.messages)
                raise _refusal(row, kind, constraint, why) from None


def _refusal(
    row: SoftDeleteModel, kind: Kind, constraint: BaseConstraint, why: str
) -> Refused:
    if kind.can_be_renamed and kind.name_field in getattr(constraint, "fields", ()):
        return NameTaken(why, next(_free_names(row, kind)))
    return Refused(why)


def _free_names(row: SoftDeleteModel, kind: Kind) -> Iterator[str]:
    """“Sales (restored)”, “Sales (restored 2)” …; with _ where names have no spaces."""
    field = row._meta.get_field(kind.name_field)
    name = getattr(row, kind.name_field)
    words = [_(" (restored)"), _(" (restored %(number)d)")]
    try:
        field.clean("A" + words[0], row)
    except ValidationError:
        words = ["_restored", "_restored_%(number)d"]
    namesakes = type(row).objects.for_owner(row.owner_id)
    taken = set(namesakes.values_list(kind.name_field, flat=True))
    endings = chain(words[:1], (words[1] % {"number": n} for n in count(2)))
    names = (name[: field.max_length - len(ending)] + ending for ending in endings)
    return (name for name in names if name not in taken)
