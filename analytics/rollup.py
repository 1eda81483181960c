"""Counting again where something has changed; safe at any time, by any number at once.

A change is never added to what was counted: the quarters of an hour that it touches are
counted from the rows anew, and what was counted there is replaced, in one transaction
with the removal of the change. Doing it twice, or half and then again, is the same.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from uuid import UUID

from django.db import transaction

from accounts.models import Workspace
from analytics.models import Bucket, Change, Pair, Quarters
from analytics.quarters import OF_A_DAY, QUARTER_S, pack, unpack
from analytics.tallies import Counted, Tally, count, merge, merged

Key = Pair | None
Days = dict[Key, tuple[Bucket, Quarters]]

AT_ONCE = 1_000  # changes that a transaction looks at
# Wanted of many buckets at once, so apart from the rest.
SUMS = (
    "total",
    "answered",
    "delivered",
    "failed",
    "talk_s",
    "segments",
    "last",
    "cost",
)
KEY_FIELDS = ("is_total", "agent", "phone")
Span = Bucket.Span


def fold(*, limit_s: float = 20) -> int:
    """Count again what has changed, for so long at most; how many changes there were.

    Workspaces take turns, so that a busy one keeps nobody waiting.
    """
    until, folded = monotonic() + limit_s, 0
    owners = list(Change.objects.values_list("owner_id", flat=True).distinct())
    random.shuffle(owners)
    while owners and monotonic() < until:
        done = {owner_id: fold_some(owner_id) for owner_id in owners}
        owners = [owner_id for owner_id in owners if done[owner_id]]
        folded += sum(done.values())
    return folded


@transaction.atomic
def fold_some(owner_id: UUID) -> int:
    """Count one day of a workspace again; how many changes are done with.

    None are where another process counts for the workspace just now.
    """
    changes = Change.objects.filter(owner_id=owner_id)
    if not hold(owner_id):
        is_gone = not Workspace.objects.filter(pk=owner_id).exists()
        return changes.delete()[0] if is_gone else 0
    waiting = list(changes.order_by("is_whole_day", "pk")[:AT_ONCE])
    if not waiting:
        return 0
    series, day = waiting[0].series, _day_of(waiting[0].at)
    mine = [one for one in waiting if (one.series, _day_of(one.at)) == (series, day)]
    Change.objects.filter(pk__in=[change.pk for change in mine]).delete()
    if not any(change.is_whole_day for change in mine):
        quarters = {_quarter_of(change.at) for change in mine}
        keys = count_again(series, owner_id, day, quarters)
        sum_month(series, owner_id, month_of(day)[0], keys)
        return len(mine)
    count_again(series, owner_id, day, set(range(OF_A_DAY)))
    first, after = month_of(day)
    left = changes.filter(series=series, is_whole_day=True)
    if not left.filter(at__gte=moment(first), at__lt=moment(after)).exists():
        sum_month(series, owner_id, first)  # as of its last day that was asked for
    return len(mine)


def hold(owner_id: UUID) -> bool:
    """Be the only one who counts for the workspace until the transaction is over.

    SQLite's transactions wait for each other anyway.
    """
    rows = Workspace.objects.select_for_update(skip_locked=True, no_key=True)
    return bool(rows.filter(pk=owner_id).values_list("pk", flat=True))


def count_again(series: str, owner_id: UUID, day: date, quarters: set[int]) -> set[Key]:
    """Replace what was counted in these quarters of the day; for whom it was."""
    fresh: Counted = defaultdict(dict)
    for first, last in _runs(sorted(quarters)):
        for key, found in count(
            series, owner_id, moment(day, first), moment(day, last + 1)
        ).items():
            fresh[key] |= found
    standing = {
        key: bucket
        for key, bucket in _standing(series, owner_id, day).items()
        if key in fresh or _has_any(bucket, quarters)
    }
    gone = {str(quarter) for quarter in quarters}
    counted = {
        key: {quarter: kept[quarter] for quarter in kept.keys() - gone}
        for key, kept in _tallies(standing.values()).items()
    }
    for key in fresh:
        counted[key] = counted.get(key, {}) | fresh[key]
    _replace(standing.values(), day_rows(series, owner_id, day, counted))
    return set(counted)


def day_rows(series: str, owner_id: UUID, day: date, counted: Counted) -> list:
    """The unsaved rows of a day for what was counted."""
    rows: list[Bucket | Quarters] = []
    for key, tallies in counted.items():
        if tallies:
            bucket = _bucket(
                series, owner_id, Span.DAY, day, key, merged(tallies.values())
            )
            bucket.names, bucket.quarters = pack(tallies)
            detail = Quarters(owner_id=owner_id, bucket=bucket, tallies=tallies)
            rows += [bucket, detail]
    return rows


def month_rows(
    series: str, owner_id: UUID, first_day: date, sums: dict[Key, Tally]
) -> list:
    return [
        _bucket(series, owner_id, Span.MONTH, first_day, key, tally)
        for key, tally in sums.items()
    ]


def _bucket(
    series: str, owner_id: UUID, span: str, first_day: date, key: Key, tally: Tally
) -> Bucket:
    sums: Tally = defaultdict(dict)
    facts: Tally = defaultdict(dict)
    for direction, counted in tally.items():
        for name, value in counted.items():
            (sums if name in SUMS else facts)[direction][name] = value
    return Bucket(
        owner_id=owner_id,
        series=series,
        span=span,
        first_day=first_day,
        is_total=key is None,
        agent=key.agent if key else None,
        phone=key.phone if key else None,
        sums=dict(sums),
        facts=dict(facts),
    )


def _standing(series: str, owner_id: UUID, day: date) -> dict[Key, Bucket]:
    rows = Bucket.unscoped.filter(
        owner_id=owner_id, series=series, span=Span.DAY, first_day=day
    )
    return {row.key: row for row in rows.defer("sums", "facts")}


def _has_any(bucket: Bucket, quarters: set[int]) -> bool:
    """Whether anything was counted in these quarters."""
    totals = unpack(bucket.names, bucket.quarters, what={"total"})
    return any(column[quarter] for _name, column in totals for quarter in quarters)


def _tallies(buckets: Iterable[Bucket]) -> Counted:
    keys = {bucket.pk: bucket.key for bucket in buckets}
    rows = Quarters.unscoped.filter(bucket__in=buckets)
    return {keys[pk]: tallies for pk, tallies in rows.values_list("bucket", "tallies")}


def _replace(old: Iterable[Bucket], new: list) -> None:
    Bucket.unscoped.filter(pk__in=[bucket.pk for bucket in old]).delete()
    for model in (Bucket, Quarters):
        model.unscoped.bulk_create([row for row in new if isinstance(row, model)])


def sum_month(
    series: str, owner_id: UUID, first_day: date, keys: set[Key] | None = None
) -> None:
    """Sum the month's days up again, of these pairs or all."""
    months = Bucket.unscoped.filter(
        owner_id=owner_id, series=series, span=Span.MONTH, first_day=first_day
    )
    old = [row for row in months.only(*KEY_FIELDS) if keys is None or row.key in keys]
    sums = sums_of_month(series, owner_id, first_day, keys)
    _replace(old, month_rows(series, owner_id, first_day, sums))


