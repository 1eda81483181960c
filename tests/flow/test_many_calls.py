"""Two hundred people call at the same time, and everybody is heard."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flow.tenant import GREETING, Business
from tests.processes import wait_until

pytestmark = pytest.mark.flow

CALLS = 200
SPEAK_AT_ONCE = 8  # so that deadlines hold on a slow machine too
WITHIN_S = 240  # for each step of a caller, on a machine that has other work
TURNS = 5
# However long the others dial.
PATIENT = {"silence_timeout_s": 600, "max_duration_s": 3600}


def first_words(number):
    return f"I am caller {number}. Where is order {number * 7}?"


def last_words(number):
    return f"Thank you. It was order {number * 7}."


def transcript(number):
    said = (first_words(number), last_words(number))
    answered = [pair for w in said for pair in (("caller", w), ("agent", _echo(w)))]
    return [("agent", GREETING), *answered]


def _echo(words):
    return f"You said: {words}"


def test_two_hundred_calls_at_once_are_all_heard(talking_stack, carrier, model):
    business = Business(talking_stack, carrier)
    business.put_agent(**PATIENT)
    model.plan(mode="echo")

    with ThreadPoolExecutor(SPEAK_AT_ONCE) as people:

        def everybody(does, *each):
            return list(people.map(does, callers, *each))

        def get_through(number):
            caller = carrier.ring_by_hand(number)
            _wait_until_heard(carrier, caller, GREETING)
            return caller

        def say(caller, words):
            caller.say(words)
            _wait_until_heard(carrier, caller, _echo(words))

        def hang_up(caller):
            caller.hang_up()
            return carrier.wait_for_end(caller.sid, WITHIN_S)

        callers = list(people.map(get_through, [business.number] * CALLS))
        everybody(say, map(first_words, range(CALLS)))
        everybody(say, map(last_words, range(CALLS)))
        were_talking = _talking(business)
        everybody(hang_up)
        ended = everybody(lambda caller: business.settled(caller.sid, WITHIN_S))
        words = everybody(lambda caller: business.transcript(caller.sid, TURNS))
        told = everybody(lambda caller: carrier.state(caller.sid))

    assert were_talking == CALLS
    assert words == [transcript(number) for number in range(CALLS)]
    assert {(call["status"], call["end_reason"]) for call in ended} == {
        ("completed", "caller_hung_up")
    }
    errors = [e for call in told for e in call["events"] if e["type"] == "error"]
    assert errors == []


def _wait_until_heard(carrier, caller, words):
    """By the carrier's ear: two hundred transcripts read again and again are a load."""
    wait_until(lambda: words in carrier.heard(caller.sid), WITHIN_S, f"heard: {words}")


def _talking(business):
    """How many calls are in progress now."""
    active = business.ask("GET", "/api/calls/active?page_size=200")["results"]
    return [call["status"] for call in active].count("in-progress")
