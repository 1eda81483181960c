"""What a test script may hold: the model checks it, so that page and API agree.

A turn is an object with one of these, in the words of the simulator's callers:

- `{"say": "words"}`: waits for the agent to finish, then speaks
- `{"interrupt": "words", "after_chars": 20}`: speaks over the agent once so much of its
  utterance was heard
- `{"press": "12#"}`: waits for the agent to finish, then presses keys
- `{"break_off": "words"}`: begins to say that, and hangs up in the middle
- `{"silence_s": 12}`: stays silent so long
- `{"hang_up": true}`
"""

import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.tools.schema import check_tool_name
from telephony.rehearsing import patterns

MAX_TURNS = 40
MAX_EXPECTATIONS = 40
MAX_ANSWERS = 30
MAX_WORDS = 500  # characters of one turn
MAX_ANSWER = 2_000
MAX_SILENCE_S = 120
MAX_AFTER_CHARS = 2_000
MAX_MS = 60_000
KEYS = re.compile(r"[0-9*#]{1,50}")

Turn = dict[str, Any]
Expectation = dict[str, Any]


class Kind(models.TextChoices):
    """What can be expected of a call."""

    CONTAINS = "contains", _("The agent says")
    LACKS = "lacks", _("The agent never says")
    MATCHES = "matches", _("The agent’s words match")
    TOOL_CALLED = "tool_called", _("A tool is used")
    TOOL_NOT_CALLED = "tool_not_called", _("A tool is not used")
    ENDED_BY = "ended_by", _("The call ends because")
    REPLIES_WITHIN = "replies_within_ms", _("Replies begin within (ms)")


class EndedBy(models.TextChoices):
    """Reasons for which a rehearsed call can end; each is a call's `end_reason`."""

    CALLER_HUNG_UP = "caller_hung_up", _("The caller hangs up")
    AGENT_ENDED = "agent_ended", _("The agent hangs up")
    CALLER_SILENT = "caller_silent", _("The caller says nothing")
    TIME_UP = "time_up", _("The longest call time is reached")
    MODEL_FAILED = "model_failed", _("The language model does not answer")


def check_turns(turns: Any) -> None:
    """Raise ValidationError unless this is what a caller can do."""
    _check_list(turns, MAX_TURNS, _("At most %(count)d turns."))
    for number, turn in enumerate(turns, 1):
        if why := _wrong_with_turn(turn):
            raise ValidationError(
                _("Turn %(number)d: %(why)s"), params={"number": number, "why": why}
            )
    for turn in turns[:-1]:
        if "hang_up" in turn or "break_off" in turn:
            raise ValidationError(_("Who has hung up does nothing any more."))


def _check_list(value: Any, most: int, words) -> None:
    if not isinstance(value, list):
        raise ValidationError(_("This is a list."))
    if len(value) > most:
        raise ValidationError(words, params={"count": most})


def _wrong_with_turn(turn: Any):
    match turn:
        case {"say": words, **rest} | {"break_off": words, **rest} if not rest:
            return _wrong_with_words(words, MAX_WORDS)
        case {"interrupt": words, **rest} if rest.keys() <= {"after_chars"}:
            after = rest.get("after_chars", 0)
            if not _is_whole(after, MAX_AFTER_CHARS):
                return _("after_chars is a whole number up to 2000.")
            return _wrong_with_words(words, MAX_WORDS)
        case {"press": str(keys), **rest} if not rest:
            return "" if KEYS.fullmatch(keys) else _("Keys are digits, * and #.")
        case {"silence_s": seconds, **rest} if not rest:
            is_fine = _is_whole(seconds, MAX_SILENCE_S) and seconds
            return "" if is_fine else _("A silence has 1 to 120 whole seconds.")
        case {"hang_up": True, **rest} if not rest:
            return ""
    return _("It is one of say, interrupt, press, break_off, silence_s and hang_up.")


def _wrong_with_words(words: Any, most: int):
    if not isinstance(words, str) or not words.strip():
        return _("There are no words.")
    if len(words) > most:
        return _("The words are too long.")
    return "" if _is_text(words) else _("There are odd characters in it.")


