"""Two hundred people call at the same time, and everybody is heard."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flow.tenant import GREETING, Business
from tests.processes import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]

CALLS = 200
SIDE_BY_SIDE = 8
WITHIN_S = 240  # of each phase, on a machine that has other work
# Nobody is asked whether they are there while the others dial.
PATIENT = {"silence_reminder_s": 300, "silence_timeout_s": 600, "max_duration_s": 3600}


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

    with ThreadPoolExecutor(SIDE_BY_SIDE) as people:

        def everybody(does, *each):
            return list(people.map(does, callers, *each))

        dial = [business.number] * CALLS
        callers = list(people.map(carrier.ring_by_hand, dial))
        everybody(lambda caller: _wait_for_turns(business, caller, 1))
        everybody(
            lambda caller, words: caller.say(words), map(first_words, range(CALLS))
        )
        everybody(lambda caller: _wait_for_turns(business, caller, 3))
        everybody(
            lambda caller, words: caller.say(words), map(last_words, range(CALLS))
        )
        everybody(lambda caller: _wait_for_turns(business, caller, 5))
        were_talking = _talking(business)
        everybody(lambda caller: caller.hang_up())
        ended = everybody(lambda caller: business.settled(caller.sid, WITHIN_S))
        told = everybody(lambda caller: carrier.state(caller.sid))

    assert were_talking == CALLS
    words = [[(t["speaker"], t["text"]) for t in call["turns"]] for call in ended]
    assert words == [transcript(number) for number in range(CALLS)]
    assert {(call["status"], call["end_reason"]) for call in ended} == {
        ("completed", "caller_hung_up")
    }
    errors = [e for call in told for e in call["events"] if e["type"] == "error"]
    assert errors == []


def _wait_for_turns(business, caller, count):
    """Until the transcript has so many turns."""
    wait_until(
        lambda: len(business.words(caller.sid)) >= count,
        WITHIN_S,
        f"turn {count} is written",
    )


def _talking(business):
    """How many calls are in progress now."""
    active = business.ask("GET", "/api/calls/active?page_size=200")["results"]
    return [call["status"] for call in active].count("in-progress")
