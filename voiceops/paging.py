"""Pages of a list that is newest first, found by key: the last page costs no more
than the first, and rows that arrive meanwhile shift nothing.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet


@dataclass(frozen=True)
class Page:
    """`newer` is the next page's `after`, `older` its `before`; None: no such page."""

    rows: list[Any]
    newer: UUID | str | None = None
    older: UUID | str | None = None


def newest_first(
    rows: QuerySet,
    *,
    size: int,
    before: UUID | None = None,
    after: UUID | None = None,
) -> Page:
    """Up to `size` rows older than `before`, or the nearest newer than `after`."""
    if after is not None:
        found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
        shown = found[:size][::-1]
        return _page(shown, has_newer=len(found) > size, has_older=True)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    return _page(
        found[:size], has_newer=before is not None, has_older=len(found) > size
    )


def _page(rows: list[Any], *, has_newer: bool, has_older: bool) -> Page:
    if not rows:
        return Page(rows)
    return Page(
        rows,
        newer=rows[0].pk if has_newer else None,
        older=rows[-1].pk if has_older else None,
    )
