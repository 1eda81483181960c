"""Days and hours on the clock of a zone, as the quarters of an hour of UTC they are.

Since 2012 every zone changes its clock on a quarter of an hour, by whole quarters, so
a day is 96 quarters, or 92 or 100, or 94 and 98 on Lord Howe Island. (A test holds it,
but for three nights of Antarctica/Casey, whose clock went forward at one past midnight:
all of that quarter counts to the hour from midnight.) A quarter is known by its number
since 1970.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from analytics.quarters import OF_A_DAY, QUARTER_S

FIRST_DAY = date(2012, 1, 1)
LAST_DAY = date(2199, 12, 31)
MOST_DAYS = 3_660  # that are told at once: ten years
DAY = timedelta(days=1)
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Period:
    """The days from `first` to `last`, both included, in the zone called `zone`."""

    first: date
    last: date
    zone: str

    @property
    def days(self) -> list[date]:
        return [self.first + DAY * number for number in range(self._length)]

    @property
    def _length(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """As many days, up to the first one."""
        return Period(self.first - DAY * self._length, self.first - DAY, self.zone)

    @cached_property
    def midnights(self) -> list[int]:
        """The quarter with which each day begins, and that after the last day."""
        zone = ZoneInfo(self.zone)
        days = [*self.days, self.last + DAY]
        return [
            int(datetime.combine(day, time.min, zone).timestamp()) // QUARTER_S
            for day in days
        ]

    @property
    def start(self) -> int:
        return self.midnights[0]

    @property
    def end(self) -> int:
        """The quarter after the last one."""
        return self.midnights[-1]

    @property
    def utc_days(self) -> tuple[date, date]:
        """The first and the last day of UTC that have a part in it."""
        return day_of(self.start), day_of(self.end - 1)

    def stretches(self) -> Iterator[tuple[date, int, int]]:
        """Runs of days of 24 hours, and each other day by itself.

        Each as its first day, its first quarter and the quarter after it.
        """
        begun = None
        for number, day in enumerate(self.days):
            first, end = self.midnights[number : number + 2]
            if end - first == OF_A_DAY:
                begun = begun or (day, first)
                continue
            if begun:
                yield *begun, first
                begun = None
            yield day, first, end
        if begun:
            yield *begun, self.end

    def hour_of(self, quarter: int) -> int:
        """On the zone's clock; for days on which it is changed."""
        at = datetime.fromtimestamp(quarter * QUARTER_S, ZoneInfo(self.zone))
        return at.hour


@dataclass(frozen=True)
class Stretch:
    """The quarters from `start` to before `end`: what sums and columns are asked of."""

    start: int
    end: int

    @classmethod
    def until(cls, at: datetime, minutes: int) -> "Stretch":
        """The quarter that runs at that moment, and those of so many minutes before."""
        running = int(at.timestamp()) // QUARTER_S
        return cls(running - minutes * 60 // QUARTER_S, running + 1)

    @property
    def since(self) -> datetime:
        return datetime.fromtimestamp(self.start * QUARTER_S, UTC)

    @property
    def utc_days(self) -> tuple[date, date]:
        """As of a period."""
        return day_of(self.start), day_of(self.end - 1)


def day_of(quarter: int) -> date:
    """The day of UTC in which it is."""
    return EPOCH + DAY * (quarter // OF_A_DAY)


def quarter_at(day: date) -> int:
    """The first quarter of a day of UTC."""
    return (day - EPOCH).days * OF_A_DAY


def today(zone: str, now: datetime) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


Edges = dict[date, range]
"""The quarters that are wanted of days that are not wholly wanted."""


@dataclass(frozen=True)
class Cover:
    """The fewest buckets that are the quarters from `start` to before `end` together.

    Whole months and days, first and last of each run; quarters of the days in which
    it begins or ends, by the day.
    """

    months: list[tuple[date, date]]
    days: list[tuple[date, date]]
    edges: Edges

    @classmethod
    def of(cls, start: int, end: int) -> "Cover":
        if end <= start:
            return cls([], [], {})
        edges = _edges(start, end)
        first, after = day_of(start + OF_A_DAY - 1), day_of(end)
        month, month_after = _month_from(first), after.replace(day=1)
        if month < month_after:
            months = [(month, month_after - DAY)]
            days = [(first, month - DAY), (month_after, after - DAY)]
        else:
            months, days = [], [(first, after - DAY)]
        return cls(months, [(a, b) for a, b in days if a <= b], edges)

    @property
    def edges_by_fewer_hours(self) -> tuple[Edges, Edges]:
        """Those to add, and those to take away from whole days that are added: the
        hours at the other end of a day of which most is wanted.
        """
        rests = {}
        for day, part in self.edges.items():
            is_end = part.stop == OF_A_DAY
            rest = range(part.start) if is_end else range(part.stop, OF_A_DAY)
            if len(rest) < len(part) == OF_A_DAY - len(rest):
                rests[day] = rest
        return {day: self.edges[day] for day in self.edges.keys() - rests}, rests


def _edges(start: int, end: int) -> Edges:
    found = {}
    for day in {day_of(start), day_of(end)}:
        first = quarter_at(day)
        part = range(max(start, first) - first, min(end, first + OF_A_DAY) - first)
        if 0 < len(part) < OF_A_DAY:
            found[day] = part
    return found


def _month_from(day: date) -> date:
    """The first of a month, that day or later."""
    return day if day.day == 1 else (day.replace(day=1) + 31 * DAY).replace(day=1)
