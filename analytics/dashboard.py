"""What the dashboard shows of the figures: tiles, charts and tables.

Everything is read from what was counted (`analytics.figures`), in as many statements
for a year of many calls as for a day of none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from agents.outcomes import Outcome
from analytics import bars, figures
from analytics.bars import Chart, Kind, numbers
from analytics.drilldown import calls_of_agent_url, calls_url
from analytics.figures import Question
from analytics.models import Series
from analytics.tallies import Tally, merged
from analytics.timeline import Timeline
from telephony.models import Call

MOST_AGENTS = 20  # in the table; the file has all of them
TREND_DAYS = 30
NOT_ANALYZED = "none"
HEAT_LEVELS = 5


# -- Tiles -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Headline:
    """The figures of a period that the tiles tell."""

    calls: int
    answered: int
    talk_s: int
    p50: int | None
    p95: int | None
    spend: list[tuple[str, Decimal]]
    texts: int | None  # None: not told by voice agent

    @property
    def answered_percent(self) -> float | None:
        return 100 * self.answered / self.calls if self.calls else None

    @property
    def spent(self) -> Decimal | None:
        """None where several currencies have no sum."""
        if len(self.spend) > 1:
            return None
        return self.spend[0][1] if self.spend else Decimal(0)

    @property
    def currency(self) -> str:
        return self.spend[0][0] if self.spend else ""


def sums(question: Question, series: Series) -> Tally:
    return figures.sums(question, series, with_facts=True).get(None, {})


def headline(question: Question, calls: Tally) -> Headline:
    texts = None if question.agent_id else sums(question, Series.TEXTS)
    costs = merged([calls.get("cost", {}), (texts or {}).get("cost", {})])
    replies = figures.reply_times(calls)
    return Headline(
        calls=calls.get("total", 0),
        answered=calls.get("answered", 0),
        talk_s=calls.get("talk_s", 0),
        p50=replies["p50"],
        p95=replies["p95"],
        spend=figures.amounts(costs),
        texts=None if texts is None else texts.get("total", 0),
    )


@dataclass(frozen=True)
class Change:
    """What became of a figure since the period it is compared with."""

    text: str = ""
    kind: str = "neutral"


def changes(now: Headline, before: Headline | None) -> dict[str, Change]:
    """By the names of the tiles; without words where there is nothing to compare."""
    if before is None:
        return {}
    found = {
        "calls": change_of(now.calls, before.calls),
        "answered": _points(now.answered_percent, before.answered_percent),
        "talk": change_of(now.talk_s, before.talk_s),
        "reply": change_of(now.p50, before.p50, less_is_better=True),
        "texts": change_of(now.texts, before.texts),
    }
    if now.currency == before.currency:
        found["spend"] = change_of(now.spent, before.spent)
    return found


def change_of(now, before, *, less_is_better: bool | None = None) -> Change:
    if now is None or not before:
        return Change()
    percent = 100 * (float(now) - float(before)) / float(before)
    kind = _kind(percent if less_is_better is None else -percent)
    return Change(f"{_signed(percent)} %", kind if less_is_better else "neutral")


def _points(now: float | None, before: float | None) -> Change:
    if now is None or before is None:
        return Change()
    points = _("%(points)s points") % {"points": _signed(now - before)}
    return Change(points, _kind(now - before))


def _kind(better: float) -> str:
    if abs(better) < 0.05:
        return "neutral"
    return "good" if better > 0 else "bad"


def _signed(number: float) -> str:
    sign = "+" if number >= 0.05 else "−" if number <= -0.05 else "±"
    return sign + number_format(abs(number), 1, force_grouping=True)


# -- Calls by outcome over time --------------------------------------------------------


def chart(
    question: Question,
    compared: Question | None,
    lines: dict[str, Timeline],
    of_days: Callable[[date, date], str],
) -> Chart:
    totals = numbers(lines.get("total"), question)
    outcomes = {
        name.partition(".")[2]: numbers(line, question)
        for name, line in lines.items()
        if name.startswith("outcomes.")
    }
    analyzed = [sum(column) for column in zip(*outcomes.values(), strict=True)]
    outcomes[NOT_ANALYZED] = [
        total - known
        for total, known in zip(totals, analyzed or [0] * len(totals), strict=True)
    ]
    ordered = [
        key for key in (*Outcome.values, NOT_ANALYZED) if any(outcomes.get(key, ()))
    ]
    return bars.chart(
        question,
        _outcome_kinds(question, {key: sum(outcomes[key]) for key in ordered}),
        [outcomes[key] for key in ordered],
        calls=totals,
        before=_before(compared) if compared else None,
        of_days=of_days,
    )


def _outcome_kinds(question: Question, found: dict[str, int]) -> list[Kind]:
    total = sum(found.values())
    return [
        Kind(
            key,
            str(_("Not analyzed") if key == NOT_ANALYZED else Outcome(key).label),
            found[key],
            100 * found[key] / total,
            calls_url(question, outcome=key),
        )
        for key in found
    ]


def _before(compared: Question) -> list[int]:
    return numbers(figures.timelines(compared, "total")["total"], compared)


# -- Hours of the week -----------------------------------------------------------------


@dataclass(frozen=True)
class Hour:
    hour: int
    calls: int
    level: int  # 0: none, 5: as many as in the busiest
    url: str

    @property
    def thousands(self) -> int:
        return round(self.calls / 1000)


@dataclass(frozen=True)
class Weekday:
    words: str
    hours: list[Hour]


def week(question: Question, lines: dict[str, Timeline]) -> list[Weekday]:
    """The calls of each hour of each day of the week, Monday first."""
    line = lines.get("total") or Timeline(question.period)
    hours = line.by_hour_of_week()
    most = max(hours)
    return [
        Weekday(
            weekday_words(number),
            [
                Hour(
                    hour,
                    calls,
                    -(-HEAT_LEVELS * calls // most) if calls else 0,
                    calls_url(question, weekday=number, hour=hour),
                )
                for hour, calls in enumerate(hours[24 * (number - 1) : 24 * number])
            ],
        )
        for number in range(1, 8)
    ]


def weekday_words(number: int) -> str:
    """Of the ISO number of a day of the week."""
    return date_format(date(2024, 1, number), "D")  # that year began with a Monday


# -- How calls ended, and whose they were ----------------------------------------------


def reasons(question: Question, calls: Tally) -> list[Kind]:
    """Why they ended, the most frequent first."""
    found = calls.get("reasons", {})
    labels = dict(Call.EndReason.choices)
    return [
        Kind(
            key,
            str(labels.get(key, key)),
            found[key],
            100 * found[key] / calls["total"],
            calls_url(question, reason=key),
        )
        for key in sorted(found, key=lambda key: (-found[key], key))
    ]


@dataclass(frozen=True)
class Trend:
    """The calls of each day of a stretch of them, for a line without a scale."""

    days: list[int]

    @property
    def most(self) -> int:
        return max(self.days, default=0)

    @property
    def points(self) -> str:
        """In a box of 100 by 24, the way SVG wants it."""
        most, last = self.most or 1, max(len(self.days) - 1, 1)
        return " ".join(
            f"{100 * place / last:.1f},{23 - 22 * calls / most:.1f}"
            for place, calls in enumerate(self.days)
        )


@dataclass(frozen=True)
class AgentRow:
    agent: Any  # None: no agent took them
    calls: int
    answered: int
    talk_s: int
    spend: list[tuple[str, Decimal]]
    last_at: datetime | None
    replies: dict[str, Any]
    url: str
    alone: str  # this page for the agent alone
    trend: Trend

    @property
    def answered_percent(self) -> float | None:
        return 100 * self.answered / self.calls if self.calls else None

    @property
    def average_s(self) -> int | None:
        return round(self.talk_s / self.answered) if self.answered else None


@dataclass(frozen=True)
class Agents:
    rows: list[AgentRow]
    hidden: int  # how many have no row
    trend_days: int


def agents(
    question: Question, known: dict[UUID, Any], of_agent: Callable[[UUID], str]
) -> Agents:
    """Those with the most calls; those who are no more where they had calls then."""
    found = figures.sums(question, Series.CALLS, by="agent")
    wanted: list[UUID | None] = [
        pk for pk, agent in known.items() if pk in found or not agent.is_deleted
    ]
    if question.agent_id:
        wanted = [question.agent_id]
    elif None in found:
        wanted.append(None)
    totals = {pk: found.get(pk, {}).get("total", 0) for pk in wanted}
    shown = sorted(wanted, key=lambda pk: (-totals[pk], pk is None))[:MOST_AGENTS]
    recent = question.of_last_days(TREND_DAYS)
    named = [pk for pk in shown if pk]
    trends = figures.by_day_of_agents(recent, named)
    replies = figures.replies_of_agents(question, named)
    rows = [
        _agent_row(
            known.get(pk),
            found.get(pk, {}),
            url=calls_of_agent_url(question, pk),
            alone=of_agent(pk) if pk else "",
            trend=Trend(trends.get(pk, [])),
            replies=replies.get(pk, {}),
        )
        for pk in shown
    ]
    return Agents(rows, len(wanted) - len(shown), len(recent.period.days))


def _agent_row(agent, tally: Tally, **more: Any) -> AgentRow:
    return AgentRow(
        agent=agent,
        calls=tally.get("total", 0),
        answered=tally.get("answered", 0),
        talk_s=tally.get("talk_s", 0),
        spend=figures.amounts(tally.get("cost", {})),
        last_at=parse_datetime(tally["last"]) if tally.get("last") else None,
        **more,
    )


# -- One agent, one number -------------------------------------------------------------


def trend(question: Question) -> Trend:
    return Trend(figures.timelines(question, "total")["total"].by_day())


def versions(calls: Tally) -> list[dict[str, Any]]:
    """How calls went by version of the prompt, the newest first."""
    found, replies = calls.get("versions", {}), calls.get("replies", {})
    return [
        {
            "name": name,
            "calls": found[name]["total"],
            "answered": found[name].get("answered", 0),
            "average": _average_costs(found[name]),
            **figures.times_of(replies.get(name, {})),
        }
        for name in sorted(found, key=lambda name: -int(name or 0))
    ]


def _average_costs(tally: Tally) -> list[tuple[str, Decimal]]:
    """In each currency, of an answered call."""
    answered = tally.get("answered", 0)
    costs = figures.amounts(tally.get("cost", {})) if answered else []
    return [(currency, amount / answered) for currency, amount in costs]
