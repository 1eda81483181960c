"""Everything that a workspace has, as one ZIP file of JSON Lines. No secrets.

It is written row by row into pieces in the database, so it takes little memory however
much there is; whoever is killed at it leaves pieces that the next one replaces.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import QuerySet
from django.utils.timezone import now

from accounts.models import KeptAnswer, Membership, Workspace
from accounts.tenancy import OwnedModel
from privacy.models import Export, ExportPiece
from telephony.models import Message, Recording
from voiceops.encryption import EncryptedTextField

PIECE_BYTES = 512 * 1024
ROWS_AT_ONCE = 500
LEASE = timedelta(minutes=5)  # renewed with every piece and every file
# What opens something, beside all that is encrypted; and what only we understand.
SECRETS = {"digest", "webhook_token", "relay_token", "lease_token", "sealed_number"}
APART = (Export, ExportPiece, KeptAnswer)
README = """\
Everything that the workspace has in VoiceOps, one file a kind, one JSON object a line.
Columns are named as in the database, times are in UTC. Rows with `deleted_at` were put
away. `media.jsonl` lists recordings, pictures and files: the carrier keeps them, and
they are had by the address with an API key. Passwords, tokens and keys are left out.
"""


class LostClaim(Exception):
    """Another worker makes it now, or nobody wants it any more."""


def exported_models() -> list[type[OwnedModel]]:
    """Every kind of row that is the workspace's; figures are sums of these."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, OwnedModel)
        and model not in APART
        and model._meta.app_label != "analytics"
    ]


class _Pieces(io.RawIOBase):
    """A file that is only ever written to, into rows."""

    def __init__(self, export: Export):
        self._export = export
        self._buffer = bytearray()
        self.size = self.count = 0

    def writable(self):
        return True

    def seekable(self):
        return False

    def write(self, data) -> int:
        self._buffer += data
        while len(self._buffer) >= PIECE_BYTES:
            self._keep(PIECE_BYTES)
        return len(data)

    def finish(self) -> None:
        if self._buffer:
            self._keep(len(self._buffer))

    def _keep(self, length: int) -> None:
        renew(self._export)
        ExportPiece.unscoped.create(
            owner_id=self._export.owner_id,
            export=self._export,
            number=self.count,
            data=bytes(self._buffer[:length]),
        )
        del self._buffer[:length]
        self.count, self.size = self.count + 1, self.size + length


def renew(export: Export, **changes) -> None:
    """Keep the claim for longer; raises LostClaim if it is another's."""
    until = now() + LEASE
    mine = Export.unscoped.filter(pk=export.pk, claimed_until=export.claimed_until)
    if not mine.update(claimed_until=until, updated_at=now(), **changes):
        raise LostClaim
    export.claimed_until = until


def make(export: Export) -> dict[str, Any]:
    """Write the file; what is to be told of it. Raises LostClaim."""
    ExportPiece.unscoped.filter(export=export).delete()
    pieces, counts = _Pieces(export), {}
    kinds = exported_models()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        for place, model in enumerate(kinds):
            renew(export, percent=100 * place // len(kinds), counts=counts)
            name = model._meta.label_lower
            rows = model.unscoped.filter(owner=export.owner_id)
            counts[name] = _write(archive, name, _told(rows))
        counts["workspace"] = _write(archive, "workspace", _workspace(export))
        counts["people"] = _write(archive, "people", _people(export))
        counts["media"] = _write(archive, "media", _media(export))
    pieces.finish()
    return {"counts": counts, "size": pieces.size}


def _write(archive: zipfile.ZipFile, name: str, rows: Iterator[dict]) -> int:
    count = 0
    with archive.open(f"{name}.jsonl", "w", force_zip64=True) as file:
        for row in rows:
            line = json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)
            file.write(line.encode() + b"\n")
            count += 1
    return count


def _told(rows: QuerySet) -> Iterator[dict]:
    """By the id, in small statements: none stays open while the file is written."""
    names = columns_of(rows.model)
    last = None
    while True:
        after = rows if last is None else rows.filter(pk__gt=last)
        found = list(after.order_by("pk").values(*names)[:ROWS_AT_ONCE])
        yield from found
        if len(found) < ROWS_AT_ONCE:
            return
        last = found[-1]["id"]


def columns_of(model: type[models.Model]) -> list[str]:
    return [
        field.attname
        for field in model._meta.concrete_fields
        if not isinstance(field, EncryptedTextField | models.BinaryField)
        and field.name not in SECRETS
    ]


def _workspace(export: Export) -> Iterator[dict]:
    yield from Workspace.objects.filter(pk=export.owner_id).values(
        "id", "name", "timezone", "created_at"
    )


def _people(export: Export) -> Iterator[dict]:
    people = Membership.objects.filter(workspace=export.owner_id).order_by("pk")
    yield from people.values("user__email", "user__name", "role", "created_at")


def _media(export: Export) -> Iterator[dict]:
    kept = Recording.unscoped.finished().filter(owner=export.owner_id)
    for row in _told(kept):
        address = f"/api/calls/{row['call_id']}/recording"
        yield {"kind": "recording", "sid": row["sid"], "address": address}
    with_media = Message.unscoped.filter(owner=export.owner_id).exclude(media=[])
    for row in _told(with_media):
        for number, medium in enumerate(row["media"]):
            own = f"/api/messages/{row['id']}/media/{number}"
            address = medium.get("url") or own
            yield {"kind": "text", "sid": medium.get("sid"), "address": address}


def contents(export: Export) -> Iterator[bytes]:
    """The file, piece by piece."""
    pieces, number = ExportPiece.unscoped.filter(export=export), 0
    while (piece := pieces.filter(number=number).first()) is not None:
        yield bytes(piece.data)
        number += 1
