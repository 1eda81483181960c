"""Pages of a list that is newest first, found by key: the last page costs no more
than the first, and rows that arrive meanwhile shift nothing.

What no index finds is searched for in a bounded number of rows a page, and the page
says how far it has looked. Nothing is counted beyond its first 10,000 rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.utils.functional import cached_property

MOST_COUNTED = 10_000


def counted(rows: QuerySet) -> int:
    """How many there are, up to one more than `MOST_COUNTED`."""
    return rows.order_by()[: MOST_COUNTED + 1].count()


class CappedPaginator(Paginator):
    """By the number of the page, for short lists: it counts, and leafs through, the
    first rows alone.
    """

    @cached_property
    def count(self):
        rows = cast(QuerySet, self.object_list)
        return rows.order_by()[:MOST_COUNTED].count()


MOST_LEAFED = 1_000


class FirstPages(Paginator):
    """For operators' lists, of any size: the first pages, and nothing counted."""

    @cached_property
    def count(self):
        rows = cast(QuerySet, self.object_list)
        return len(rows.order_by().values_list("pk", flat=True)[:MOST_LEAFED])


@dataclass(frozen=True)
class Search:
    """`narrow` keeps the wanted rows; it is given no more than `window` of them."""

    narrow: Callable[[QuerySet], QuerySet]
    window: int

    def stop(self, ordered: QuerySet) -> UUID | None:
        """The last row of the window; None where no row is beyond it."""
        last = self.window - 1
        found = list(ordered.values_list("pk", flat=True)[last : last + 2])
        return found[0] if len(found) == 2 else None

    def look_through(self, ordered: QuerySet, stop: UUID | None) -> QuerySet:
        """The wanted rows up to `stop`."""
        if stop is not None:
            lookup = "pk__gte" if ordered.query.order_by == ("-pk",) else "pk__lte"
            ordered = ordered.filter(**{lookup: stop})
        return self.narrow(ordered)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """Where a row stands in a list that is ordered by a moment, then by id."""

    at: datetime
    pk: UUID

    def __str__(self):
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}-{self.pk.hex}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """Of what `str` has made. Raises ValueError."""
        microseconds, _, pk = text.partition("-")
        try:
            at = EPOCH + timedelta(microseconds=int(microseconds))
        except OverflowError as error:
            raise ValueError(text) from error
        return cls(at, UUID(pk))


@dataclass(frozen=True)
class Page:
    """`newer` is the next page's `after`, `older` its `before`; None: no such page.

    `stopped_at`: rows beyond this one have not been searched yet.
    """

    rows: list[Any]
    newer: UUID | Place | str | int | None = None
    older: UUID | Place | str | int | None = None
    stopped_at: UUID | None = None


def by_number(
    rows: QuerySet,
    field: str,
    *,
    size: int,
    before: int | None = None,
    after: int | None = None,
) -> Page:
    """Up to `size` rows in the order of `field`, a number that none shares.

    `newer` is the `before` of the page in front, `older` the `after` of the next.
    """
    if before is not None:
        ordered = rows.filter(**{f"{field}__lt": before}).order_by(f"-{field}")
    else:
        ordered = rows.filter(**{f"{field}__gt": after or 0}).order_by(field)
    found = list(ordered[: size + 1])
    has_more = len(found) > size
    numbers = [getattr(row, field) for row in found[:size]]
    if before is not None:
        front = numbers[-1] if has_more else None
        last = numbers[0] if numbers else None
        return Page(found[:size][::-1], newer=front, older=last)
    front = numbers[0] if numbers and after else None
    return Page(found[:size], newer=front, older=numbers[-1] if has_more else None)


def newest_first(
    rows: QuerySet,
    *,
    size: int,
    before: UUID | None = None,
    after: UUID | None = None,
    search: Search | None = None,
) -> Page:
    """Up to `size` rows older than `before`, or the nearest newer than `after`."""
    if after is not None:
        ordered = rows.filter(pk__gt=after).order_by("pk")
    elif before is not None:
        ordered = rows.filter(pk__lt=before).order_by("-pk")
    else:
        ordered = rows.order_by("-pk")
    stop = search.stop(ordered) if search else None
    if search:
        ordered = search.look_through(ordered, stop)
    found = list(ordered[: size + 1])
    if len(found) > size:
        found.pop()
        onwards, stop = found[-1].pk, None
    else:
        onwards = stop
    if after is not None:
        older = found[0].pk if found else None
        return Page(found[::-1], onwards, older=older, stopped_at=stop)
    newer = found[0].pk if found and before is not None else None
    return Page(found, newer, older=onwards, stopped_at=stop)


def latest_first(
    rows: QuerySet,
    field: str,
    *,
    size: int,
    before: Place | None = None,
    after: Place | None = None,
) -> Page:
    """Up to `size` rows by the moment in `field`, the latest first; as `newest_first`
    does by id. A row that moves meanwhile is on another page, and shifts none.
    """
    order = [f"-{field}", "-pk"]
    if after is not None:
        rows, order = _beyond(rows, field, "gt", after), [field, "pk"]
    elif before is not None:
        rows = _beyond(rows, field, "lt", before)
    found = list(rows.order_by(*order)[: size + 1])
    has_more = len(found) > size
    found = found[:size] if after is None else found[:size][::-1]
    places = [Place(getattr(row, field), row.pk) for row in found]
    if not places:
        return Page([])
    has_newer = has_more if after is not None else before is not None
    has_older = has_more if after is None else True
    return Page(
        found,
        newer=places[0] if has_newer else None,
        older=places[-1] if has_older else None,
    )


def _beyond(rows: QuerySet, field: str, way: str, place: Place) -> QuerySet:
    """The second condition implies the first, which is where an index can begin."""
    same = Q(**{field: place.at, f"pk__{way}": place.pk})
    return rows.filter(
        Q(**{f"{field}__{way}e": place.at}),
        Q(**{f"{field}__{way}": place.at}) | same,
    )
