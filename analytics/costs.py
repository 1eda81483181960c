"""What was spent, by part, day, agent and number.

Read from what was counted, in whole millionths; several currencies are never added.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from analytics import bars, figures
from analytics.bars import Chart, Kind
from analytics.drilldown import calls_of_agent_url, calls_url
from analytics.figures import By, Question
from analytics.models import Series
from analytics.tallies import MILLIONTHS, OTHER_PART, Tally
from analytics.timeline import Timeline

OF_TEXTS = "texts_"
MOST_ROWS = 20  # of agents or numbers on the page; the file has all of them
MICRO = Decimal("0.000001")


class Part(TextChoices):
    CARRIER = "carrier", _("Calls: carrier")
    MODEL = "model", _("Calls: conversation")
    ANALYSIS = "analysis", _("Calls: analysis")
    OTHER = "other", _("Calls: not told by part")
    TEXTS_CARRIER = "texts_carrier", _("Texts: carrier")
    TEXTS_MODEL = "texts_model", _("Texts: answers")


@dataclass(frozen=True)
class Spent:
    """What was spent in one currency, and what for."""

    currency: str
    parts: dict[str, int]  # millionths
    calls: int
    answered: int
    talk_s: int
    texts: int

    def of(self, part: str) -> Decimal:
        return money(self.parts.get(part, 0))

    @property
    def amount(self) -> Decimal:
        return money(sum(self.parts.values()))

    @property
    def of_calls(self) -> Decimal:
        return self.amount - self.of_texts

    @property
    def of_texts(self) -> Decimal:
        mine = [part for part in self.parts if part.startswith(OF_TEXTS)]
        return money(sum(self.parts[part] for part in mine))

    @property
    def average_call(self) -> Decimal | None:
        """Of the answered calls."""
        return self._average(self.answered)

    @property
    def average_minute(self) -> Decimal | None:
        """Of a minute that was talked."""
        return self._average(Decimal(self.talk_s) / 60)

    def _average(self, among: int | Decimal) -> Decimal | None:
        if not among:
            return None
        return (self.of_calls / among).quantize(MICRO, ROUND_HALF_EVEN)


def money(millionths: int) -> Decimal:
    return Decimal(millionths) / MILLIONTHS


def spent(calls: Tally, texts: Tally) -> list[Spent]:
    """In each currency, the one with the most first; of tallies without facts the
    calls' parts and the texts' are one each.
    """
    parts: dict[str, dict[str, int]] = defaultdict(dict)
    for prefix, tally in (("", calls), (OF_TEXTS, texts)):
        known = tally.get("spend") or {OTHER_PART: tally.get("cost", {})}
        for part, costs in known.items():
            for currency in [name for name in costs if costs[name]]:
                parts[currency][prefix + part] = costs[currency]
    told = [spent_in(currency, parts[currency], calls, texts) for currency in parts]
    return sorted(told, key=lambda one: (-one.amount, one.currency))


def spent_in(currency: str, parts: dict[str, int], calls: Tally, texts: Tally) -> Spent:
    return Spent(
        currency,
        parts,
        calls=calls.get("total", 0),
        answered=calls.get("answered", 0),
        talk_s=calls.get("talk_s", 0),
        texts=texts.get("total", 0),
    )


def nothing(calls: Tally, texts: Tally, currency: str = "") -> Spent:
    return spent_in(currency, {}, calls, texts)


# -- Of the period, its days, its agents and numbers -----------------------------------


def totals(question: Question) -> tuple[Tally, Tally]:
    """Of the calls and of the texts."""
    calls = figures.sums(question, Series.CALLS, with_facts=True)
    texts = {}
    if not question.agent_id:  # texts have other agents
        texts = figures.sums(question, Series.TEXTS, with_facts=True)
    return calls.get(None, {}), texts.get(None, {})


def by_day(question: Question) -> Iterator[tuple[date, Tally, Tally]]:
    """Each day of the period with its calls and its texts."""
    wanted = ("total", "answered", "talk_s", "spend")
    calls = figures.by_day(question, Series.CALLS, *wanted)
    texts: list[Tally] = [{} for _day in calls]
    if not question.agent_id:
        texts = figures.by_day(question, Series.TEXTS, *wanted)
    for day, of_calls, of_texts in zip(question.period.days, calls, texts, strict=True):
        yield day, _with_parts(of_calls), _with_parts(of_texts)


def _with_parts(tally: Tally) -> Tally:
    return tally | {"spend": figures.nested(tally.get("spend", {}))}


def by_one(
    question: Question, by: By, *, with_parts: bool = False
) -> tuple[dict[UUID | None, Tally], dict[UUID | None, Tally]]:
    """The calls and the texts of each agent or number."""
    calls = _by_one(question, Series.CALLS, by, with_parts)
    if question.agent_id:
        return calls, {}
    return calls, _by_one(question, Series.TEXTS, by, with_parts)


def _by_one(
    question: Question, series: Series, by: By, with_parts: bool
) -> dict[UUID | None, Tally]:
    found = figures.sums(question, series, by=by)
    if with_parts:
        for pk, spend in figures.spend(question, series, by).items():
            found[pk]["spend"] = spend
    return found


# -- The page --------------------------------------------------------------------------


def chart(
    question: Question, currency: str, of_days: Callable[[date, date], str]
) -> Chart:
    """The spend in this currency over time, by part."""
    calls = bars.numbers(figures.timelines(question, "total")["total"], question)
    lines = _lines(question, currency)
    amounts = {part: bars.numbers(lines[part], question) for part in lines}
    shown = [part for part in Part if any(amounts.get(part, ()))]
    return bars.chart(
        question,
        _kinds({part: sum(amounts[part]) for part in shown}),
        [amounts[part] for part in shown],
        calls=calls,
        of_days=of_days,
        told=money,
    )


def _lines(question: Question, currency: str) -> dict[str, Timeline]:
    found = {}
    texts = [] if question.agent_id else [(OF_TEXTS, Series.TEXTS)]
    for prefix, series in [("", Series.CALLS), *texts]:
        lines = figures.timelines_by_kind(question, "spend", series=series)
        for name, line in lines.items():
            _spend, part, its_currency = name.split(".")
            if its_currency == currency:
                found[prefix + part] = line
    return found


def _kinds(amounts: dict[Part, int]) -> list[Kind]:
    total = sum(amounts.values())
    return [
        Kind(part.value, str(part.label), money(amount), 100 * amount / total)
        for part, amount in amounts.items()
    ]


@dataclass(frozen=True)
class Row:
    """An agent or a number, and what was spent for it."""

    row: Any  # None: nobody of ours
    spent: Spent
    url: str  # of its calls; "" where there is no list of them
    alone: str  # its own page, or this one for it alone


@dataclass(frozen=True)
class Rows:
    rows: list[Row]
    hidden: int


def rows(
    question: Question,
    currency: str,
    by: By,
    known: dict[UUID, Any],
    alone: Callable[[Any], str],
) -> Rows:
    """Those with the most spend in this currency."""
    calls, texts = by_one(question, by)
    amounts: dict[UUID | None, int] = defaultdict(int)
    for found in (calls, texts):
        for pk, tally in found.items():
            amounts[pk] += tally.get("cost", {}).get(currency, 0)
    ordered = sorted(filter(amounts.get, amounts), key=lambda pk: -amounts[pk])
    shown = ordered[:MOST_ROWS]
    told = []
    for pk in shown:
        of_calls, of_texts = calls.get(pk, {}), texts.get(pk, {})
        in_each = {one.currency: one for one in spent(of_calls, of_texts)}
        row = known.get(pk) if pk else None
        told.append(
            Row(
                row,
                in_each.get(currency) or nothing(of_calls, of_texts, currency),
                _calls_url(question, by, pk) if of_calls else "",
                alone(row) if row else "",
            )
        )
    return Rows(told, len(ordered) - len(shown))


def _calls_url(question: Question, by: By, pk: UUID | None) -> str:
    """ "" for calls of no number of the workspace: there is no list of them."""
    if by == "agent":
        return calls_of_agent_url(question, pk)
    return calls_url(question, phone=pk) if pk else ""
