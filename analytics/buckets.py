"""The rows that hold what was counted: how they are made, found and replaced."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from analytics.histogram import pack
from analytics.models import Bucket, Pair, Quarters
from analytics.quarters import DIRECTIONS, OF_AN_HOUR, PACKED, QUARTER_S, repack
from analytics.tallies import Counted, Tally, merge, merged
from voiceops import bulk

Key = Pair | None
Span = Bucket.Span
COLUMNS = [name for _wanted, *names in PACKED for name in names]
REPLIES = {direction: f"replies_{direction}" for direction in DIRECTIONS}
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

CONTENTS = ["sums", "facts", *REPLIES.values(), *COLUMNS]


def moment(day: date, quarter: int = 0) -> datetime:
    """The beginning of a quarter of an hour; quarter 96 is the next day's first."""
    midnight = datetime.combine(day, time.min, tzinfo=UTC)
    return midnight + timedelta(seconds=quarter * QUARTER_S)


def month_of(day: date) -> tuple[date, date]:
    """The first of its month and of the next one."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


@dataclass(frozen=True)
class Shelf:
    """A day or a month of a workspace's calls or texts, and its buckets."""

    series: str
    owner_id: UUID
    span: str
    first_day: date

    @property
    def month(self) -> "Shelf":
        return replace(self, span=Span.MONTH, first_day=self.first_day.replace(day=1))

    @property
    def rows(self) -> QuerySet[Bucket]:
        return Bucket.unscoped.filter(**asdict(self))

    def new(self, key: Key, tally: Tally) -> Bucket:
        """An unsaved one."""
        bucket = Bucket(
            **asdict(self),
            is_total=key is None,
            agent=key.agent if key else None,
            phone=key.phone if key else None,
        )
        return fill(bucket, tally)

    def of_keys(self, keys: Collection[Key]) -> dict[Key, Bucket]:
        """One for each of them, as it stands or unsaved."""
        agents = {key.agent for key in keys if key}
        wanted = Q(is_total=True) | Q(agent__in=agents - {None})
        if None in agents:
            wanted |= Q(agent=None)
        standing = {row.key: row for row in self.rows.filter(wanted)}
        return {key: standing.get(key) or self.new(key, {}) for key in keys}

    def replace(self, new: Sequence[Bucket], details: Sequence[Quarters] = ()) -> None:
        self.rows.only("pk").delete()
        bulk.create(new)
        bulk.create(details)


def fill(bucket: Bucket, tally: Tally) -> Bucket:
    sums: Tally = defaultdict(dict)
    facts: Tally = defaultdict(dict)
    for direction, counted in tally.items():
        for name, value in counted.items():
            (sums if name in SUMS else facts)[direction][name] = value
    bucket.sums, bucket.facts = dict(sums), dict(facts)
    for direction, name in REPLIES.items():
        times = facts.get(direction, {}).get("replies", {})
        setattr(bucket, name, pack(merged(times.values())))
    return bucket


def tally_of(bucket: Bucket) -> Tally:
    return merged([bucket.sums, bucket.facts])


def chart(
    bucket: Bucket, tallies: dict[str, Tally], gone: Iterable[str] = ()
) -> Bucket:
    """Put these quarters into its columns, and nothing where it is gone."""
    for wanted, names, packed in PACKED:
        standing = getattr(bucket, names), bytes(getattr(bucket, packed))
        columns = repack(*standing, tallies, gone, wanted)
        for name, value in zip((names, packed), columns, strict=True):
            setattr(bucket, name, value)
    return bucket


def store(found: Iterable[Bucket]) -> None:
    """Those that have something in them; the others go."""
    filled = [bucket for bucket in found if bucket.sums]
    empty = [bucket.pk for bucket in found if not bucket.sums]
    Bucket.unscoped.filter(pk__in=empty).delete()
    Bucket.unscoped.bulk_create(
        filled,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*CONTENTS, "updated_at"],
    )


# -- What they are made of -------------------------------------------------------------


def of_day(day: Shelf, counted: Counted) -> tuple[list[Bucket], list[Quarters]]:
    """The unsaved ones of a day for what was counted, and their hours."""
    found, details = [], []
    for key, tallies in counted.items():
        bucket = chart(day.new(key, merged(tallies.values())), tallies)
        found.append(bucket)
        details += hours_of(bucket, tallies)
    return found, details


def hours_of(bucket: Bucket, tallies: dict[str, Tally]) -> list[Quarters]:
    """The unsaved rows that hold these quarters of a day."""
    hours: dict[int, dict[str, Tally]] = defaultdict(dict)
    for quarter, tally in tallies.items():
        hours[int(quarter) // OF_AN_HOUR][quarter] = tally
    return [
        Quarters(owner_id=bucket.owner_id, bucket=bucket, hour=hour, tallies=of_hour)
        for hour, of_hour in hours.items()
    ]


def of_month(month: Shelf) -> list[Bucket]:
    """The unsaved ones of a month: the sums of its days, as they stand."""
    return [month.new(key, tally) for key, tally in sums_of_days(month).items()]


def sums_of_days(month: Shelf, **which: Any) -> dict[Key, Tally]:
    """What its days come to, all or `which`."""
    first, after = month_of(month.first_day)
    days = Bucket.unscoped.filter(
        owner_id=month.owner_id,
        series=month.series,
        span=Span.DAY,
        first_day__gte=first,
        first_day__lt=after,
        **which,
    )
    sums: dict[Key, Tally] = {}
    for day in days.defer(*REPLIES.values(), *COLUMNS).iterator():
        merge(sums.setdefault(day.key, {}), tally_of(day))
    return sums