def sums_of_month(
    series: str, owner_id: UUID, first_day: date, keys: set[Key] | None = None
) -> dict[Key, Tally]:
    """The sums of the month's days, as they stand."""
    first, after = month_of(first_day)
    days = Bucket.unscoped.filter(
        owner_id=owner_id,
        series=series,
        span=Span.DAY,
        first_day__gte=first,
        first_day__lt=after,
    )
    if keys is not None:
        rows = days.only(*KEY_FIELDS)
        days = days.filter(pk__in=[row.pk for row in rows if row.key in keys])
    found: dict[Key, Tally] = {}
    for bucket in days.defer("names", "quarters"):
        tally = found.setdefault(bucket.key, {})
        merge(merge(tally, bucket.sums), bucket.facts)
    return found


# -- Days and quarters -----------------------------------------------------------------


def moment(day: date, quarter: int = 0) -> datetime:
    """The beginning of a quarter of an hour; quarter 96 is the next day's first."""
    midnight = datetime.combine(day, time.min, tzinfo=UTC)
    return midnight + timedelta(seconds=quarter * QUARTER_S)


def month_of(day: date) -> tuple[date, date]:
    """The first of its month and of the next one."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _quarter_of(at: datetime) -> int:
    return int(at.timestamp()) // QUARTER_S % OF_A_DAY


def _runs(quarters: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of quarters that follow each other."""
    first = last = quarters[0]
    for quarter in quarters[1:]:
        if quarter != last + 1:
            yield first, last
            first = quarter
        last = quarter
    yield first, last
