"""The engine: what is due is dialled once, whoever dies or repeats himself."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from telephony import tasks, twilio
from telephony.models import Call, CarrierAccount, Contact, Phone, ScheduledCall
from telephony.services import (
    asking,
    calls,
    do_not_contact,
    due_calls,
    lost_calls,
    pacing,
    placing,
    scheduled,
)
from telephony.tests.outgoing import (
    BUSY,
    CALLEE,
    allow_always,
    begin_asking,
    calls_at,
    fail,
    make_placing_number,
)
from tests.people import make_operator, make_tenant
from tests.processes import WITHIN_S, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Status, Placement = ScheduledCall.Status, Call.Placement


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(asking, "PAUSES_S", ())


@pytest.fixture
def bell(monkeypatch):
    """The batches that a tick sends to the workers, kept instead."""
    batches = []
    monkeypatch.setattr(tasks.dial_batch, "delay", batches.append)
    return batches


@pytest.fixture
def number(live, carrier):
    return make_placing_number(carrier)


@pytest.fixture
def quiet_number(carrier, settings, db):
    """Its calls are placed, and no callback ever finds us."""
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    return make_placing_number(carrier)


def make_due(number, to=CALLEE, *, late_s=1, **fields):
    """A call whose time has come."""
    at = now() - timedelta(seconds=late_s)
    given = {"scheduled_for": at, "due_at": at, "next_attempt_at": at} | fields
    return ScheduledCall.unscoped.create(
        owner=number.phone.owner, agent=number.agent, to_number=to, **given
    )


def ring(bell, at=None):
    """One tick, and the batches that come of it."""
    due_calls.tick(at or now())
    while bell:
        due_calls.dial_batch(uuid.UUID(bell.pop(0)))


def open_attempt(row):
    """The attempt of a row that this process has leased."""
    lease = {"status": Status.DIALING, "lease_token": uuid.uuid4()}
    ScheduledCall.unscoped.filter(pk=row.pk).update(**lease)
    row.refresh_from_db()
    (attempt,) = placing.open_attempts([(row, None)], now())
    return attempt.call


def state(row):
    row.refresh_from_db()
    return row.status


def attempts(row):
    return list(Call.unscoped.filter(scheduled_call=row).order_by("attempt"))


def wait_for(row, status):
    wait_until(lambda: state(row) == status, WITHIN_S, f"the row is {status}")


# -- The whole way ---------------------------------------------------------------------


def test_due_call_is_dialled_talked_through_and_completed(number, bell, carrier, live):
    row = make_due(number)

    ring(bell)
    wait_for(row, Status.COMPLETED)
    live.wait_until_idle()

    (call,) = attempts(row)
    assert (call.attempt, call.status) == (1, "completed")
    assert row.next_attempt_at is None
    ring(bell)
    assert len(calls_at(carrier, number)) == 1


def test_call_that_nobody_takes_is_tried_again_and_shows_when(number, bell, carrier):
    row = make_due(number, BUSY, max_attempts=2)

    ring(bell)
    wait_for(row, Status.PENDING)
    (first,) = attempts(row)
    assert row.next_attempt_at == first.ended_at + timedelta(minutes=30)
    ring(bell)
    assert len(attempts(row)) == 1  # it is not time yet
    ScheduledCall.unscoped.filter(pk=row.pk).update(next_attempt_at=now(), due_at=now())
    ring(bell)
    wait_for(row, Status.BUSY)

    assert [call.attempt for call in attempts(row)] == [1, 2]
    assert row.next_attempt_at is None
    assert len(calls_at(carrier, number, BUSY)) == 2


def test_what_is_not_due_is_left_alone(quiet_number, bell):
    row = make_due(quiet_number, late_s=-60)

    ring(bell)

    assert (state(row), attempts(row)) == (Status.PENDING, [])


# -- At most once ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["answer-lost", "500-after", "garbled", "close", "500"]
)
def test_lost_answer_is_never_dialled_again_by_itself(
    kind, quiet_number, bell, carrier
):
    row = make_due(quiet_number)
    fail(carrier, quiet_number, kind=kind, method="POST")

    for seconds in range(0, 200, 10):
        at = now() + timedelta(seconds=seconds)
        ring(bell, at)
        lost_calls.look(at)
    due_calls.follow_ended()

    rings = len(calls_at(carrier, quiet_number))
    (call,) = attempts(row)
    was_placed = kind not in ("close", "500")
    assert rings == was_placed
    assert call.placement == (Placement.PLACED if was_placed else Placement.UNKNOWN)
    if not was_placed:
        assert state(row) == Status.UNKNOWN


def test_too_much_at_once_keeps_the_same_attempt(quiet_number, bell, carrier):
    row = make_due(quiet_number)
    fail(carrier, quiet_number, kind="429", method="POST")

    ring(bell)
    assert state(row) == Status.PENDING
    assert [call.placement for call in attempts(row)] == [Placement.OPENED]
    ring(bell, now() + timedelta(seconds=30))

    (call,) = attempts(row)
    assert call.placement == Placement.PLACED
    assert len(calls_at(carrier, quiet_number)) == 1


def test_task_delivered_twice_and_two_bells_ring_once(quiet_number, bell, carrier):
    make_due(quiet_number)

    due_calls.tick(now())
    due_calls.tick(now())
    (token,) = bell
    due_calls.dial_batch(uuid.UUID(token))
    due_calls.dial_batch(uuid.UUID(token))

    assert len(calls_at(carrier, quiet_number)) == 1


def test_worker_that_died_before_dialling_leaves_the_row_to_others(
    quiet_number, bell, carrier
):
    row = make_due(quiet_number)
    due_calls.tick(now())
    (lost_batch,) = bell
    bell.clear()

    ring(bell)
    assert (state(row), attempts(row)) == (Status.DIALING, [])
    ring(bell, now() + timedelta(seconds=61))
    due_calls.dial_batch(uuid.UUID(lost_batch))  # it was not dead, only slow

    assert len(attempts(row)) == 1
    assert len(calls_at(carrier, quiet_number)) == 1


def test_worker_that_died_after_opening_leaves_the_same_attempt(
    quiet_number, bell, carrier, monkeypatch
):
    row = make_due(quiet_number)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(asking.Asking, "_send", lambda *args: 1 / 0)  # it dies here
        ring(bell)
    ring(bell, now() + timedelta(seconds=61))

    (call,) = attempts(row)
    assert call.placement == Placement.PLACED
    assert len(calls_at(carrier, quiet_number)) == 1


def test_worker_that_died_while_asking_is_settled_by_the_carrier(
    quiet_number, bell, carrier, monkeypatch
):
    row = make_due(quiet_number)

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(asking, "_request_of", lambda call: 1 / 0)  # it dies here
        ring(bell)
    for seconds in (61, 100, 160, 220):
        ring(bell, now() + timedelta(seconds=seconds))
        lost_calls.look(now() + timedelta(seconds=seconds))
    due_calls.follow_ended()

    assert state(row) == Status.UNKNOWN
    assert len(attempts(row)) == 1
    assert calls_at(carrier, quiet_number) == []


def test_no_that_came_after_the_lease_was_over_is_no_lost_call(
    quiet_number, bell, carrier
):
    row = make_due(quiet_number)
    call = open_attempt(row)
    ScheduledCall.unscoped.filter(pk=row.pk).update(lease_until=now())
    begin_asking(call)
    late = now() + timedelta(seconds=61)
    lost_calls.look(late)  # it takes longer than any answer
    ring(bell, late)

    assert call.take_back("The carrier cannot be reached.")
    ring(bell, late)

    (call,) = attempts(row)
    assert call.placement == Placement.PLACED
    assert len(calls_at(carrier, quiet_number)) == 1


def test_worker_that_slept_does_not_dial_by_old_rules(quiet_number, carrier):
    call = open_attempt(make_due(quiet_number))
    Call.unscoped.filter(pk=call.pk).update(last_event_at=now() - timedelta(seconds=55))

    asking.place(call.pk)

    assert calls_at(carrier, quiet_number) == []


def test_attempt_whose_decision_grew_old_is_decided_again(
    quiet_number, bell, carrier, monkeypatch
):
    row = make_due(quiet_number)
    take_turns = pacing.take_turns

    def sleep_and_take_turns(*args):
        Call.unscoped.update(last_event_at=now() - timedelta(seconds=55))
        return take_turns(*args)

    with monkeypatch.context() as patch:
        patch.setattr(pacing, "take_turns", sleep_and_take_turns)
        ring(bell)
    assert (state(row), calls_at(carrier, quiet_number)) == (Status.PENDING, [])
    ring(bell, now() + timedelta(seconds=21))

    (call,) = attempts(row)
    assert call.placement == Placement.PLACED


def test_carriers_no_does_not_make_an_old_decision_new(quiet_number):
    row = make_due(quiet_number)
    call = open_attempt(row)
    assert begin_asking(call, now() + timedelta(seconds=30))
    call.take_back("too many")

    assert not begin_asking(call, now() + timedelta(seconds=55))


def test_worker_that_lost_its_lease_changes_nothing(quiet_number, bell, carrier):
    row = make_due(quiet_number)
    due_calls.tick(now())
    slow = ScheduledCall.unscoped.select_related("agent", "owner").get(pk=row.pk)
    bell.clear()
    due_calls.tick(now() + timedelta(seconds=61))

    (attempt,) = placing.open_attempts([(slow, None)], now())
    assert attempt.call is None
    assert not slow.move_held(Status.PENDING, next_attempt_at=now())
    ring(bell)

    assert [call.attempt for call in attempts(row)] == [1]
    assert state(row) == Status.DIALING
    assert len(calls_at(carrier, quiet_number)) == 1


def test_batch_delivered_again_after_the_end_makes_no_other_attempt(
    quiet_number, bell, carrier, monkeypatch
):
    row = make_due(quiet_number)
    due_calls.tick(now())
    (token,) = bell

    def placed_and_over(call):
        sid = "CA" + "1" * 32
        ended = {"status": "busy", "end_reason": "busy", "ended_at": now()}
        placed = {"placement": Placement.PLACED, "sid": sid}
        Call.unscoped.filter(pk=call.pk).update(**ended, **placed)
        due_calls.dial_batch(uuid.UUID(token))
        return lambda: sid

    monkeypatch.setattr(asking, "_request_of", placed_and_over)
    due_calls.dial_batch(uuid.UUID(token))

    assert [call.attempt for call in attempts(row)] == [1]


def test_call_of_which_nobody_knows_the_end_is_not_dialled_again(quiet_number, bell):
    row = make_due(quiet_number)
    ring(bell)
    Call.unscoped.filter(scheduled_call=row).update(
        status="failed", end_reason="never_reported", ended_at=now()
    )

    due_calls.follow_ended()

    assert state(row) == Status.FAILED


def test_call_that_cannot_be_followed_keeps_no_other_waiting(
    quiet_number, bell, monkeypatch
):
    broken, row = make_due(quiet_number, BUSY), make_due(quiet_number)
    ring(bell)
    Call.unscoped.filter(scheduled_call__in=[broken, row]).update(
        status="completed", ended_at=now()
    )
    follow = scheduled.follow
    monkeypatch.setattr(
        scheduled,
        "follow",
        lambda call: 1 / 0 if call.to_number == BUSY else follow(call),
    )

    due_calls.tick(now())

    assert state(row) == Status.COMPLETED


def test_end_that_nobody_passed_on_is_found_by_the_clock(quiet_number, bell):
    row = make_due(quiet_number)
    ring(bell)
    Call.unscoped.filter(scheduled_call=row).update(
        status="no-answer", end_reason="no_answer", ended_at=now()
    )
    assert state(row) == Status.DIALING

    due_calls.follow_ended()

    assert state(row) == Status.PENDING


def test_reason_that_another_process_told_is_the_rows_too(quiet_number, bell):
    row = make_due(quiet_number)
    ring(bell)
    stale, *_ = attempts(row)
    Call.unscoped.get(pk=stale.pk).note_end_reason(Call.EndReason.AGENT_ENDED)

    calls.record_status(stale, status="completed", at=now())

    assert state(row) == Status.COMPLETED
    assert row.detail == "The agent ended the call"


def test_rows_are_claimed_once_by_many_beats(quiet_number, bell):
    rows = [make_due(quiet_number) for _ in range(20)]
    tokens = []

    def beat():
        try:
            token = uuid.uuid4()
            account = quiet_number.account.pk
            tokens.append((token, due_calls.claim(account, 7, token, now())))
        finally:
            connections.close_all()

    beats = [threading.Thread(target=beat) for _ in range(6)]
    for thread in beats:
        thread.start()
    for thread in beats:
        thread.join()

    leased = [
        ScheduledCall.unscoped.filter(lease_token=token).count() for token, _ in tokens
    ]
    assert [count for _, count in tokens] == leased
    assert sum(leased) <= len(rows)
    assert max(leased) == 7


def test_rows_are_claimed_in_one_statement(quiet_number):
    for _ in range(3):
        make_due(quiet_number)

    with CaptureQueriesContext(connection) as told:
        count = due_calls.claim(quiet_number.account.pk, 2, uuid.uuid4(), now())

    ours = [q["sql"] for q in told if "telephony_scheduledcall" in q["sql"]]
    assert (count, len(ours)) == (2, 1)


# -- Rules at the moment of dialling ---------------------------------------------------


def test_number_on_the_list_is_blocked_at_once_and_when_dialled(quiet_number, bell):
    owner = quiet_number.phone.owner
    waiting = make_due(quiet_number, late_s=-3600)
    due = make_due(quiet_number, BUSY)

    do_not_contact.add(owner=owner, number=CALLEE, reason="asked")
    do_not_contact.add(owner=owner, number=BUSY)
    ScheduledCall.unscoped.filter(pk=due.pk).update(
        status=Status.PENDING, next_attempt_at=now()
    )
    ring(bell)

    assert state(waiting) == Status.BLOCKED
    assert state(due) == Status.BLOCKED
    (call,) = attempts(due)
    assert (call.end_reason, call.decision["decided_by"]) == (
        "refused",
        "do_not_contact",
    )


def test_who_has_refused_is_not_dialled(quiet_number, bell, carrier):
    row = make_due(quiet_number)
    Contact.unscoped.create(
        owner=row.owner, number=CALLEE, call_consent="refused"
    )  # by none of our services, which would have blocked the row

    ring(bell)

    (call,) = attempts(row)
    assert state(row) == Status.BLOCKED
    assert (call.end_reason, call.decision["decided_by"]) == ("refused", "consent")
    assert calls_at(carrier, quiet_number) == []


def test_attempt_that_waits_for_a_line_is_blocked_too(quiet_number, bell, carrier):
    row = make_due(quiet_number)
    fail(carrier, quiet_number, kind="429", method="POST")
    ring(bell)

    do_not_contact.add(owner=quiet_number.phone.owner, number=CALLEE)
    ring(bell, now() + timedelta(seconds=30))

    (call,) = attempts(row)
    assert state(row) == Status.BLOCKED
    assert (call.end_reason, call.status) == ("refused", "canceled")
    assert calls_at(carrier, quiet_number) == []


def test_call_that_was_changed_is_not_dialled_as_it_was(quiet_number, bell, carrier):
    row = make_due(quiet_number)
    fail(carrier, quiet_number, kind="429", method="POST")
    ring(bell)

    row.refresh_from_db()
    changes = {"to_number": BUSY, "scheduled_for": now() + timedelta(seconds=20)}
    scheduled.change(row, changes, at=now())
    ring(bell, now() + timedelta(seconds=30))

    assert calls_at(carrier, quiet_number, CALLEE) == []
    assert len(calls_at(carrier, quiet_number, BUSY)) == 1
    assert [call.to_number for call in attempts(row)] == [CALLEE, BUSY]


def test_closed_window_moves_the_attempt_to_its_opening(quiet_number, bell):
    owner = quiet_number.phone.owner
    in_two_hours = (now() + timedelta(hours=2)).replace(second=0, microsecond=0)
    row = make_due(
        quiet_number,
        timezone="UTC",
        window_start=in_two_hours.time(),
        window_end=(in_two_hours + timedelta(hours=1)).time(),
    )
    assert owner is not None

    ring(bell)

    assert state(row) == Status.PENDING
    assert row.next_attempt_at == row.due_at == in_two_hours
    assert "Next time" in row.detail
    assert attempts(row) == []


def test_full_lines_wait_a_moment_and_the_cap_waits_for_the_next_day(
    quiet_number, bell
):
    CarrierAccount.unscoped.filter(pk=quiet_number.account.pk).update(
        max_concurrent_calls=2
    )
    first, second = make_due(quiet_number, late_s=2), make_due(quiet_number)

    ring(bell)

    # They are dialled side by side: either may have taken the line.
    first, second = sorted((first, second), key=state)
    assert (first.status, second.status) == (Status.DIALING, Status.PENDING)
    wait = second.next_attempt_at - now()
    assert timedelta(0) < wait < timedelta(seconds=30)
    allow_always(quiet_number.phone.owner, calls_a_day=1)
    ring(bell, now() + timedelta(seconds=30))
    assert second.status == Status.PENDING
    assert state(second) == Status.PENDING
    assert (second.next_attempt_at.hour, second.next_attempt_at.minute) == (0, 0)


def test_attempt_that_waits_keeps_no_line_from_the_others(quiet_number, bell, carrier):
    CarrierAccount.unscoped.filter(pk=quiet_number.account.pk).update(
        max_concurrent_calls=2  # one for calls out
    )
    first = make_due(quiet_number)
    fail(carrier, quiet_number, kind="429", method="POST")
    ring(bell)
    second = make_due(quiet_number, BUSY)

    ring(bell)
    ring(bell, now() + timedelta(seconds=21))

    assert len(calls_at(carrier, quiet_number, BUSY)) == 1
    assert state(second) == Status.DIALING
    assert state(first) == Status.PENDING  # it has an attempt, and now no line
    assert "lines" in first.detail
    assert calls_at(carrier, quiet_number) == []


@pytest.fixture
def put_off(quiet_number, bell, carrier):
    """A row whose attempt the carrier throttled; another call has the line by now, so
    the next look puts it off.
    """
    CarrierAccount.unscoped.filter(pk=quiet_number.account.pk).update(
        max_concurrent_calls=2  # one for calls out
    )
    row = make_due(quiet_number)
    fail(carrier, quiet_number, kind="429", method="POST")
    ring(bell)
    make_due(quiet_number, BUSY)
    ring(bell)
    return row


def test_attempt_that_is_put_off_is_not_taken_for_the_end(put_off, bell, monkeypatch):
    """Not even by a tick elsewhere that looks between the attempt's end and the row."""
    row = put_off
    defer = due_calls._defer

    def defer_while_others_look(*arguments):
        elsewhere(due_calls.follow_ended)
        defer(*arguments)

    monkeypatch.setattr(due_calls, "_defer", defer_while_others_look)
    ring(bell, now() + timedelta(seconds=21))

    (call,) = attempts(row)
    assert (call.status, call.end_reason) == ("canceled", "not_placed")
    assert state(row) == Status.PENDING
    assert "lines" in row.detail


