"""Counting everything again, and holding what was counted against the rows."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction

from accounts.models import Workspace
from analytics import buckets
from analytics.buckets import REPLIES, Key, Shelf, Span, moment, month_of
from analytics.models import Bucket, Change, Quarters, Series
from analytics.quarters import OF_A_DAY
from analytics.rollup import hold
from analytics.tallies import count
from telephony.models import Call, Message

TIME_OF = {Series.CALLS: (Call, "started_at"), Series.TEXTS: (Message, "created_at")}
Rows = tuple[list[Bucket], list[Quarters]]


def ask_for_everything(owners: Iterable[UUID]) -> int:
    """Have every day counted again that has rows, or was counted; how many there are.

    The changes are the list of what is left to do: whoever is killed at it leaves the
    rest to the next one.
    """
    days = 0
    for owner_id in owners:
        for series in Series:
            days += len(_ask_for(series, owner_id))
    return days


def _ask_for(series: Series, owner_id: UUID) -> list[Change]:
    changes = [
        Change(series=series, owner_id=owner_id, at=moment(day), is_whole_day=True)
        for day in sorted(days_of(series, owner_id))
    ]
    return Change.objects.bulk_create(changes, batch_size=500)


def left_to_count(owners: models.QuerySet[Workspace]) -> int:
    """How many whole days of theirs are still to be counted again."""
    return _changes_of(owners).filter(is_whole_day=True).count()


def days_to_count(owners: models.QuerySet[Workspace]) -> set[tuple[str, UUID, date]]:
    """Those of which anything is."""
    noted = _changes_of(owners).values_list("series", "owner_id", "at")
    return {(series, owner_id, at.date()) for series, owner_id, at in noted.iterator()}


def _changes_of(owners: models.QuerySet[Workspace]) -> models.QuerySet[Change]:
    return Change.objects.filter(owner_id__in=owners.order_by().values("pk"))


def days_of(series: Series, owner_id: UUID) -> set[date]:
    """The days of UTC that have rows, or were counted."""
    model, field = TIME_OF[series]
    rows = model.unscoped.filter(owner=owner_id)
    counted = Bucket.unscoped.filter(owner=owner_id, series=series, span=Span.DAY)
    return {*days_with(rows, field), *counted.values_list("first_day", flat=True)}


def days_with(rows: models.QuerySet, field: str) -> Iterator[date]:
    """The days of UTC that have rows, each found by the index of `field`."""
    ordered = rows.order_by(field).values_list(field, flat=True)
    at: datetime | None = ordered.first()
    while at is not None:
        yield at.date()
        at = ordered.filter(**{f"{field}__gte": moment(at.date(), OF_A_DAY)}).first()


# -- Checking --------------------------------------------------------------------------


def differences(series: Series, owner_id: UUID) -> Iterator[str]:
    """What was counted and is not what the rows say, a line each.

    A day of which something is still to be counted is not looked at, nor is a month of
    which a day is counted again: it is summed up after the last one.
    """
    days = days_of(series, owner_id)
    for day in sorted(days):
        yield from _of_day(series, owner_id, day)
    for first_day in sorted({day.replace(day=1) for day in days}):
        yield from _of_month(series, owner_id, first_day)


@transaction.atomic
def _of_day(series: Series, owner_id: UUID, day: date) -> list[str]:
    if not hold(owner_id):  # somebody counts just now
        return []
    start, end = moment(day), moment(day, OF_A_DAY)
    whole = Shelf(series, owner_id, Span.DAY, day)
    stored = _stored(whole)
    right = buckets.of_day(whole, count(series, owner_id, start, end))
    changes = Change.objects.filter(series=series, owner_id=owner_id)
    if changes.filter(at__gte=start, at__lt=end).exists():
        return []
    return _compared(f"{series} of {owner_id}, {day}", stored, right)


@transaction.atomic
def _of_month(series: Series, owner_id: UUID, first_day: date) -> list[str]:
    if not hold(owner_id):
        return []
    month = Shelf(series, owner_id, Span.MONTH, first_day)
    start, end = map(moment, month_of(first_day))
    whole = Change.objects.filter(series=series, owner_id=owner_id, is_whole_day=True)
    if whole.filter(at__gte=start, at__lt=end).exists():
        return []
    right = buckets.of_month(month), []
    return _compared(
        f"{series} of {owner_id}, {first_day:%Y-%m}", _stored(month), right
    )


def _stored(shelf: Shelf) -> Rows:
    details = Quarters.unscoped.filter(bucket__in=shelf.rows)
    return list(shelf.rows), list(details.select_related("bucket"))


def _compared(where: str, stored: Rows, right: Rows) -> list[str]:
    ours, theirs = _contents(*stored), _contents(*right)
    wrong = {
        key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)
    }
    return [f"{where}: {_called(key)}" for key in sorted(wrong, key=_called)]


def _contents(
    found: Iterable[Bucket], details: Iterable[Quarters]
) -> dict[Key, dict[Any, Any]]:
    """What is in them, by their pair; the hours by their number."""
    contents: dict[Key, dict[Any, Any]] = {
        row.key: {
            Bucket: (row.sums, row.facts),
            "charted": (row.names, bytes(row.quarters)),
            "spent": (row.spend_names, bytes(row.spend_quarters)),
            "replies": [bytes(getattr(row, name)) for name in REPLIES.values()],
        }
        for row in found
    }
    for row in details:
        contents[row.bucket.key][row.hour] = row.tallies
    return contents


def _called(key: Key) -> str:
    return f"agent {key.agent}, number {key.phone}" if key else "the whole workspace"
