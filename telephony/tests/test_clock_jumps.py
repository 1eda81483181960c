"""Dialling when the machine's clock jumps: nobody rings twice or at a wrong time."""

import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils.timezone import now

from telephony import tasks
from telephony.models import DialledDay, ScheduledCall
from telephony.services import due_calls
from telephony.tests.outgoing import (
    CALLEE,
    allow_always,
    calls_at,
    make_placing_number,
)

pytestmark = pytest.mark.django_db(transaction=True)
Status = ScheduledCall.Status
NOON = datetime(2030, 1, 7, 20, tzinfo=UTC)  # in Los Angeles, where it rings
HOUR = timedelta(hours=1)


@contextmanager
def clock_at(at):
    """The wall clock; what waits by the processor's own clock goes on."""
    with time_machine.travel(at, tick=True):
        yield


@pytest.fixture
def bell(monkeypatch):
    batches = []
    monkeypatch.setattr(tasks.dial_batch, "delay", batches.append)
    return batches


@pytest.fixture
def number(carrier, settings, db):
    """Its calls are placed, and no callback ever finds us."""
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    return make_placing_number(carrier)


def ring(bell):
    due_calls.tick(now())
    while bell:
        due_calls.dial_batch(uuid.UUID(bell.pop(0)))


def schedule(number, at, **fields):
    return ScheduledCall.unscoped.create(
        owner=number.phone.owner,
        agent=number.agent,
        to_number=CALLEE,
        scheduled_for=at,
        due_at=at,
        next_attempt_at=at,
        **fields,
    )


def state(row):
    row.refresh_from_db()
    return row.status


def test_clock_that_jumps_forward_by_hours_lets_calls_expire(number, bell, carrier):
    row = schedule(number, NOON + timedelta(minutes=10))
    with clock_at(NOON):
        ring(bell)
        assert state(row) == Status.PENDING

    with clock_at(NOON + 6 * HOUR):
        ring(bell)

    assert (state(row), calls_at(carrier, number)) == (Status.EXPIRED, [])


def test_clock_that_jumps_forward_a_little_dials_once(number, bell, carrier):
    row = schedule(number, NOON + timedelta(minutes=10))

    with clock_at(NOON + HOUR):
        ring(bell)
    with clock_at(NOON):  # and back again
        ring(bell)
    with clock_at(NOON + HOUR):
        ring(bell)

    assert state(row) == Status.DIALING
    assert len(calls_at(carrier, number)) == 1


def test_clock_that_jumps_back_makes_calls_wait(number, bell, carrier):
    row = schedule(number, NOON)

    with clock_at(NOON - HOUR):
        ring(bell)
        assert (state(row), calls_at(carrier, number)) == (Status.PENDING, [])
    with clock_at(NOON + timedelta(seconds=1)):
        ring(bell)

    assert len(calls_at(carrier, number)) == 1


def test_lease_of_a_dead_worker_ends_after_the_clock_jumped_back(number, bell, carrier):
    row = schedule(number, NOON - HOUR, max_late_s=24 * 3600)
    with clock_at(NOON + 5 * HOUR):
        due_calls.tick(now())
        bell.clear()  # whoever was to dial it is dead
    assert state(row) == Status.DIALING

    with clock_at(NOON):
        ring(bell)

    assert len(calls_at(carrier, number)) == 1


def test_lease_of_a_clock_that_is_a_little_ahead_is_respected(number, bell, carrier):
    row = schedule(number, NOON - HOUR)
    with clock_at(NOON + timedelta(seconds=30)):
        due_calls.tick(now())
    lease = bell.pop()

    with clock_at(NOON):
        due_calls.tick(now())

    assert (state(row), bell, bool(lease)) == (Status.DIALING, [], True)


def test_clock_that_jumps_over_midnight_and_back_keeps_the_cap_of_each_day(
    number, bell, carrier
):
    allow_always(number.phone.owner, calls_a_day=1)
    rows = [schedule(number, NOON - HOUR, max_late_s=24 * 3600) for _ in range(3)]
    tomorrow = NOON + 5 * HOUR  # 1:00 by the workspace's clock, which is UTC's

    for at in (NOON, tomorrow, NOON, tomorrow):
        with clock_at(at):
            ScheduledCall.unscoped.filter(status=Status.PENDING).update(
                next_attempt_at=NOON - HOUR
            )
            ring(bell)

    counts = DialledDay.unscoped.order_by("day").values_list("calls", flat=True)
    assert list(counts) == [1, 1]
    assert len(calls_at(carrier, number)) == 2
    assert sorted(map(state, rows)) == [Status.DIALING, Status.DIALING, Status.PENDING]


@pytest.mark.parametrize(
    ("meant", "opens"),
    [
        # 7:30 on the morning on which clocks are put on: 8:00 is at 15:00 UTC.
        (datetime(2030, 3, 10, 14, 30, tzinfo=UTC), datetime(2030, 3, 10, 15)),
        # 7:30 on the morning on which they are put back: 8:00 is at 16:00 UTC.
        (datetime(2030, 11, 3, 15, 30, tzinfo=UTC), datetime(2030, 11, 3, 16)),
    ],
)
def test_early_call_waits_for_eight_on_the_changed_wall(meant, opens, number, bell):
    eight = {"window_start": "08:00", "window_end": "21:00"}
    allow_always(number.phone.owner, **eight)
    row = schedule(number, meant)

    with clock_at(meant):
        ring(bell)

    row.refresh_from_db()
    assert row.next_attempt_at == opens.replace(tzinfo=UTC)
    assert row.status == Status.PENDING