def _is_text(words: str) -> bool:
    try:
        words.encode()
    except UnicodeEncodeError:  # half a character
        return False
    return "\0" not in words


def _is_whole(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def check_expectations(expectations: Any) -> None:
    """Raise ValidationError unless each of these can be held against a call."""
    too_many = _("At most %(count)d expectations.")
    _check_list(expectations, MAX_EXPECTATIONS, too_many)
    for number, expected in enumerate(expectations, 1):
        if why := _wrong_with_expectation(expected):
            raise ValidationError(
                _("Expectation %(number)d: %(why)s"),
                params={"number": number, "why": why},
            )


def _wrong_with_expectation(expected: Any):
    if not isinstance(expected, dict) or expected.get("kind") not in Kind.values:
        return _("Its kind is one of %(kinds)s.") % {"kinds": ", ".join(Kind.values)}
    check, names = FIELDS[expected["kind"]]
    if unknown := expected.keys() - names - {"kind"}:
        return _("It has no %(name)s.") % {"name": sorted(unknown)[0]}
    return check(expected)


def _wrong_with_text(expected: Expectation):
    return _wrong_with_turn_number(expected) or _wrong_with_words(
        expected.get("text"), MAX_WORDS
    )


def _wrong_with_pattern(expected: Expectation):
    if why := _wrong_with_text(expected):
        return why
    return patterns.wrong_with(expected["text"])


def _wrong_with_turn_number(expected: Expectation):
    if not _is_whole(expected.get("turn", 0), MAX_TURNS):
        return _("turn is the number of something that the caller says; 0: before it.")
    return ""


def _wrong_with_tool(expected: Expectation):
    name = expected.get("tool")
    if not isinstance(name, str):
        return _("tool is the name of a tool.")
    try:
        check_tool_name(name)
    except ValidationError as error:
        return error.messages[0]
    arguments = expected.get("arguments", {})
    if not isinstance(arguments, dict) or len(arguments) > MAX_ANSWERS:
        return _("arguments is an object.")
    for value in arguments.values():
        if not isinstance(value, str | int | float | bool):
            return _("Arguments are compared as texts, numbers, true or false.")
        if isinstance(value, str) and (len(value) > MAX_WORDS or not _is_text(value)):
            return _("The words are too long.")
    return "" if all(map(_is_text, arguments)) else _("There are odd characters in it.")


def _wrong_with_end(expected: Expectation):
    if expected.get("reason") in EndedBy.values:
        return ""
    return _("reason is one of %(all)s.") % {"all": ", ".join(EndedBy.values)}


def _wrong_with_ms(expected: Expectation):
    if _is_whole(expected.get("ms"), MAX_MS) and expected["ms"]:
        return ""
    return _("ms is a whole number from 1 to 60000.")


FIELDS: dict[str, tuple[Callable[[Expectation], Any], set[str]]] = {
    Kind.CONTAINS: (_wrong_with_text, {"text", "turn"}),
    Kind.LACKS: (_wrong_with_text, {"text", "turn"}),
    Kind.MATCHES: (_wrong_with_pattern, {"text", "turn"}),
    Kind.TOOL_CALLED: (_wrong_with_tool, {"tool", "arguments"}),
    Kind.TOOL_NOT_CALLED: (_wrong_with_tool, {"tool", "arguments"}),
    Kind.ENDED_BY: (_wrong_with_end, {"reason"}),
    Kind.REPLIES_WITHIN: (_wrong_with_ms, {"ms"}),
}


def check_answers(answers: Any) -> None:
    """Raise ValidationError unless these are texts by the names of tools."""
    if not isinstance(answers, dict):
        raise ValidationError(_("These are texts by the names of tools."))
    if len(answers) > MAX_ANSWERS:
        raise ValidationError(
            _("At most %(count)d answers."), params={"count": MAX_ANSWERS}
        )
    for name, text in answers.items():
        check_tool_name(name)
        if not isinstance(text, str) or len(text) > MAX_ANSWER or not _is_text(text):
            raise ValidationError(
                _("An answer is a text of at most %(count)d characters."),
                params={"count": MAX_ANSWER},
            )