def test_row_that_is_claimed_after_it_was_put_off_has_not_ended(put_off, bell):
    row = put_off
    ring(bell, now() + timedelta(seconds=21))
    assert attempts(row)[0].has_ended

    later = now() + timedelta(seconds=42)
    due_calls.tick(later)  # its batch waits for a worker, which dies
    due_calls.tick(later)
    claimed = state(row)
    due_calls.tick(later + timedelta(seconds=61))
    due_calls.follow_ended()

    assert (claimed, state(row)) == (Status.DIALING, Status.DIALING)
    assert len(bell) == 2  # batches: it was claimed again


def test_claimed_retry_is_left_to_who_holds_it(quiet_number, bell):
    """Its latest attempt has ended, as it should: that was why it is tried again."""
    row = make_due(quiet_number, BUSY, max_attempts=2)
    ring(bell)
    (call,) = attempts(row)
    calls.record_status(call, status="busy", at=now())
    later = now() + timedelta(minutes=31)
    assert due_calls.tick(later) == 1
    row.refresh_from_db()
    holder = row.lease_token

    due_calls.tick(later)

    row.refresh_from_db()
    assert (row.status, row.lease_token) == (Status.DIALING, holder)
    due_calls.tick(later + timedelta(seconds=61))  # who held it is dead
    due_calls.tick(later + timedelta(seconds=62))
    row.refresh_from_db()
    assert (row.status, row.lease_token is None) == (Status.DIALING, False)
    assert row.lease_token != holder


