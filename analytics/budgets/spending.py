"""What the month has cost by now, for the budget; from what was counted."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts.models import Workspace
from analytics import figures
from analytics.figures import Question
from analytics.models import Series
from analytics.periods import DAY, Period
from analytics.tallies import merged
from telephony.models import Budget
from telephony.services import budgets


def spent_in(owner: Workspace, month: tuple[date, date]) -> Mapping[str, Decimal]:
    """By currency, from the first day of a month to before that of the next one."""
    first, after = month
    question = Question(owner, Period(first, after - DAY, owner.timezone))
    costs = merged(
        figures.sums(question, series).get(None, {}).get("cost", {})
        for series in Series
    )
    return dict(figures.amounts(costs))


def note(owner_id: UUID, at: datetime) -> None:
    """Tell the workspace's budget, if there is one. The workspace is locked."""
    budget = Budget.unscoped.select_related("owner").filter(owner=owner_id).first()
    if budget is not None:
        spent = spent_in(budget.owner, budgets.month_of(budget.owner, at))
        budgets.note_spent(budget, spent.get(budget.currency, Decimal(0)), at)


def keep(owner: Workspace, *, at: datetime, **terms) -> Budget:
    """Store a budget and hold it against what is spent already."""
    with transaction.atomic():
        budget = budgets.save(owner, **terms)
        note(owner.pk, at)
    return budget
