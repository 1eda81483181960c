"""The bars of a chart: hours, days, weeks or months, as many as can be told apart."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from django.utils.formats import date_format

from analytics.figures import Question
from analytics.periods import DAY
from analytics.timeline import Timeline

MOST_BARS_OF_DAYS = 92
MOST_BARS_OF_WEEKS = 731


@dataclass(frozen=True)
class Step:
    """A bar's place among the days (or hours) of the period."""

    words: str
    place: slice
    filters: dict[str, Any]


def numbers(unit: str, line: Timeline | None, question: Question) -> list[int]:
    line = line or Timeline(question.period)
    return line.by_hour() if unit == "hour" else line.by_day()


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