def test_attempt_is_not_ended_by_who_has_lost_the_lease(quiet_number, bell, carrier):
    row = make_due(quiet_number)
    fail(carrier, quiet_number, kind="429", method="POST")
    ring(bell)
    (call,) = attempts(row)
    row.refresh_from_db()
    row.lease_token = uuid.uuid4()  # long ago
    row.agent.is_active = False  # as he sees it

    (attempt,) = placing.open_attempts([(row, call)], now())

    assert (attempt.call, attempts(row)[0].has_ended) == (None, False)


def elsewhere(act):
    """In another thread, with a connection of its own."""

    def run():
        try:
            act()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_call_that_is_hours_late_expires_instead_of_ringing(quiet_number, bell):
    row = make_due(quiet_number, late_s=5 * 3600)

    ring(bell)

    assert (state(row), attempts(row)) == (Status.EXPIRED, [])


def test_agent_that_rests_fails_the_call_with_the_reason(quiet_number, bell):
    row = make_due(quiet_number)
    type(quiet_number.agent).unscoped.update(is_active=False)

    ring(bell)

    assert state(row) == Status.FAILED
    (call,) = attempts(row)
    assert call.decision["decided_by"] == "agent_active"


# -- Fairness --------------------------------------------------------------------------


def test_thousands_of_one_tenant_do_not_keep_another_waiting(carrier, bell, settings):
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    big, small = make_placing_number(carrier), make_placing_number(carrier)
    CarrierAccount.unscoped.filter(pk=big.account.pk).update(calls_per_second=1)
    for _ in range(30):
        make_due(big, late_s=100)
    row = make_due(small)

    due_calls.tick(now())

    assert state(row) == Status.DIALING
    claimed = ScheduledCall.unscoped.filter(owner=big.phone.owner)
    assert claimed.filter(status=Status.DIALING).count() == due_calls.TICK_S


