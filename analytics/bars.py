"""Charts of bars: hours, days, weeks or months, as many as can be told apart."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from django.utils.formats import date_format

from analytics.drilldown import calls_url
from analytics.figures import Question
from analytics.periods import DAY
from analytics.timeline import Timeline

MOST_BARS_OF_DAYS = 92
MOST_BARS_OF_WEEKS = 731


@dataclass(frozen=True)
class Kind:
    """One of the kinds that bars are made of, as the legend tells it."""

    key: str
    words: str
    amount: Any  # of calls, or of money
    percent: float
    url: str = ""  # of its calls


@dataclass(frozen=True)
class Bar:
    """What there was in an hour, a day, a week or a month."""

    words: str
    parts: list[Any]  # of each kind
    calls: int
    before: int | None  # calls, of the time that is compared with
    url: str  # of these calls
    narrower: str  # of these days on this page; "" for hours

    @property
    def amount(self) -> Any:
        return sum(self.parts)


@dataclass(frozen=True)
class Chart:
    unit: str  # "hour", "day", "week", "month"
    kinds: list[Kind]
    bars: list[Bar]


@dataclass(frozen=True)
class Step:
    """A bar's place among the days (or hours) of the period."""

    words: str
    place: slice
    filters: dict[str, Any]


def numbers(line: Timeline | None, question: Question) -> list[int]:
    """By the day; of one day by the hour."""
    line = line or Timeline(question.period)
    return line.by_hour() if len(question.period.days) == 1 else line.by_day()


def steps(days: list[date]) -> tuple[str, list[Step]]:
    """As many bars as can be told apart, and what they are."""
    if len(days) == 1:
        hours = [
            Step(f"{hour:02}:00", slice(hour, hour + 1), {"hour": hour})
            for hour in range(24)
        ]
        return "hour", hours
    if len(days) <= MOST_BARS_OF_DAYS:
        return "day", _runs(days, lambda day: day, "j M")
    if len(days) <= MOST_BARS_OF_WEEKS:
        return "week", _runs(days, lambda day: day - DAY * day.weekday(), "j M Y")
    return "month", _runs(days, lambda day: (day.year, day.month), "M Y")


def _runs(days: list[date], run_of: Callable[[date], Any], form: str) -> list[Step]:
    steps = []
    for _run, numbered in groupby(enumerate(days), key=lambda one: run_of(one[1])):
        places, run = zip(*numbered, strict=True)
        place = slice(places[0], places[-1] + 1)
        ends = {"from": run[0], "to": run[-1]}
        steps.append(Step(date_format(run[0], form), place, ends))
    return steps


def chart(
    question: Question,
    kinds: list[Kind],
    parts: list[list[int]],
    *,
    calls: list[int],
    before: list[int] | None = None,
    of_days: Callable[[date, date], str],
    told: Callable[[int], Any] = int,
) -> Chart:
    """The numbers of each kind, of calls and of those before, by step; `told` makes of
    a sum what is shown.
    """
    unit, found = steps(question.period.days)
    bars = [
        Bar(
            words=step.words,
            parts=[told(sum(of_kind[step.place])) for of_kind in parts],
            calls=sum(calls[step.place]),
            before=None if before is None else sum(before[step.place]),
            url=calls_url(question, **step.filters),
            narrower="" if unit == "hour" else of_days(*step.filters.values()),
        )
        for step in found
    ]
    return Chart(unit, kinds, bars)
