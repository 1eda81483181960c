"""Everything that is encrypted in the database, and putting it under the first key.

What is under it already is recognised, so a run that was killed goes on when it is
started again. A row is replaced only where it still holds what was read: what somebody
writes meanwhile is never lost, and is under the first key anyway.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, TextField, Value

from voiceops.encryption import EncryptedTextField, key_id, key_of, renewed

BATCH = 200
TOKEN = "gAAAA"  # how every Fernet token begins
# Columns of others: sessions, and JSON whose texts are encrypted one by one, the seeds
# of second factors.
OF_OTHERS = [
    ("mfa", "Authenticator", "data"),
    ("sessions", "Session", "session_data"),
]
NO_KEY = "none of the keys"

Row = tuple[Any, Any]  # primary key, value as it is stored


@dataclass(frozen=True)
class Place:
    """A column with encrypted texts in it."""

    model: type[models.Model]
    column: str

    def __str__(self):
        return f"{self.model._meta.label}.{self.column}"

    def _rows(self) -> models.QuerySet:
        """Of every workspace, deleted ones too, with the column undeciphered."""
        fields = {field.attname: field for field in self.model._meta.concrete_fields}
        field = fields[self.column]
        stored = TextField() if isinstance(field, EncryptedTextField) else field
        raw = ExpressionWrapper(F(self.column), output_field=stored)
        return self.model._base_manager.annotate(raw=raw)

    def batches(self, size: int) -> Iterator[list[Row]]:
        rows = self._rows().order_by("pk").values_list("pk", "raw")
        batch = list(rows[:size])
        while batch:
            yield batch
            batch = list(rows.filter(pk__gt=batch[-1][0])[:size])

    def read(self, pk: Any) -> Any:
        """What the row holds now; None if it is gone."""
        return self._rows().filter(pk=pk).values_list("raw", flat=True).first()

    def replace(self, pk: Any, old: Any, new: Any) -> bool:
        """False if the row holds something else by now."""
        if isinstance(new, str):  # past the field, which would encrypt it once more
            new = Value(new, output_field=TextField())
        return bool(self._rows().filter(pk=pk, raw=old).update(**{self.column: new}))


def places() -> list[Place]:
    found = [
        Place(model, field.attname)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField)
    ]
    return found + [
        Place(apps.get_model(app, model), column) for app, model, column in OF_OTHERS
    ]


def ciphers(value: Any) -> Iterator[str]:
    """The encrypted texts in a stored value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from ciphers(part)
    elif _is_cipher(value):
        yield value


def _is_cipher(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(TOKEN)


def _renew(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _renew(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_renew(part) for part in value]
    return renewed(value) if _is_cipher(value) else value


def is_current(value: Any) -> bool:
    """Whether nothing in it is under another key than the first."""
    first = settings.FIELD_ENCRYPTION_KEYS[0]
    return all(key_of(cipher) == first for cipher in ciphers(value))


def count_keys(place: Place) -> Counter[str]:
    """How many encrypted texts are under which key, by what the keys are called."""
    counts: Counter[str] = Counter()
    for batch in place.batches(BATCH):
        for _pk, value in batch:
            for cipher in ciphers(value):
                key = key_of(cipher)
                counts[key_id(key) if key else NO_KEY] += 1
    return counts


@dataclass
class Progress:
    """Of one place: rows looked at, renewed, and left since no key of ours fits."""

    place: Place
    seen: int = 0
    renewed: int = 0
    unreadable: int = 0


def rotate(place: Place, batch_size: int = BATCH) -> Iterator[Progress]:
    """Put all of a place under the first key; told after each batch is committed."""
    progress = Progress(place)
    for batch in place.batches(batch_size):
        with transaction.atomic():
            for pk, value in batch:
                _rotate_row(progress, pk, value)
        yield progress


def _rotate_row(progress: Progress, pk: Any, value: Any) -> None:
    progress.seen += 1
    while value is not None and not is_current(value):
        try:
            new = _renew(value)
        except InvalidToken:
            progress.unreadable += 1
            return
        if progress.place.replace(pk, value, new):
            progress.renewed += 1
            return
        value = progress.place.read(pk)  # somebody was faster