# -- By hand ---------------------------------------------------------------------------


@pytest.fixture
def unknown_row(quiet_number, bell, carrier):
    """A scheduled call of which nobody knows whether it rang, and its tenant."""
    tenant = make_tenant("owner")
    for model in (CarrierAccount, Phone, type(quiet_number.agent)):
        model.unscoped.update(owner=tenant.workspace)
    for row in (quiet_number.account, quiet_number.phone, quiet_number.agent):
        row.refresh_from_db()
    allow_always(tenant.workspace)
    row = make_due(quiet_number)
    fail(carrier, quiet_number, kind="close", method="POST")
    ring(bell)
    for seconds in (61, 130):
        lost_calls.look(now() + timedelta(seconds=seconds))
    due_calls.follow_ended()
    assert state(row) == Status.UNKNOWN
    return tenant, row


def test_person_has_an_unknown_call_dialled_again(unknown_row, bell, carrier):
    tenant, row = unknown_row
    (call,) = attempts(row)

    tenant.client.post(
        f"/calls/{call.pk}/settle", {"outcome": "again", "reason": "not in the log"}
    )
    assert state(row) == Status.PENDING
    ring(bell)

    first, second = attempts(row)
    assert (first.end_reason, second.placement) == ("not_placed", Placement.PLACED)


