"""Numbers by quarter of an hour, added up by the days and hours of a zone."""

from array import array
from datetime import date
from operator import add

from analytics.periods import Period, quarter_at
from analytics.quarters import OF_A_DAY, Column

HOURS = 24
OF_AN_HOUR = 4
OF_A_WEEK = 7 * OF_A_DAY


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
        self._numbers[place] = array("q", more)
        self._filled.add(day)

    def by_day(self) -> list[int]:
        """The sum of each of the zone's days."""
        places = [quarter - self._first for quarter in self.period.midnights]
        pairs = zip(places, places[1:], strict=False)
        return [sum(self._numbers[first:end]) for first, end in pairs]

    def by_hour_of_week(self) -> list[list[int]]:
        """The sums of the hours on the zone's clock, by weekday from Monday on."""
        sums = [[0] * HOURS for _ in range(7)]
        for day, first, end in self.period.stretches():
            if (end - first) % OF_A_DAY:
                for quarter in range(first, end):
                    hour = self.period.hour_of(quarter)
                    sums[day.weekday()][hour] += self._numbers[quarter - self._first]
                continue
            numbers = self._numbers[first - self._first : end - self._first]
            for place in range(min(OF_A_WEEK, len(numbers))):
                weekday = (day.weekday() + place // OF_A_DAY) % 7
                hour = place % OF_A_DAY // OF_AN_HOUR
                sums[weekday][hour] += sum(numbers[place::OF_A_WEEK])
        return sums

    def by_hour(self) -> list[int]:
        """The sums of the hours on the zone's clock, whatever day it was."""
        return [sum(hours) for hours in zip(*self.by_hour_of_week(), strict=True)]
