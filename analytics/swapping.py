"""Counting a few quarters of an hour again, and what they are a part of.

What a change costs follows from the calls of its quarter and from the pairs it was
about, not from the calls of its day or the days of its month.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from uuid import UUID

from analytics import buckets
from analytics.buckets import Key, Shelf, Span, moment
from analytics.models import Bucket, Quarters
from analytics.quarters import OF_AN_HOUR
from analytics.tallies import (
    Counted,
    GreatestIsGone,
    Tally,
    count,
    merged,
    swap,
)

HEAVY = [f"bucket__{name}" for name in buckets.CONTENTS]
Hours = dict[Key, dict[int, Quarters]]


@dataclass(frozen=True)
class Swap:
    """What a pair's tallies of some quarters were, and what they are."""

    before: dict[str, Tally]
    now: dict[str, Tally]

    def within(self, hours: dict[int, Quarters]) -> dict[str, Tally]:
        """All tallies of these hours, as they are."""
        known = merged(row.tallies for row in hours.values())
        kept = known.keys() - self.before.keys()
        return {quarter: known[quarter] for quarter in kept} | self.now

    def into(self, bucket: Bucket, sum_of: Callable[[Bucket], Tally]) -> None:
        before, now = merged(self.before.values()), merged(self.now.values())
        try:
            tally = swap(buckets.tally_of(bucket), before, now)
        except GreatestIsGone:
            tally = sum_of(bucket)
        buckets.fill(bucket, tally)


def count_again(series: str, owner_id: UUID, day: date, quarters: set[int]) -> None:
    """Replace what was counted in these quarters of the day, where it has changed."""
    fresh: Counted = defaultdict(dict)
    for first, last in _runs(sorted(quarters)):
        for key, found in count(
            series, owner_id, moment(day, first), moment(day, last + 1)
        ).items():
            fresh[key] |= found
    whole = Shelf(series, owner_id, Span.DAY, day)
    hours = _hours(whole, quarters)
    if swaps := _swaps(hours, quarters, fresh):
        _swap_day(whole.of_keys(swaps), hours, swaps)
        _swap_month(whole.month, swaps)


def _hours(day: Shelf, quarters: set[int]) -> Hours:
    found: Hours = defaultdict(dict)
    wanted = {quarter // OF_AN_HOUR for quarter in quarters}
    rows = Quarters.unscoped.filter(bucket__in=day.rows, hour__in=wanted)
    for row in rows.select_related("bucket").defer(*HEAVY):
        found[row.bucket.key][row.hour] = row
    return found


def _swaps(hours: Hours, quarters: set[int], fresh: Counted) -> dict[Key, Swap]:
    """Of each pair whose tallies are not what they were."""
    found = {}
    for key in fresh.keys() | hours.keys():
        before = {
            quarter: tally
            for row in hours[key].values()
            for quarter, tally in row.tallies.items()
            if int(quarter) in quarters
        }
        if before != fresh[key]:
            found[key] = Swap(before, fresh[key])
    return found


def _swap_day(days: dict[Key, Bucket], hours: Hours, swaps: dict[Key, Swap]) -> None:
    old = [row.pk for key in swaps for row in hours[key].values()]
    Quarters.unscoped.filter(pk__in=old).delete()
    Quarters.unscoped.bulk_create(
        row
        for key, swapped in swaps.items()
        for row in buckets.hours_of(days[key], swapped.within(hours[key]))
    )
    for key, swapped in swaps.items():
        swapped.into(days[key], _sum_of_hours)
        buckets.chart(days[key], swapped.now, gone=swapped.before)
    buckets.store(days.values())


def _sum_of_hours(bucket: Bucket) -> Tally:
    hours = Quarters.unscoped.filter(bucket=bucket).values_list("tallies", flat=True)
    return merged(tally for tallies in hours for tally in tallies.values())


def _swap_month(month: Shelf, swaps: dict[Key, Swap]) -> None:
    months = month.of_keys(swaps)
    for key, swapped in swaps.items():
        swapped.into(months[key], partial(_sum_of_days, month))
    buckets.store(months.values())


def _sum_of_days(month: Shelf, bucket: Bucket) -> Tally:
    which = {"is_total": bucket.is_total, "agent": bucket.agent, "phone": bucket.phone}
    return buckets.sums_of_days(month, **which).get(bucket.key, {})


def _runs(quarters: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of quarters that follow each other."""
    first = last = quarters[0]
    for quarter in quarters[1:]:
        if quarter != last + 1:
            yield first, last
            first = quarter
        last = quarter
    yield first, last
