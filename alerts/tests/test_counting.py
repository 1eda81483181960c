"""Every metric against plain Python over the rows."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from agents.hours import is_open
from alerts.counting import Figures
from alerts.models import Alert
from alerts.tests.calls import MINUTE, make_alert
from analytics import rollup
from analytics.tests.histories import (
    Home,
    costs_of,
    counted,
    moments,
    random_call,
    random_text,
    times,
    utc,
)
from telephony.models import Call, Message, Turn

pytestmark = pytest.mark.django_db

AROUND = utc("2026-02-27")
HOURS = {
    "timezone": "America/Los_Angeles",
    "days": {
        "fri": [["09:00", "12:10"], ["13:05", "17:00"]],
        "mon": [["20:00", "24:00"]],
    },
}


@pytest.fixture
def home(alice, mallory):
    """Alice's, and a neighbour whose calls are nobody else's."""
    chance = random.Random("alerts")
    home, other = Home(alice.workspace), Home(mallory.workspace, "+1415555015")
    for number, at in zip(range(60), moments(AROUND, 8, chance), strict=False):
        whose = home if number % 6 else other
        random_call(whose, at, chance)
        random_text(whose, at, chance)
    rollup.fold()
    return home


def window(alert, at):
    """When it began: on a quarter of an hour."""
    quarter = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    return quarter - alert.window_minutes * MINUTE


def of_alert(alert, calls):
    return [
        call
        for call in calls
        if alert.agent_id in (None, call.agent_id)
        and alert.direction in ("", call.direction)
    ]


def told(alert, at):
    """What plain Python makes of the rows: the value, and how many calls."""
    since = window(alert, at)
    rows = Call.unscoped.filter(owner=alert.owner, started_at__gte=since)
    end = since + (alert.window_minutes + 15) * MINUTE
    calls = of_alert(alert, filter(counted, rows.filter(started_at__lt=end)))
    if alert.metric == "spend":
        texts = Message.unscoped.filter(
            owner=alert.owner, created_at__gte=since, created_at__lt=end
        )
        if alert.direction:
            texts = texts.filter(direction=alert.direction)
        spent = sum(
            amount
            for call in calls
            for (_part, currency), amount in costs_of(call).items()
            if currency == alert.currency
        )
        if not alert.agent_id:
            known = texts.filter(currency=alert.currency, cost__isnull=False)
            spent += sum(text.cost for text in known)
        return spent, len(calls)
    if alert.metric == "reply_p95":
        turns = Turn.unscoped.filter(call__in=calls, reply_ms__isnull=False)
        return times(list(turns.values_list("reply_ms", flat=True)))["p95"], len(calls)
    if not calls:
        return None, 0
    part = [
        call
        for call in calls
        if (
            call.answered_at
            if alert.metric == "answer_rate"
            else call.status == "failed"
        )
    ]
    return Decimal(100 * len(part)) / len(calls), len(calls)


def test_figures_of_a_window_are_what_plain_python_counts(home):
    chance, seen = random.Random("windows"), set()
    for metric in 12 * ("answer_rate", "failure_rate", "reply_p95", "spend"):
        alert = Alert(
            owner=home.owner,
            metric=metric,
            threshold=Decimal(50),
            currency="USD",
            window_minutes=chance.choice([15, 60, 1_440, 4_320, 10_080]),
            agent=chance.choice([None, None, *home.agents]),
            direction=chance.choice(["", "", "incoming", "outgoing"]),
        )
        at = AROUND + timedelta(seconds=chance.randrange(9 * 86_400))
        value, calls = told(alert, at)

        reading = Figures(home.owner, at).of(alert)

        assert reading.calls == calls
        assert reading.value == (None if value is None else round(Decimal(value), 6))
        seen.add((metric, value))
    assert len(seen) > 12


def test_silence_is_told_by_the_minutes_that_are_open(home):
    chance, seen = random.Random("silence"), []
    for _ in range(25):
        alert = Alert(
            owner=home.owner,
            metric="no_calls",
            window_minutes=chance.choice([15, 60, 240]),
            agent=chance.choice([None, *home.agents]),
            working_hours=chance.choice([HOURS, {}]),
        )
        at = AROUND + timedelta(seconds=chance.randrange(8 * 86_400) // 60 * 60)
        since = at
        left = alert.window_minutes
        while left:
            since -= MINUTE
            left -= is_open(alert.working_hours, since)
        rows = Call.unscoped.filter(
            owner=home.owner, is_test=False, started_at__gte=since, started_at__lte=at
        )
        if of_alert(alert, rows):
            bad = False
        else:
            bad = True if is_open(alert.working_hours, at) else None

        assert Figures(home.owner, at).of(alert).is_bad is bad
        seen.append(bad)
    assert set(seen) == {True, False, None}


def test_alerts_of_one_window_are_told_in_one_statement(
    home, django_assert_num_queries
):
    alerts = [
        make_alert(home.owner, metric=metric, window_minutes=60)
        for metric in ("answer_rate", "failure_rate", "reply_p95")
    ]

    with django_assert_num_queries(1):
        figures = Figures(home.owner, AROUND)
        for alert in alerts:
            figures.of(alert)
