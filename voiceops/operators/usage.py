"""What a workspace uses, from what was counted: never from the rows."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from accounts.models import Workspace
from analytics import figures
from analytics.figures import Question
from analytics.models import Bucket, Series
from analytics.periods import DAY, Period
from analytics.tallies import Tally, merged
from telephony.services import budgets


@dataclass(frozen=True)
class Usage:
    """Of one month on the workspace's clock."""

    first: date
    calls: Tally
    texts: Tally
    spent: list[tuple[str, Decimal]]  # by currency

    @property
    def minutes(self) -> int:
        return round(self.calls.get("talk_s", 0) / 60)


def of_months(owner: Workspace, at: datetime) -> list[Usage]:
    """The month that goes on, and the one before it."""
    first, after = budgets.month_of(owner, at)
    before = (first - timedelta(days=1)).replace(day=1)
    return [_of(owner, first, after), _of(owner, before, first)]


def _of(owner: Workspace, first: date, after: date) -> Usage:
    question = Question(owner, Period(first, after - DAY, owner.timezone))
    calls, texts = (
        figures.sums(question, series).get(None, {})
        for series in (Series.CALLS, Series.TEXTS)
    )
    costs = merged(tally.get("cost", {}) for tally in (calls, texts))
    return Usage(first, calls, texts, figures.amounts(costs))


def kept(owner: Workspace) -> dict[str, int]:
    """How many calls and texts there are of all its time."""
    months = Bucket.objects.for_owner(owner).filter(
        span=Bucket.Span.MONTH, is_total=True
    )
    found = {series.value: 0 for series in Series}
    for series, sums in months.values_list("series", "sums"):
        found[series] += sum(of_one.get("total", 0) for of_one in sums.values())
    return found
