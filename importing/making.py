"""What comes of a document: rows, not saved yet, held to the rules of their models."""

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models

from accounts.models import Workspace
from importing import values
from importing.ledger import Ledger
from importing.mapping import Document, Names
from importing.values import Refused, source_id
from importing.workspaces import Workspaces
from voiceops.ids import earliest_uuid7

Row = TypeVar("Row", bound=models.Model)


@dataclass
class Made:
    """A row, what is saved before and after it, and what came in otherwise than it was.

    `is_new` is False for a row that was here before, and now stands for the document.
    """

    row: models.Model
    owner: Workspace
    before: list[models.Model] = field(default_factory=list)
    after: list[models.Model] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_new: bool = True
    joins: models.Model | None = None  # the call that came of a scheduled one


@dataclass
class Run:
    """One import: what every document is read with."""

    names: Names
    ledger: Ledger
    workspaces: Workspaces
    at: datetime
    is_dry: bool = False
    dials: bool = False
    auth_token: str = field(default="", repr=False)
    # What rows of this run have for themselves: names, places on a number, SIDs.
    taken: set[tuple] = field(default_factory=set)
    # Rows beside those of documents, by what they are for.
    shared: dict[tuple, models.Model] = field(default_factory=dict)
    lines: dict[uuid.UUID, int] = field(default_factory=dict)  # used, by campaign

    def take(self, *what: Any) -> bool:
        """Have it for oneself; False if another row of this run has."""
        if what in self.taken:
            return False
        self.taken.add(what)
        return True

    def mark(self) -> tuple:
        """What it has now, to go `back_to`."""
        return set(self.taken), dict(self.shared), dict(self.lines)

    def back_to(self, mark: tuple) -> None:
        taken, shared, lines = mark
        self.taken, self.shared, self.lines = set(taken), dict(shared), dict(lines)

    def owner_of(self, document: Document) -> Workspace:
        return self.workspaces.of(document.need("user_id", source_id))


def checked(model: type[Row], /, **given: Any) -> Row:
    """A row with these values, which are held to the rules of their fields.

    Raises Refused.
    """
    row = model(**given)
    for name in given:
        column = model._meta.get_field(name)
        if not column.is_relation:
            hold(column, getattr(row, name), row)
    return row


def hold(column: models.Field, value: Any, row: models.Model | None = None) -> None:
    """Raise Refused unless the field takes the value."""
    if value is None or (column.blank and value in column.empty_values):
        return
    try:
        column.clean(value, row)
    except ValidationError as error:
        raise Refused(f"{column.name}: {' '.join(error.messages)}") from None
    except TypeError:
        raise Refused(f"{column.name} is not of the kind that it has to be") from None
    longest = column.max_length
    if longest and isinstance(value, str) and len(value) > longest:
        raise Refused(f"{column.name} has more than {longest} characters")


READERS = {
    "variables": values.variables,
    "end_call_phrases": values.texts,
    "handoff_phrases": values.texts,
    "extraction_schema": values.plain,
    "business_hours": values.plain,
}
KINDS_OF_VALUES = (
    (models.BooleanField, values.boolean),
    (models.FloatField, values.real),
    (models.IntegerField, values.whole),
)


def set_if_can_be(
    given: dict[str, Any],
    model: type[models.Model],
    name: str,
    document: Document,
    notes: list[str],
) -> None:
    """Put a setting into `given`; one that cannot be stays at its default, noted."""
    column = model._meta.get_field(name)
    try:
        value = _setting(column, document)
        hold(column, value)
    except Refused as refused:
        notes.append(f"{refused}: the default instead")
        return
    if value is not None:
        given[name] = value


def _setting(column: models.Field, document: Document) -> Any:
    if column.choices:
        return document.word(column.name, [value for value, _ in column.flatchoices])
    if column.name in READERS:
        return document.get(column.name, READERS[column.name])
    for kind, reader in KINDS_OF_VALUES:
        if isinstance(column, kind):
            return document.get(column.name, reader)
    return document.get(column.name, values.text)


def born_at(document: Document, run: Run) -> datetime:
    """When it was made there; now, where that is not told."""
    return min(_readable(document, "created_at") or run.at, run.at)


def deleted_at(document: Document, run: Run) -> datetime | None:
    """Since when it is deleted, None if it is not."""
    if not document.is_deleted:
        return None
    told = _readable(document, "deleted_at") or _readable(document, "updated_at")
    return min(told or run.at, run.at)


def _readable(document: Document, field: str) -> datetime | None:
    try:
        return document.moment(field)
    except Refused:
        return None


def refuse_strangers(owner: Workspace, **related: models.Model | None) -> None:
    """Raise Refused if one of these rows is another workspace's."""
    for name, row in related.items():
        if row is not None and row.owner_id != owner.pk:
            raise Refused(f"{name} is of something in another workspace")


def id_at(at: datetime):
    """A UUID version 7 of that moment: rows are listed in the order of their ids."""
    return uuid.UUID(int=earliest_uuid7(at).int | secrets.randbits(62))
