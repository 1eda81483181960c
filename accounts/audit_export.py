"""The audit log as rows of a file, in batches: however long it is."""

import json
from collections.abc import Iterator

from django.db.models import QuerySet

from accounts.models import AuditEntry
from voiceops.paging import newest_first

BATCH = 1_000
COLUMNS = (
    "time",
    "action",
    "kind",
    "object_id",
    "object",
    "person",
    "email",
    "source",
    "key",
    "key_prefix",
    "address",
    "request_id",
    "changes",
)


def rows(entries: QuerySet[AuditEntry]) -> Iterator[tuple]:
    """The names of the columns, then the entries, the newest first."""
    yield COLUMNS
    older = None
    while True:
        page = newest_first(entries, size=BATCH, before=older)
        yield from map(_row, page.rows)
        older = page.older
        if older is None:
            return


def _row(entry: AuditEntry) -> tuple:
    return (
        entry.created_at.isoformat(),
        entry.action,
        entry.kind,
        entry.object_id,
        entry.label,
        entry.actor_name,
        entry.actor_email,
        entry.source,
        entry.token_name,
        entry.token_prefix,
        entry.address,
        entry.request_id,
        json.dumps(entry.changes, ensure_ascii=False) if entry.changes else "",
    )
