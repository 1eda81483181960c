"""The pure half of rehearsals: scripts, named callers, versions, verdicts."""

import time

import pytest
from django.core.exceptions import ValidationError

from agents.dialogue import ToolUse, Turn
from telephony.models import Call
from telephony.rehearsing import callers, judge, patterns, versions
from telephony.rehearsing.callers import Caller
from telephony.rehearsing.scripts import (
    EndedBy,
    check_answers,
    check_expectations,
    check_turns,
)
from telephony.services.rehearsing import steps_of
from telephony.tests.calls import make_agent
from tests.hasty import sometime

SCRIPT = [
    {"say": "When do you open on Monday?"},
    {"press": "12#"},
    {"say": "My number is 4711."},
]


def said(*words, start=1, **fields):
    """Turns of the agent and the caller, in turn."""
    speakers = ("agent", "caller") * len(words)
    return [
        Turn(number, speaker, text, at_ms=number * 1000)
        for number, (speaker, text) in enumerate(
            zip(speakers, words, strict=False), start
        )
    ]


CONVERSATION = judge.Conversation(
    [
        *said("Hello, Harbour Dental.", "When do you open?", "At 8 am, on weekdays."),
        Turn(4, "caller", "Find order 4711", 4000),
        Turn(5, "tool", "{}", 5000, tool=ToolUse("find", '{"number": "4711"}', "ok")),
        Turn(6, "agent", "It arrives on Monday.", 6000, reply_ms=900),
    ],
    "agent_ended",
    "The agent ended the call",
)


def verdict(**expected):
    (result,) = judge.judge([expected], CONVERSATION)
    return result["passed"], result["seen"]


@pytest.mark.parametrize(
    ("expected", "passed", "seen"),
    [
        ({"kind": "contains", "text": "at 8  AM"}, True, "At 8 am"),
        ({"kind": "contains", "text": "at 9"}, False, "Hello, Harbour Dental."),
        ({"kind": "contains", "text": "monday", "turn": 2}, True, "Monday"),
        ({"kind": "contains", "text": "monday", "turn": 1}, False, "At 8 am"),
        ({"kind": "contains", "text": "harbour", "turn": 0}, True, "Harbour"),
        ({"kind": "contains", "text": "x", "turn": 9}, False, "said nothing there"),
        ({"kind": "contains", "text": "4711"}, False, "Hello"),  # the caller's words
        ({"kind": "lacks", "text": "Sunday"}, True, ""),
        ({"kind": "lacks", "text": "monday"}, False, "arrives on Monday"),
        ({"kind": "matches", "text": r"\d+ am\b"}, True, "8 am"),
        ({"kind": "matches", "text": r"^sunday"}, False, "Hello"),
        ({"kind": "tool_called", "tool": "find"}, True, 'find({"number": "4711"}): ok'),
        (
            {"kind": "tool_called", "tool": "find", "arguments": {"number": 4711}},
            True,
            "4711",
        ),
        (
            {"kind": "tool_called", "tool": "find", "arguments": {"number": "1"}},
            False,
            "4711",
        ),
        ({"kind": "tool_called", "tool": "book"}, False, "find("),
        ({"kind": "tool_not_called", "tool": "book"}, True, ""),
        ({"kind": "tool_not_called", "tool": "find"}, False, "find("),
        ({"kind": "ended_by", "reason": "agent_ended"}, True, "The agent ended"),
        ({"kind": "ended_by", "reason": "time_up"}, False, "The agent ended"),
        ({"kind": "replies_within_ms", "ms": 900}, True, "900 ms"),
        ({"kind": "replies_within_ms", "ms": 899}, False, "900 ms"),
    ],
)
def test_expectation_is_judged_with_what_was_seen(expected, passed, seen):
    check_expectations([expected])

    found, told = verdict(**expected)

    assert found is passed
    assert (seen in told) if seen else told == ""


def test_what_is_seen_is_bounded():
    call = judge.Conversation(said("word " * 1000), "caller_hung_up")

    (result,) = judge.judge([{"kind": "contains", "text": "other"}], call)

    assert len(result["seen"]) == judge.MAX_SEEN + 1


def test_call_without_replies_has_no_times_to_be_proud_of():
    call = judge.Conversation(said("Hello."), "caller_hung_up")

    (result,) = judge.judge([{"kind": "replies_within_ms", "ms": 5000}], call)

    assert (result["passed"], result["seen"]) == (False, "There was no reply.")


def test_pattern_that_would_take_for_ever_elsewhere_takes_no_time():
    def is_found_in_time():
        began = time.monotonic()
        assert patterns.find("(a+)+$", "a" * 5000 + "!") is None
        return time.monotonic() - began < 1

    assert sometime(is_found_in_time)


