"""Calls that fell silent, settled against the pocket carrier."""

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from telephony import tasks, twilio
from telephony.models import Call, CarrierAccount, Turn
from telephony.services import silent_calls
from telephony.tests.carriers import KEY, UNREACHABLE
from telephony.tests.conftest import ended, make_number
from tests.processes import wait_until

pytestmark = pytest.mark.django_db
NOBODY = "CA" + 32 * "0"


@pytest.fixture
def number(carrier):
    """A number of the carrier's own account."""
    number = make_number()
    login = carrier.open_account(count=1)
    account = number.account
    account.account_sid, account.auth_token = login.sid, login.auth_token
    account.save()
    number.phone.number = login.numbers[0]
    number.phone.save()
    return number


def place_call(carrier, number):
    """A call that the carrier has in progress: a typed caller listens."""
    login = (number.account.account_sid, number.account.auth_token)
    callee = "+14155550100"
    httpx.put(
        f"{carrier.url}/control/callees/{callee}",
        headers={"Authorization": f"Bearer {KEY}"},
        json={"typed": True},
    ).raise_for_status()
    placed = httpx.post(
        f"{carrier.url}/2010-04-01/Accounts/{login[0]}/Calls.json",
        auth=login,
        data={
            "To": callee,
            "From": number.phone.number,
            "Twiml": "<Response><Gather timeout='600'/></Response>",
        },
    ).json()
    sid = placed["sid"]
    wait_until(
        lambda: twilio.fetch_call(number.account, sid).status == "in-progress",
        10,
        "the call is answered",
    )
    return sid


def silent_call(number, *, sid=NOBODY, status="in-progress", for_s=10_000, **more):
    at = timezone.now() - timedelta(seconds=for_s)
    return Call.unscoped.create(
        **{
            "owner": number.phone.owner,
            "phone": number.phone,
            "carrier_account": number.account,
            "agent": number.agent,
            "sid": sid,
            "direction": "incoming",
            "status": status,
            "started_at": at,
            "last_event_at": at,
            **more,
        }
    )


def test_call_that_ended_unheard_is_settled_as_the_carrier_says(carrier, number):
    sid = place_call(carrier, number)
    twilio.end_call(number.account, sid)
    call = silent_call(number, sid=sid, for_s=700)
    wait_until(
        lambda: twilio.fetch_call(number.account, sid).status == "completed", 10, "end"
    )

    for _ in range(2):
        tasks.settle_silent_calls()

    assert ended(call) == ("completed", "caller_hung_up")
    assert call.duration_s is not None


def test_call_that_runs_too_long_is_ended_at_the_carrier(carrier, number):
    sid = place_call(carrier, number)
    call = silent_call(number, sid=sid, for_s=700)

    tasks.settle_silent_calls()

    wait_until(
        lambda: twilio.fetch_call(number.account, sid).status == "completed", 10, "end"
    )
    assert ended(call) == ("in-progress", "time_up")
    tasks.settle_silent_calls()
    assert ended(call) == ("completed", "time_up")


def test_call_whose_session_was_lost_with_its_process_says_so(carrier, number):
    sid = place_call(carrier, number)
    twilio.end_call(number.account, sid)
    connected_at = timezone.now() - timedelta(seconds=80)
    call = silent_call(number, sid=sid, for_s=70, relay_connected_at=connected_at)
    wait_until(
        lambda: twilio.fetch_call(number.account, sid).status == "completed", 10, "end"
    )

    tasks.settle_silent_calls()

    assert ended(call) == ("completed", "connection_lost")


def test_call_that_goes_on_is_asked_about_once_a_minute(carrier, number):
    call = silent_call(number, sid=place_call(carrier, number), for_s=70)

    looked_at = [silent_calls.settle(timezone.now()) for _ in range(2)]

    assert looked_at == [1, 0]
    assert ended(call) == ("in-progress", "")


def test_call_in_which_somebody_spoke_is_not_asked_about(number):
    call = silent_call(number, for_s=300)
    Turn.unscoped.create(
        owner=call.owner,
        call=call,
        number=1,
        speaker="caller",
        text="Hello?",
        at=timezone.now(),
        at_ms=0,
    )

    assert silent_calls.settle(timezone.now()) == 0


def test_call_that_was_answered_unheard_goes_on(carrier, number):
    sid = place_call(carrier, number)
    call = silent_call(number, sid=sid, status="ringing", for_s=130)

    tasks.settle_silent_calls()

    assert ended(call) == ("in-progress", "")
    assert twilio.fetch_call(number.account, sid).status == "in-progress"


def test_call_that_the_carrier_does_not_know_is_given_up(number):
    call = silent_call(number, for_s=700)

    tasks.settle_silent_calls()

    assert ended(call) == ("failed", "never_reported")


@pytest.mark.parametrize(
    ("for_s", "end"),
    [(3500, ("in-progress", "")), (3700, ("failed", "never_reported"))],
)
def test_carrier_that_cannot_be_asked_is_asked_for_an_hour(
    number, settings, for_s, end
):
    settings.TWILIO_API_BASE_URL = UNREACHABLE
    calls = [silent_call(number, for_s=for_s, sid=f"CA{n:032}") for n in range(2)]

    tasks.settle_silent_calls()

    assert [ended(call) for call in calls] == [end, end]


@pytest.mark.parametrize(
    ("status", "for_s"), [("in-progress", 50), ("ringing", 110), ("completed", 9000)]
)
def test_call_that_is_not_overdue_is_left_alone(number, status, for_s):
    at = timezone.now() if status == "completed" else None
    silent_call(number, status=status, for_s=for_s, ended_at=at)

    assert silent_calls.settle(timezone.now()) == 0


def test_test_call_is_settled_by_the_clock(number):
    call = silent_call(number, for_s=700, carrier_account=None, is_test=True)

    tasks.settle_silent_calls()

    assert ended(call) == ("failed", "never_reported")


def test_account_that_is_slow_keeps_nobody_waiting(carrier, number, monkeypatch):
    monkeypatch.setattr(silent_calls, "ROUND_S", 0.3)
    slow = carrier.open_account(count=1)
    account = CarrierAccount.unscoped.create(
        owner=number.phone.owner,
        label="slow",
        account_sid=slow.sid,
        auth_token=slow.auth_token,
    )
    carrier.fail(slow, "delay", delay_s=0.5, count=4)
    stuck = [
        silent_call(number, for_s=900, sid=f"CA{n:032}", carrier_account=account)
        for n in range(1, 5)
    ]
    call = silent_call(number, for_s=700)

    tasks.settle_silent_calls()

    assert ended(call) == ("failed", "never_reported")
    assert [ended(call)[0] for call in stuck] == ["failed", *["in-progress"] * 3]


def test_one_call_that_cannot_be_settled_does_not_stop_the_others(number):
    broken = CarrierAccount.unscoped.create(
        owner=number.phone.owner, label="b", account_sid="AC" + 32 * "1", auth_token=""
    )
    stuck = silent_call(number, for_s=900, carrier_account=broken)
    call = silent_call(number, for_s=700, sid="CA" + 32 * "2")

    tasks.settle_silent_calls()

    assert ended(stuck) == ("in-progress", "")
    assert ended(call) == ("failed", "never_reported")


def test_work_is_written_down_while_the_broker_is_away(
    monkeypatch, django_capture_on_commit_callbacks
):
    def is_away(*args, **options):
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.send_texts, "apply_async", is_away)

    with django_capture_on_commit_callbacks(execute=True) as rung:
        tasks.ring(tasks.send_texts, "an id")

    assert len(rung) == 1  # and nothing is raised: the clock does it later
