"""Alerts that most workspaces want: what a new one of each metric begins with."""

from datetime import timedelta
from decimal import Decimal

from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import Workspace
from agents.hours import DAYS
from alerts import words
from alerts.metrics import Metric
from alerts.models import Alert
from analytics import figures
from analytics.figures import Question
from analytics.models import Series
from analytics.periods import Period

USUAL_CURRENCY = "USD"
WORKING_DAY = [["09:00", "17:00"]]
RECENT = timedelta(days=30)


def suggested(metric: str, owner: Workspace) -> Alert:
    """An unsaved alert that makes sense as it is."""
    alert = Alert(owner=owner, metric=metric, **FIELDS[metric])
    alert.name = names()[metric]
    if metric == Metric.SPEND:
        alert.currency = _currency_of(owner)
    if metric == Metric.NO_CALLS:
        alert.working_hours = {
            "timezone": owner.timezone,
            "days": {day: [*WORKING_DAY] for day in DAYS[:5]},
        }
    return alert


def offered(owner: Workspace) -> list[tuple[Alert, str]]:
    """One of each metric, and in words when it would fire."""
    alerts = [suggested(metric, owner) for metric in Metric.values]
    return [(alert, words.condition(alert)) for alert in alerts]


def names() -> dict[str, str]:
    return {
        Metric.ANSWER_RATE: _("Calls are not answered"),
        Metric.FAILURE_RATE: _("Calls fail"),
        Metric.REPLY_P95: _("Replies are slow"),
        Metric.SPEND: _("A day is expensive"),
        Metric.NO_CALLS: _("Nobody calls"),
    }


FIELDS: dict[str, dict] = {
    Metric.ANSWER_RATE: {
        "threshold": Decimal(80),
        "window_minutes": 60,
        "minimum_calls": 10,
        "direction": "incoming",
    },
    Metric.FAILURE_RATE: {
        "threshold": Decimal(10),
        "window_minutes": 60,
        "minimum_calls": 10,
    },
    Metric.REPLY_P95: {
        "threshold": Decimal(3000),
        "window_minutes": 60,
        "minimum_calls": 5,
    },
    Metric.SPEND: {"threshold": Decimal(25), "window_minutes": 1440},
    Metric.NO_CALLS: {"window_minutes": 240, "direction": "incoming"},
}


def _currency_of(owner: Workspace) -> str:
    """That in which most was spent lately."""
    at = now()
    period = Period((at - RECENT).date(), at.date(), owner.timezone)
    calls = figures.sums(Question(owner, period), Series.CALLS).get(None, {})
    spent = figures.amounts(calls.get("cost", {}))
    return spent[0][0] if spent else USUAL_CURRENCY