@pytest.mark.parametrize(
    "turns",
    [
        {},
        ["say"],
        [{"say": ""}],
        [{"say": 7}],
        [{"say": "\ud800"}],
        [{"say": "a\0"}],
        [{"say": "x" * 501}],
        [{"say": "Hello", "loud": True}],
        [{"interrupt": "Hello", "after_chars": -1}],
        [{"press": "hello"}],
        [{"silence_s": 0}],
        [{"silence_s": 121}],
        [{"silence_s": True}],
        [{"hang_up": False}],
        [{"hang_up": True}, {"say": "Hello"}],
        [{"shout": "Hello"}],
        [{"say": "Hello"}] * 41,
    ],
)
def test_turns_that_mean_nothing_are_refused(turns):
    with pytest.raises(ValidationError):
        check_turns(turns)


@pytest.mark.parametrize(
    "expectations",
    [
        "contains",
        [{}],
        [{"kind": "guess"}],
        [{"kind": []}],
        [{"kind": "contains"}],
        [{"kind": "contains", "text": "x", "turn": "1"}],
        [{"kind": "contains", "text": "x", "reason": "y"}],
        [{"kind": "matches", "text": "("}],
        [{"kind": "matches", "text": r"(a)\1"}],
        [{"kind": "tool_called", "tool": "no tool"}],
        [{"kind": "tool_called", "tool": "find", "arguments": {"a": [1]}}],
        [{"kind": "tool_called", "tool": "find", "arguments": {"a": "\ud800"}}],
        [{"kind": "ended_by", "reason": "magic"}],
        [{"kind": "replies_within_ms", "ms": 0}],
    ],
)
def test_expectations_that_cannot_be_checked_are_refused(expectations):
    with pytest.raises(ValidationError):
        check_expectations(expectations)


@pytest.mark.parametrize("answers", [[], {"no name": "x"}, {"find": 7}, {"find": "\0"}])
def test_answers_that_are_none_are_refused(answers):
    with pytest.raises(ValidationError):
        check_answers(answers)


def test_every_end_that_can_be_expected_is_a_calls():
    assert set(EndedBy.values) <= set(Call.EndReason.values)


@pytest.mark.parametrize(
    ("caller", "played"),
    [
        ("patient", SCRIPT),
        (
            "hurried",
            [*SCRIPT[:2], {"interrupt": SCRIPT[2]["say"], "after_chars": 20}],
        ),
        (
            "interrupter",
            [*SCRIPT[:2], {"interrupt": "Wait, wait.", "after_chars": 30}, SCRIPT[2]],
        ),
        (
            "talks_over_greeting",
            [{"interrupt": SCRIPT[0]["say"], "after_chars": 5}, *SCRIPT[1:]],
        ),
        ("silent", []),
        ("keypad_only", [{"press": "12#"}, {"press": "4711"}]),
        ("hangs_up_mid_word", [*SCRIPT[:2], {"break_off": SCRIPT[2]["say"]}]),
        (
            "other_language",
            [{"say": "Hola, buenos días. ¿Habla usted español?"}, *SCRIPT],
        ),
    ],
)
def test_callers_have_their_manners(caller, played):
    assert callers.play(caller, SCRIPT, "en-US") == played


def test_every_manner_plays_what_a_script_may_hold():
    for caller in Caller.values:
        for turns in ([], SCRIPT, [*SCRIPT, {"hang_up": True}]):
            check_turns(callers.play(caller, turns, "es-ES"))
        assert callers.MANNERS[caller].help


def test_caller_who_speaks_another_language_takes_one_that_the_agent_does_not():
    (greeting,) = callers.play("other_language", [], "es-MX")

    assert greeting["say"].startswith("Guten Tag")


@pytest.mark.parametrize(
    ("turns", "added"),
    [
        ([], []),
        (
            [{"say": "Hello"}],
            [{"wait_for": "agent_done"}, {"silence_s": 2}, {"hang_up": True}],
        ),
        ([{"silence_s": 30}], [{"hang_up": True}]),
        ([{"hang_up": True}], []),
        ([{"break_off": "Hello"}], []),
    ],
)
def test_who_has_heard_the_last_answer_hangs_up(turns, added):
    assert steps_of(turns) == [*turns, *added]


@pytest.mark.django_db
def test_version_changes_with_what_the_agent_says_and_with_nothing_else(alice):
    agent = make_agent(alice.workspace, instructions="Be brief.", greeting="Hello.")
    first = versions.parts_of(agent, model="one")
    agent.name, agent.is_active = "Other", True
    renamed = versions.parts_of(agent, model="one")
    agent.greeting, agent.instructions = "Good day.", "Be long."
    changed = versions.parts_of(agent, model="one")

    assert versions.version_of(renamed) == versions.version_of(first)
    assert versions.version_of(changed) != versions.version_of(first)
    assert versions.changed_parts(first, changed) == ["greeting", "instructions"]
    assert len(versions.version_of(first)) == 12