def test_person_says_that_nobody_answered_and_it_is_tried_later(unknown_row):
    tenant, row = unknown_row
    (call,) = attempts(row)

    tenant.client.post(
        f"/calls/{call.pk}/settle", {"outcome": "no-answer", "reason": "asked"}
    )

    assert state(row) == Status.PENDING
    assert row.next_attempt_at > now() + timedelta(minutes=25)


@pytest.mark.parametrize("dies_in", ["follow", "dial_again"])
def test_who_dies_while_it_is_settled_leaves_it_to_be_settled(
    unknown_row, monkeypatch, dies_in
):
    _, row = unknown_row
    (call,) = attempts(row)

    def settle():
        (same,) = attempts(row)
        placing.settle(same, outcome="again", reason="asked", by=None, at=now())

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(scheduled, dies_in, lambda *args, **more: 1 / 0)
        settle()
    assert (state(row), attempts(row)) == (Status.UNKNOWN, [call])
    assert attempts(row)[0].placement == Placement.UNKNOWN
    settle()

    assert state(row) == Status.PENDING


def test_call_that_a_person_ends_is_not_dialled_again(quiet_number, bell, monkeypatch):
    row = make_due(quiet_number)
    ring(bell)
    (call,) = attempts(row)

    def end_at_once(account, sid):
        same = Call.unscoped.get(pk=call.pk)
        calls.record_status(same, status="no-answer", at=now())
        assert state(row) == Status.PENDING  # nobody knows yet who ended it

    monkeypatch.setattr(twilio, "end_call", end_at_once)
    placing.hang_up(call)

    assert state(row) == Status.NO_ANSWER
    assert row.next_attempt_at is None


