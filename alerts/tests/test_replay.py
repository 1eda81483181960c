"""How often an alert would have fired in the last 30 days."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts import replay
from alerts.models import Alert
from alerts.tests.calls import AT, MINUTE, call, calls
from analytics import rollup
from telephony.models import CallCost
from telephony.tests.calls import make_agent, make_turn

pytestmark = pytest.mark.django_db

DAY = 24 * 60


def fired(owner, **fields):
    rollup.fold()
    alert = Alert(owner=owner, **{"threshold": Decimal(20), **fields})
    return replay.times_fired(alert, owner, AT)


def test_each_time_that_a_rate_was_bad_counts(alice, mallory):
    for before in (DAY, 3 * DAY, 40 * DAY):  # the last is too long ago
        calls(alice.workspace, bad=4, before=before)
        calls(alice.workspace, good=9, before=before - 120)
    calls(alice.workspace, bad=3, before=5 * DAY)  # too few
    calls(mallory.workspace, bad=9, before=2 * DAY)

    def times(**fields):
        return fired(alice.workspace, window_minutes=60, minimum_calls=4, **fields)

    assert times(metric="failure_rate") == 2
    assert times(metric="failure_rate", direction="outgoing") == 0
    assert times(metric="failure_rate", agent=make_agent(alice.workspace)) == 0
    assert times(metric="answer_rate", threshold=Decimal(100)) == 0


def test_replies_and_money_slide_through_the_window(alice):
    slow = call(alice.workspace, DAY)
    make_turn(slow, 1, "Hello", reply_ms=9_000)
    for before in (DAY - 120, DAY - 180):
        for number in range(3):
            make_turn(call(alice.workspace, before), number, "Yes", reply_ms=100)
    for before in (5 * DAY, 5 * DAY - 60):
        CallCost.unscoped.create(
            owner=alice.workspace,
            call=call(alice.workspace, before),
            part="carrier",
            amount=Decimal("12.5"),
            currency="USD",
        )
    money = {"metric": "spend", "currency": "USD"}

    assert (
        fired(
            alice.workspace,
            metric="reply_p95",
            threshold=Decimal(800),
            window_minutes=60,
        )
        == 1
    )
    assert fired(alice.workspace, **money, window_minutes=60) == 0
    assert fired(alice.workspace, **money, window_minutes=1440) == 1


def test_silence_is_counted_in_working_hours(alice):
    hours = {"timezone": "UTC", "days": {"tue": [["09:00", "12:00"]]}}
    tuesday = AT.replace(day=3, hour=9, minute=30)
    for weeks in range(5):
        at = (AT - tuesday) + timedelta(weeks=weeks)
        call(alice.workspace, at // MINUTE)

    def times(minutes):
        return fired(
            alice.workspace,
            metric="no_calls",
            window_minutes=minutes,
            working_hours=hours,
        )

    assert times(120) == 5
    assert times(240) == 0
