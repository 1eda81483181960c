"""Weeks and months of a calendar, named as in addresses: 2026-W48, 2026-11. Pure."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)
DAYS_OF_A_WEEK = 7
# A calendar without end is one through which robots leaf for ever.
FIRST_YEAR, LAST_YEAR = 2000, 2199


@dataclass(frozen=True)
class Week:
    """A week as ISO 8601 has it: from Monday to Sunday."""

    first: date

    @classmethod
    def of(cls, day: date) -> "Week":
        return cls(day - day.weekday() * DAY)

    @classmethod
    def parse(cls, text: str) -> "Week":
        """Raises ValueError unless it is a week such as 2026-W48."""
        found = re.fullmatch(r"(\d{4})-W(\d{2})", text, re.ASCII)
        if found is None:
            raise ValueError(text)
        year, number = map(int, found.groups())
        return cls(_within(date.fromisocalendar(year, number, 1)))

    def __str__(self) -> str:
        year, number, _weekday = self.first.isocalendar()
        return f"{year}-W{number:02}"

    @property
    def number(self) -> int:
        return self.first.isocalendar().week

    @property
    def last(self) -> date:
        return self.first + (DAYS_OF_A_WEEK - 1) * DAY

    @property
    def days(self) -> list[date]:
        return [self.first + number * DAY for number in range(DAYS_OF_A_WEEK)]

    @property
    def earlier(self) -> "Week":
        return Week(self.first - DAYS_OF_A_WEEK * DAY)

    @property
    def later(self) -> "Week":
        return Week(self.first + DAYS_OF_A_WEEK * DAY)


@dataclass(frozen=True)
class Month:
    first: date

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.replace(day=1))

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Raises ValueError unless it is a month such as 2026-11."""
        found = re.fullmatch(r"(\d{4})-(\d{2})", text, re.ASCII)
        if found is None:
            raise ValueError(text)
        year, month = map(int, found.groups())
        return cls(_within(date(year, month, 1)))

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def last(self) -> date:
        return self.later.first - DAY

    @property
    def days(self) -> list[date]:
        """Its days and those of other months that fill its first and last week."""
        begins, ends = Week.of(self.first).first, Week.of(self.last).last
        return [begins + number * DAY for number in range((ends - begins).days + 1)]

    @property
    def earlier(self) -> "Month":
        return Month.of(self.first - DAY)

    @property
    def later(self) -> "Month":
        return Month.of(self.first + 31 * DAY)


Period = Week | Month


def _within(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(day)
    return day
