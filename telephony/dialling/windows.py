"""When a telephone may ring, on the clock of the place where it rings. Pure.

A window is told by wall clocks: daylight-saving changes move the clocks, not the
window. A number with several zones is called only while the window is open in all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agents.limits import DAYS

DAY = timedelta(days=1)
# A window that does not open within two weeks is one that never does.
LOOK_AHEAD = timedelta(days=15)


@dataclass(frozen=True)
class Window:
    """From `start` until before `end` on `days` ("mon" …).

    An `end` that is not after `start` is on the next day; the day on which the window
    opens counts.
    """

    start: time
    end: time
    days: frozenset[str]

    def is_open(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether the clocks of `zone` show a time in the window at the moment `at`."""
        local = at.astimezone(zone)
        wall = local.time()
        if self.start < self.end:
            return self.start <= wall < self.end and self._has(local.date())
        if wall >= self.start:
            return self._has(local.date())
        return wall < self.end and self._has(local.date() - DAY)

    def _has(self, day: date) -> bool:
        return DAYS[day.weekday()] in self.days

    @property
    def hours(self) -> str:
        return f"{self.start:%H:%M}–{self.end:%H:%M}"


def is_open(window: Window, at: datetime, zones: Sequence[ZoneInfo]) -> bool:
    """Whether the window is open everywhere; nowhere at all is not open."""
    return bool(zones) and all(window.is_open(at, zone) for zone in zones)


def next_opening(
    window: Window, at: datetime, zones: Sequence[ZoneInfo]
) -> datetime | None:
    """The first moment from `at` on at which the window is open everywhere.

    None if there is none in the next two weeks.
    """
    if is_open(window, at, zones):
        return at
    moments = {moment for zone in zones for moment in _changes(window, at, zone)}
    later = sorted(moment for moment in moments if moment > at)
    return next((moment for moment in later if is_open(window, moment, zones)), None)


def _changes(window: Window, at: datetime, zone: ZoneInfo) -> Iterable[datetime]:
    """Every moment at which the window may open: its starts, and changed clocks."""
    first = at.astimezone(zone).date() - DAY
    for number in range(LOOK_AHEAD.days + 2):
        day = first + number * DAY
        for fold in (0, 1):  # in autumn the clocks can show the start twice
            start = datetime.combine(day, window.start, tzinfo=zone)
            yield start.replace(fold=fold).astimezone(UTC)
        yield from _clock_changes(day, zone)


def _clock_changes(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The moment at which the clocks of `zone` are put on or back that day, if any."""
    before = datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    after = datetime.combine(day + DAY, time(), tzinfo=zone).astimezone(UTC)
    if _offset(before, zone) == _offset(after, zone):
        return
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if _offset(middle, zone) == _offset(before, zone):
            before = middle
        else:
            after = middle
    yield after.replace(microsecond=0)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