def test_canceling_ends_the_attempt_that_waits_for_a_line(quiet_number, bell, carrier):
    row = make_due(quiet_number)
    fail(carrier, quiet_number, kind="429", method="POST")
    ring(bell)

    row.refresh_from_db()
    scheduled.cancel(row, by=None)
    ring(bell, now() + timedelta(seconds=60))

    assert state(row) == Status.CANCELED
    assert [call.status for call in attempts(row)] == ["canceled"]
    assert calls_at(carrier, quiet_number) == []
    row.refresh_from_db()
    with pytest.raises(scheduled.NotPending):
        scheduled.cancel(row, by=None)


def test_operators_see_what_waits_and_settle_what_nobody_knows(unknown_row, client):
    tenant, row = unknown_row
    (call,) = attempts(row)
    operator = make_tenant("operator")
    assert operator.client.get("/admin/dialling/").status_code == 302
    operator = make_operator()

    page = operator.client.get("/admin/dialling/").content.decode()
    url = f"/admin/dialling/{call.pk}/"
    operator.client.post(url, {"outcome": "busy", "reason": ""})
    assert state(row) == Status.UNKNOWN
    operator.client.post(url, {"outcome": "completed", "reason": "in their log"})

    assert str(call.pk) in page
    assert state(row) == Status.COMPLETED
    call.refresh_from_db()  # tenants do not learn an operator's name
    assert call.end_detail == "Settled by an operator: in their log"
    assert operator.client.post(url, {}).status_code == 404
