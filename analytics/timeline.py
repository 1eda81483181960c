"""Numbers by quarter of an hour, added up by the days and hours of a zone."""

from array import array
from collections import defaultdict
from datetime import date
from itertools import pairwise
from operator import add

from analytics.periods import Period, day_of, quarter_at
from analytics.quarters import OF_A_DAY, OF_AN_HOUR, Column

HOURS = 24

Parts = dict[date, list[tuple[int, slice]]]


def parts_of_days(period: Period) -> Parts:
    """For each day of UTC the days of the zone that it has quarters of.

    Each as its place in the period, and which quarters of the day of UTC they are.
    """
    parts: Parts = defaultdict(list)
    for place, first in enumerate(period.midnights[:-1]):
        end = period.midnights[place + 1]
        while first < end:
            day = day_of(first)
            begin = quarter_at(day)
            until = min(end, begin + OF_A_DAY)
            parts[day].append((place, slice(first - begin, until - begin)))
            first = until
    return parts


class Timeline:
    """One number for each quarter of the days of UTC that a period has a part in."""

    def __init__(self, period: Period):
        self.period = period
        first, last = period.utc_days
        self._first = quarter_at(first)
        length = quarter_at(last) + OF_A_DAY - self._first
        self._numbers = array("q", bytes(8 * length))
        self._filled: set[date] = set()

    def put(self, day: date, column: Column) -> None:
        """Add the 96 numbers of a day of UTC."""
        first = quarter_at(day) - self._first
        place = slice(first, first + OF_A_DAY)
        is_more = day in self._filled
        more = map(add, self._numbers[place], column) if is_more else column
        self._numbers[place] = array("q", [*more])  # bytes would be taken as they lie
        self._filled.add(day)

    def by_day(self) -> list[int]:
        """The sum of each of the zone's days."""
        places = [quarter - self._first for quarter in self.period.midnights]
        return [sum(self._numbers[a:b]) for a, b in pairwise(places)]

    def by_hour(self) -> list[int]:
        """The sums of the 24 hours on the zone's clock, whatever day it was."""
        return self._by_hour_of(1)

    def by_hour_of_week(self) -> list[int]:
        """The sums of 168 hours, from the first one of Mondays on."""
        return self._by_hour_of(7)

    def _by_hour_of(self, days: int) -> list[int]:
        """The sums of the hours of so many days, which come again and again."""
        sums, again = [0] * (HOURS * days), OF_A_DAY * days
        for day, first, end in self.period.stretches():
            midnight = HOURS * (day.weekday() % days)
            numbers = self._numbers[first - self._first : end - self._first]
            if len(numbers) % OF_A_DAY:
                for quarter, value in enumerate(numbers, first):
                    sums[midnight + self.period.hour_of(quarter)] += value
                continue
            for place in range(min(again, len(numbers))):
                hour = (midnight + place // OF_AN_HOUR) % len(sums)
                sums[hour] += sum(numbers[place::again])
        return sums
