"""Calls that go out: placed at most once, whatever the carrier's answer does."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.utils.timezone import now

from accounts import services as accounts
from accounts.models import AccessToken
from telephony import session, tasks, twilio
from telephony.models import Call, CallEvent, CarrierAccount, DialledDay, Turn
from telephony.models.calls import HELD_FOR
from telephony.services import (
    asking,
    calls,
    do_not_contact,
    lost_calls,
    pacing,
    placing,
    scheduled,
    silent_calls,
)
from telephony.tests.conftest import ended, make_number
from telephony.tests.outgoing import (
    BUSY,
    CALLEE,
    NOBODY,
    NOT_REACHED,
    allow_always,
    arrange,
    begin_asking,
    calls_at,
    fail,
    make_placing_number,
    open_call,
)
from tests.people import join, make_tenant
from tests.processes import WITHIN_S, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Placement = Call.Placement
WAITS_S = 3  # for the carrier's answer, where that comes late
# What became of the request, and how often a telephone rang for it.
LOST = [
    ({"kind": "answer-lost"}, 1),  # reset after it was placed
    ({"kind": "500-after"}, 1),
    ({"kind": "garbled"}, 1),  # 201, and no JSON
    ({"kind": "cut"}, 1),  # broken off in the middle of the answer
    ({"kind": "answer-late", "delay_s": WAITS_S + 1}, 1),
    ({"kind": "500"}, 0),
    ({"kind": "close"}, 0),  # reset before it was placed
]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(asking, "PAUSES_S", (0, 0))


@pytest.fixture
def number(live, carrier):
    return make_placing_number(carrier)


@pytest.fixture
def quiet_number(carrier, settings, db):
    """Its calls are placed, and no callback ever finds us."""
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    return make_placing_number(carrier)


def placed(call):
    asking.place(call.pk)
    call.refresh_from_db()
    return call


def wait_for(call, status, within_s=WITHIN_S):
    def has_come():
        call.refresh_from_db()
        return call.status == status

    wait_until(has_come, within_s, f"the call is {status}")


def told_duration(call):
    call.refresh_from_db()
    return call.duration_s is not None


# -- The whole way ---------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["stream", "gather"])
def test_call_is_placed_talked_through_and_ended(transport, live, carrier):
    number = make_placing_number(
        carrier,
        transport=transport,
        greeting="Hello {{ name }}, this is Brightside.",
    )
    call = open_call(number, variables={"name": "Ada"})

    placed(call)
    wait_for(call, "completed")
    live.wait_until_idle()
    wait_until(lambda: told_duration(call), WITHIN_S, "the duration is told")

    assert call.placement == Placement.PLACED
    assert call.direction == "outgoing"
    assert (call.from_number, call.to_number) == (number.phone.number, CALLEE)
    assert call.answered_at is not None and call.duration_s is not None
    first = Turn.unscoped.filter(call=call).order_by("number").first()
    assert (first.speaker, first.text) == ("agent", "Hello Ada, this is Brightside.")
    assert len(calls_at(carrier, number)) == 1


@pytest.mark.parametrize(
    ("to", "status", "reason"),
    [
        (BUSY, "busy", "busy"),
        (NOBODY, "no-answer", "no_answer"),
        (NOT_REACHED, "failed", "not_reached"),
    ],
)
def test_call_that_nobody_takes_says_why(to, status, reason, number):
    call = placed(open_call(number, to))

    wait_for(call, status)

    assert ended(call) == (status, reason)


@pytest.mark.parametrize("mischief", ["lost", "twice", "reversed"])
def test_callbacks_in_any_order_and_number_end_the_call_the_same(
    mischief, live, carrier, number
):
    fail(carrier, number, callbacks=mischief)
    call = placed(open_call(number, BUSY))

    if mischief == "lost":
        call.last_event_at = now() - timedelta(hours=2)
        call.save()
        silent_calls.settle(now())
    wait_for(call, "busy")

    assert ended(call) == ("busy", "busy")
    statuses = CallEvent.unscoped.filter(call=call).values_list("status", flat=True)
    assert len(statuses) == len(set(statuses))


# -- At most once ----------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "rings"), LOST, ids=lambda v: str(v))
def test_lost_answer_never_rings_twice(
    fault, rings, quiet_number, carrier, monkeypatch
):
    monkeypatch.setattr(twilio._http, "timeout", WAITS_S)
    call = open_call(quiet_number)
    fail(carrier, quiet_number, method="POST", **fault)

    placed(call)
    assert call.placement == Placement.LOST
    wait_until(
        lambda: len(calls_at(carrier, quiet_number)) == rings,
        WITHIN_S,
        "the carrier has done what it will",
    )
    for second in range(0, 180, 5):
        asking.place(call.pk)
        placing.place_waiting(call.asked_at + timedelta(seconds=second))
        lost_calls.look(call.asked_at + timedelta(seconds=second))

    call.refresh_from_db()
    found = calls_at(carrier, quiet_number)
    assert len(found) == rings
    if rings:
        assert (call.placement, call.sid) == (Placement.PLACED, found[0]["sid"])
    else:
        assert (call.placement, call.sid) == (Placement.UNKNOWN, None)
        assert not Call.unscoped.in_progress().filter(pk=call.pk).exists()


@pytest.mark.parametrize(("fault", "rings"), LOST[:4], ids=lambda v: str(v))
def test_lost_answer_is_settled_by_the_first_callback(fault, rings, carrier, number):
    call = open_call(number, BUSY)
    fail(carrier, number, method="POST", **fault)

    placed(call)
    wait_for(call, "busy")

    assert call.placement == Placement.PLACED
    assert call.sid == calls_at(carrier, number, BUSY)[0]["sid"]


def test_callback_settles_what_was_given_up(carrier, number):
    call = open_call(number)
    Call.unscoped.filter(pk=call.pk).update(placement=Placement.UNKNOWN)
    fields = number.fields(From=number.phone.number, To=CALLEE, CallStatus="ringing")

    answer = number.post(f"/webhooks/twilio/calls/{call.pk}/status", fields)

    assert answer.status_code == 204
    call.refresh_from_db()
    assert (call.sid, call.placement) == (fields["CallSid"], Placement.PLACED)
    other = number.fields(CallStatus="busy")
    refused = number.post(f"/webhooks/twilio/calls/{call.pk}/status", other)
    assert refused.status_code == 403


def test_too_much_at_once_is_asked_again_for_the_same_call(carrier, quiet_number):
    call = open_call(quiet_number)
    fail(carrier, quiet_number, kind="429", method="POST", count=2)

    placed(call)

    assert call.placement == Placement.PLACED
    assert len(calls_at(carrier, quiet_number)) == 1


def test_carrier_that_is_away_keeps_the_call_until_it_is_too_late(
    quiet_number, settings
):
    settings.TWILIO_API_BASE_URL = "http://127.0.0.1:9"
    call = placed(open_call(quiet_number))
    assert call.placement == Placement.OPENED

    placing.place_waiting(now() + placing.NOW_LASTS + timedelta(seconds=1))

    assert ended(call) == ("canceled", "not_placed")
    assert "cannot be reached" in call.end_detail


def test_clear_no_ends_the_call_with_the_carriers_words(quiet_number):
    quiet_number.phone.number = "+12125559999"  # not the account's
    quiet_number.phone.save()

    call = placed(open_call(quiet_number))

    assert ended(call) == ("failed", "rejected")
    assert "21210" in call.end_detail
    assert call.placement == Placement.NOT_PLACED


def test_many_workers_at_once_ask_once(quiet_number, carrier):
    call = open_call(quiet_number)

    def work():
        try:
            asking.place(call.pk)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(calls_at(carrier, quiet_number)) == 1


def test_worker_that_died_while_asking_leaves_a_call_to_look_for(quiet_number, carrier):
    call = open_call(quiet_number)
    begin_asking(call)

    lost_calls.look(now())
    asking.place(call.pk)
    assert calls_at(carrier, quiet_number) == []
    lost_calls.look(call.asked_at + timedelta(seconds=31))
    lost_calls.look(call.asked_at + timedelta(seconds=151))

    call.refresh_from_db()
    assert call.placement == Placement.UNKNOWN


def test_two_lost_calls_to_one_number_are_told_apart_by_callbacks_only(
    quiet_number, carrier
):
    first, second = open_call(quiet_number), open_call(quiet_number)
    fail(carrier, quiet_number, kind="answer-lost", method="POST", count=2)
    placed(first), placed(second)

    for seconds in (10, 60, 130):
        lost_calls.look(now() + timedelta(seconds=seconds))

    first.refresh_from_db(), second.refresh_from_db()
    assert {first.placement, second.placement} == {Placement.UNKNOWN}


def test_account_whose_carrier_is_away_is_asked_once_a_round(
    quiet_number, carrier, monkeypatch
):
    monkeypatch.setattr(twilio._http, "timeout", WAITS_S)
    healthy = make_placing_number(carrier)
    waiting = [placed_lost(quiet_number, carrier) for _ in range(4)]
    call = placed_lost(healthy, carrier)
    fail(carrier, quiet_number, kind="delay", delay_s=30, method="GET", count=9)

    started = time.monotonic()
    asked = lost_calls.look(now() + timedelta(seconds=6))

    assert asked == 2
    assert time.monotonic() - started < 30
    call.refresh_from_db()
    assert call.placement == Placement.PLACED
    for other in waiting:
        other.refresh_from_db()
    assert {other.placement for other in waiting} == {Placement.LOST}


def placed_lost(number, carrier):
    """A call that rang, and whose answer got lost."""
    fail(carrier, number, kind="answer-lost", method="POST")
    return placed(open_call(number))


def test_double_click_is_one_call(quiet_number):
    tenant = make_tenant("clicker")
    ids = []

    def click():
        try:
            ids.append(open_call(quiet_number, by=tenant.user).pk)
        finally:
            connections.close_all()

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join()
    other = open_call(quiet_number, by=tenant.user, variables={"name": "Ada"})
    soon = now() + scheduled.DOUBLE_CLICK + timedelta(seconds=1)
    later = open_call(quiet_number, by=tenant.user, at=soon)

    assert len(set(ids)) == 1
    assert len({*ids, other.pk, later.pk}) == 3


def test_call_that_was_there_before_is_not_taken_for_ours(quiet_number, carrier):
    earlier = placed(open_call(quiet_number))
    call = open_call(quiet_number)
    fail(carrier, quiet_number, kind="close", method="POST")
    placed(call)

    lost_calls.look(now() + timedelta(seconds=130))

    call.refresh_from_db()
    assert earlier.placement == Placement.PLACED
    assert call.placement == Placement.UNKNOWN


# -- Pacing and limits -----------------------------------------------------------------


def test_calls_of_an_account_are_a_turn_apart(number):
    number.account.calls_per_second = 2
    number.account.save()
    at = now()

    turns = pacing.take_turns(number.account, 3, at)
    turns += pacing.take_turns(number.account, 12, at)

    # No further than five seconds on: the others are to ask again.
    assert turns == [at + timedelta(seconds=half / 2) for half in range(11)]
    assert pacing.take_turns(number.account, 1, at) == []
    wrong_clock = at - timedelta(hours=1)
    assert pacing.take_turns(number.account, 1, wrong_clock) == [wrong_clock]


def next_turn(number):
    return CarrierAccount.unscoped.get(pk=number.account.pk).next_call_at


def test_call_that_is_being_placed_takes_no_other_turn(quiet_number, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.place_call, "delay", sent.append)
    call = open_call(quiet_number)
    call.hold(now())
    waited = now() + placing.WAIT_FOR_TASK + timedelta(seconds=1)

    placing.place_waiting(waited)
    placed = asking.place(call.pk)

    assert (sent, placed, next_turn(quiet_number)) == ([], False, None)
    placing.place_waiting(waited + HELD_FOR)  # whoever placed it is dead
    assert sent == [str(call.pk)]


def test_call_without_a_turn_is_let_go_for_the_next_try(quiet_number, monkeypatch):
    far = now() + timedelta(seconds=20)
    CarrierAccount.unscoped.update(next_call_at=far)
    call = open_call(quiet_number)

    assert asking.place(call.pk) is False

    call.refresh_from_db()
    assert (call.placement, call.placing_until) == (Placement.OPENED, None)
    CarrierAccount.unscoped.update(next_call_at=None)
    assert asking.place(call.pk) is True


def test_many_deliveries_of_a_task_take_one_turn(quiet_number, carrier, monkeypatch):
    call = open_call(quiet_number)
    take, taken = pacing.take_turns, []

    def note(*given):
        taken.extend(turns := take(*given))
        return turns

    monkeypatch.setattr(pacing, "take_turns", note)

    threads = [threading.Thread(target=_place, args=[call.pk]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)

    assert len(calls_at(carrier, quiet_number)) == 1
    assert len(taken) == 1


def _place(call_id):
    try:
        asking.place(call_id)
    finally:
        connections.close_all()


def test_last_line_and_last_call_of_the_day_are_taken_once(quiet_number):
    owner = quiet_number.phone.owner
    allow_always(owner, calls_a_day=3)
    opened = []

    def work():
        try:
            opened.append(open_call(quiet_number))
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    reasons = sorted(call.end_reason for call in opened)
    assert reasons == ["", "", "", "refused", "refused", "refused"]
    assert DialledDay.unscoped.get(owner=owner).calls == 3


# -- By hand ---------------------------------------------------------------------------


def make_dialler(tenant, number):
    """The number, its agent and account belong to the tenant."""
    for row in (number.account, number.phone, number.agent):
        type(row).unscoped.filter(pk=row.pk).update(owner=tenant.workspace)
        row.refresh_from_db()
    allow_always(tenant.workspace)


@pytest.fixture
def alices(alice, db):
    number = make_number(direction="both")
    make_dialler(alice, number)
    return number


def test_api_places_a_call_once_for_a_repeated_key(alice, alices):
    body = {"agent_id": str(alices.agent.pk), "to": "+1 628 555 0142"}
    token = accounts.issue_login_token(alice.user)

    def ask():
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "once"}
        return Client().post(
            "/api/calls",
            json.dumps(body),
            content_type="application/json",
            headers=headers,
        )

    first, again = ask(), ask()

    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert first.json()["placement"] == "opened"
    assert Call.unscoped.count() == 1


def test_api_refuses_with_the_reason_and_keeps_it(alice, alices):
    do_not_contact.add(owner=alice.workspace, number=CALLEE, reason="by mail")
    body = {"agent_id": str(alices.agent.pk), "to": CALLEE}

    answer = alice.api("POST", "/api/calls", body)

    assert answer.status_code == 409
    assert "by mail" in answer.json()["detail"]
    call = Call.unscoped.get()
    assert ended(call) == ("canceled", "refused")
    assert call.decision["decided_by"] == "do_not_contact"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": "12"}, "to"),
        ({"agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08"}, "agent_id"),
        ({"variables": {"not a name": "x"}}, "variables"),
        ({"when": "now"}, "when"),
    ],
)
def test_api_refuses_what_makes_no_sense(changes, field, alice, alices):
    body = {"agent_id": str(alices.agent.pk), "to": CALLEE} | changes

    answer = alice.api("POST", "/api/calls", body)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_agent_of_another_workspace_is_an_unknown_one(alice, mallory, alices):
    body = {"agent_id": str(alices.agent.pk), "to": CALLEE}

    answer = mallory.api("POST", "/api/calls", body)

    assert answer.status_code == 400
    assert not Call.unscoped.exists()


def test_key_needs_the_scope_to_place_calls(alice, alices):
    body = json.dumps({"agent_id": str(alices.agent.pk), "to": CALLEE})

    def ask(scopes):
        _row, key = accounts.issue_api_key(
            owner=alice.workspace, user=alice.user, name="k", scopes=scopes
        )
        return Client().post(
            "/api/calls",
            body,
            content_type="application/json",
            headers={"authorization": f"Bearer {key}"},
        )

    assert ask(["read", "write"]).status_code == 403
    assert ask([AccessToken.Scope.PLACE_CALLS]).status_code == 202


def test_page_calls_and_shows_the_chain_when_it_may_not(alice, alices):
    form = {"agent": str(alices.agent.pk), "number": CALLEE}

    placed_one = alice.client.post("/calls/new", form)
    refused = alice.client.post("/calls/new", form | {"number": "+447400123456"})

    call = Call.unscoped.filter(placement=Placement.OPENED).get()
    assert placed_one["Location"] == call.get_absolute_url()
    assert call.placed_by == alice.user
    assert refused.status_code == 422
    assert "not among those that may be called" in refused.content.decode()
    viewer = join(alice, "vic", "viewer")
    assert viewer.client.get("/calls/new").status_code == 403


def test_page_asks_for_the_values_that_the_agent_has_none_for(alice, alices):
    alices.agent.greeting = "Hello {{ name }} from {{ company }}."
    alices.agent.variables = {"company": "Brightside"}
    alices.agent.save()
    form = {"agent": str(alices.agent.pk), "number": CALLEE}
    given = {"variable.name": "Ada", "variable.company": "Brightside"}

    without = alice.client.post("/calls/new", form)
    alice.client.post("/calls/new", form | given)

    assert without.status_code == 422
    assert Call.unscoped.get().variables == {"name": "Ada"}


def test_hanging_up_before_the_carrier_is_asked_places_nothing(alice, alices):
    call = open_call(alices)

    answer = alice.api("POST", f"/api/calls/{call.pk}/hangup")
    asking.place(call.pk)

    assert answer.status_code == 202
    assert ended(call) == ("canceled", "hung_up_here")
    assert alice.api("POST", f"/api/calls/{call.pk}/hangup").status_code == 409


def test_hanging_up_ends_the_call_at_the_carrier(live, carrier):
    listener = "+16285550177"  # other tests' people talk
    arrange(carrier, listener, typed=True)
    number = make_placing_number(carrier)
    tenant = make_tenant("owner")
    make_dialler(tenant, number)
    call = placed(open_call(number, listener))
    wait_for(call, "in-progress")

    answer = tenant.client.post(f"/calls/{call.pk}/hang-up")

    assert answer.status_code == 302
    wait_for(call, "completed")
    assert ended(call) == ("completed", "hung_up_here")


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        ("not_placed", "canceled", "not_placed"),
        ("no-answer", "no-answer", "no_answer"),
        ("completed", "completed", "caller_hung_up"),
    ],
)
def test_person_settles_what_nobody_knows(outcome, status, reason, alice, alices):
    call = open_call(alices)
    Call.unscoped.filter(pk=call.pk).update(placement=Placement.UNKNOWN)
    url = f"/calls/{call.pk}/settle"

    alice.client.post(url, {"outcome": outcome, "reason": ""})
    assert ended(call) == ("queued", "")
    alice.client.post(url, {"outcome": outcome, "reason": "asked her"})

    assert ended(call) == (status, reason)
    assert "asked her" in call.end_detail


def test_person_has_it_dialled_again(alice, alices):
    call = open_call(alices, variables={"name": "Ada"})
    Call.unscoped.filter(pk=call.pk).update(placement=Placement.UNKNOWN)

    answer = alice.client.post(
        f"/calls/{call.pk}/settle", {"outcome": "again", "reason": "not in the log"}
    )

    again = Call.unscoped.exclude(pk=call.pk).get()
    assert answer["Location"] == again.get_absolute_url()
    assert (again.placement, again.variables) == (Placement.OPENED, {"name": "Ada"})
    assert ended(call) == ("canceled", "not_placed")


def test_what_is_known_is_not_settled_by_hand(alice, alices):
    call = open_call(alices)

    alice.client.post(f"/calls/{call.pk}/settle", {"outcome": "busy", "reason": "x"})

    assert ended(call) == ("queued", "")


def test_placeholder_of_the_callers_number_is_the_other_partys(alices):
    alices.agent.greeting = "Calling {{ caller_number }}"
    alices.agent.save()
    call = calls.with_signer().get(pk=open_call(alices).pk)

    assert session.greeting_of(call, at=now()) == f"Calling {CALLEE}"
