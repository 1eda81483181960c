"""When a business is open: weekly hours by the clock on its own wall.

`business_hours` are `{"timezone": "Europe/Berlin", "days": {"mon": [["09:00", "17:00"]],
...}}`; a day that is left out is closed, and none at all, `{}`, means always open. A
range ends before its end; an end of 24:00 or 00:00 is midnight. On a day on which the
clocks change it is the clock that counts: an hour that is skipped opens nothing, an hour
that comes twice is open twice.
"""  # noqa: E501

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHTS = ("00:00", "24:00")
# A zone that crosses the date line loses a day, so even a weekly hour can be two away.
LOOK_AHEAD_DAYS = 16
LOOK_BACK_DAYS = 60

BusinessHours = Mapping[str, Any]


def minutes_of(clock: str) -> int:
    """Minutes since midnight of a time such as 09:30."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def end_minutes_of(clock: str) -> int:
    """Likewise of a range's end, which may be the midnight after the day."""
    return 24 * 60 if clock in MIDNIGHTS else minutes_of(clock)


def is_open(business_hours: BusinessHours, at: datetime) -> bool:
    """Whether the business is open at the moment `at`, which is aware."""
    if not business_hours:
        return True
    local = at.astimezone(ZoneInfo(business_hours["timezone"]))
    minute = local.hour * 60 + local.minute
    return any(
        minutes_of(start) <= minute < end_minutes_of(end)
        for start, end in _ranges_on(business_hours, local)
    )


def next_opening(business_hours: BusinessHours, at: datetime) -> datetime | None:
    """The first moment, `at` or later, at which it is open, in UTC; None if it is none.

    None is only possible for hours that the clocks skip whenever they come.
    """
    begin = at.astimezone(UTC)
    if is_open(business_hours, begin):
        return begin
    zone = ZoneInfo(business_hours["timezone"])
    for _ in range(LOOK_AHEAD_DAYS):
        end = begin + timedelta(days=1)
        moments = {*_starts(business_hours, zone, begin), _clock_change(zone, begin)}
        for moment in sorted(moments):
            if begin <= moment < end and is_open(business_hours, moment):
                return moment
        begin = end
    return None


def open_since(
    business_hours: BusinessHours, at: datetime, minutes: int
) -> datetime | None:
    """Since when it was open for so many minutes in all until `at`, in UTC.

    None: in the last `LOOK_BACK_DAYS` it was not open for so long.
    """
    left, end = timedelta(minutes=minutes), at.astimezone(UTC)
    if not business_hours:
        return end - left
    zone = ZoneInfo(business_hours["timezone"])
    for _ in range(LOOK_BACK_DAYS):
        begin = end - timedelta(days=1)
        moments = {*_edges(business_hours, zone, begin), _clock_change(zone, begin)}
        within = {moment for moment in moments if begin < moment < end}
        for moment in sorted({begin, *within}, reverse=True):
            if is_open(business_hours, moment):
                if end - moment >= left:
                    return end - left
                left -= end - moment
            end = moment
    return None


def _ranges_on(business_hours: BusinessHours, local: datetime) -> list[list[str]]:
    return business_hours["days"].get(DAYS[local.weekday()], [])


def _starts(
    business_hours: BusinessHours, zone: ZoneInfo, begin: datetime
) -> Iterator[datetime]:
    """Where ranges start within a day from `begin`, and some moments around it."""
    for midnight, start, _end in _clocks(business_hours, zone, begin):
        yield from _moments(midnight + start, zone)


def _edges(
    business_hours: BusinessHours, zone: ZoneInfo, begin: datetime
) -> Iterator[datetime]:
    """Likewise, where they start and where they end."""
    for midnight, start, end in _clocks(business_hours, zone, begin):
        yield from _moments(midnight + start, zone)
        yield from _moments(midnight + end, zone)


def _clocks(
    business_hours: BusinessHours, zone: ZoneInfo, begin: datetime
) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    """The ranges of the days that a day of UTC from `begin` has a part in.

    Three where the clocks go forward: each one's midnight, and the times since then.
    """
    for days in (0, 1, 2):
        local = begin.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
        midnight = datetime.combine(local, time.min)
        for start, end in _ranges_on(business_hours, local):
            yield (
                midnight,
                timedelta(minutes=minutes_of(start)),
                timedelta(minutes=end_minutes_of(end)),
            )


def _moments(clock: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """When a clock in the zone shows it: it may twice, or never."""
    for fold in (0, 1):
        yield clock.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _clock_change(zone: ZoneInfo, begin: datetime) -> datetime:
    """When the clocks change within a day from `begin`; its end, if they don't."""
    before, after = begin, begin + timedelta(days=1)
    old = before.astimezone(zone).utcoffset()
    if old == after.astimezone(zone).utcoffset():
        return after
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
