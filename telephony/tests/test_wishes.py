"""What the other party of a call asks for: not to be called again, or later."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.utils.timezone import now

from telephony import built_ins
from telephony.models import Call, DoNotContact, ScheduledCall
from telephony.services import wishes
from telephony.tests.conftest import make_number
from telephony.tests.outgoing import CALLEE, allow_always

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def monday_noon():
    with time_machine.travel(datetime(2030, 1, 7, 20, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def call(db):
    """An incoming call from San Francisco to an agent that places calls too."""
    number = make_number(direction="both")
    return Call.unscoped.create(
        owner=number.phone.owner,
        phone=number.phone,
        agent=number.agent,
        direction="incoming",
        status="in-progress",
        from_number=CALLEE,
        to_number=number.phone.number,
    )


def test_caller_is_put_on_the_list_and_told_so(call):
    told = wishes.stop_contacting(wishes.party_of_call(call), "said so in the call")
    again = wishes.stop_contacting(wishes.party_of_call(call), "said so again")

    (row,) = DoNotContact.unscoped.filter(owner=call.owner)
    assert (row.number, row.source) == (CALLEE, "caller")
    assert row.reason == "said so in the call"
    assert "do-not-contact list" in told
    assert "already" in again


def test_withheld_number_cannot_be_listed_or_booked(call):
    call.from_number = ""

    assert wishes.stop_contacting(wishes.party_of_call(call), "x") == wishes.NO_NUMBER
    assert book(call) == wishes.NO_NUMBER


def book(call, time="2030-01-09T15:30", zone=""):
    return wishes.book_follow_up(
        wishes.party_of_call(call), time=time, zone=zone, at=now()
    )


def test_call_back_is_booked_on_the_callers_clock(call):
    told = book(call)

    row = ScheduledCall.unscoped.get()
    assert row.scheduled_for == datetime(2030, 1, 9, 23, 30, tzinfo=UTC)
    assert (row.to_number, row.agent) == (CALLEE, call.agent)
    assert "Wednesday, 09 January, 15:30" in told


def test_call_back_that_is_booked_twice_rings_once(call):
    for _time in range(2):
        book(call)
    told = book(call, time="2030-01-10T10:00")

    row = ScheduledCall.unscoped.get()
    assert row.scheduled_for == datetime(2030, 1, 10, 18, tzinfo=UTC)
    assert "Thursday, 10 January, 10:00" in told


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"time": "tomorrow"}, "Write the time"),
        ({"time": "2020-01-09T15:30"}, "cannot be booked"),
    ],
)
def test_what_cannot_be_booked_is_said_politely(given, words, call):
    assert words in book(call, **given)
    assert not ScheduledCall.unscoped.exists()


def test_time_at_night_is_moved_and_told(call):
    assert "moved into the hours" in book(call, time="2030-01-09T23:30")
    row = ScheduledCall.unscoped.get()
    assert row.next_attempt_at == datetime(2030, 1, 10, 16, tzinfo=UTC)


def test_number_of_many_zones_needs_the_callers(call):
    allow_always(call.owner)
    call.from_number = "+18005550100"

    assert "time zone is not known" in book(call)
    assert "booked for" in book(call, zone="America/Denver")
    assert ScheduledCall.unscoped.get().timezone == "America/Denver"


def test_without_an_agent_that_calls_nothing_is_booked(call):
    type(call.agent).unscoped.update(direction="incoming")

    assert "No agent here places calls" in book(call)


def test_both_are_among_the_built_in_tools_of_a_call(call):
    assert {"do_not_call", "book_follow_up"} <= set(built_ins.of_call(call))


def test_test_call_changes_nothing(call):
    """Its caller's number is one that nobody has."""
    call.is_test, call.from_number = True, "+15005550006"

    told = [wishes.stop_contacting(wishes.party_of_call(call), "said so"), book(call)]

    assert told == [wishes.ONLY_A_TEST] * 2
    assert not DoNotContact.unscoped.exists()
    assert not ScheduledCall.unscoped.exists()
