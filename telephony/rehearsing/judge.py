"""Whether a call was as it was expected to be. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from agents import dialogue
from telephony.rehearsing import patterns
from telephony.rehearsing.scripts import Expectation, Kind

MAX_SEEN = 300
EXCERPT = 60  # characters on each side of what was found


@dataclass(frozen=True)
class Conversation:
    """What is known of a call that is over; `end_words` say its end to people."""

    turns: list[dialogue.Turn]
    end_reason: str
    end_words: str = ""


@dataclass(frozen=True)
class Finding:
    passed: bool
    seen: str


def judge(
    expectations: Iterable[Expectation], call: Conversation
) -> list[dict[str, Any]]:
    """Each expectation with whether it was met, and what was seen instead or of it."""
    results = []
    for expected in expectations:
        found = CHECKS[expected["kind"]](expected, call)
        seen = _bounded(found.seen)
        results.append({**expected, "passed": found.passed, "seen": seen})
    return results


def _bounded(seen: str) -> str:
    return seen if len(seen) <= MAX_SEEN else seen[:MAX_SEEN] + "…"


def agents_words(call: Conversation, after: int | None = None) -> str:
    """All that the agent said, or only what it said after the caller's words no.
    `after`, until the next ones."""
    spoken, said = 0, []
    for turn in call.turns:
        if turn.speaker == "caller":
            spoken += 1
        elif turn.speaker == "agent" and after in (None, spoken):
            said.append(turn.text)
    return "\n".join(said)


def _contains(expected: Expectation, call: Conversation) -> Finding:
    words = agents_words(call, expected.get("turn"))
    place = _place(expected["text"], words)
    if place is None:
        return Finding(False, words or _("The agent said nothing there."))
    return Finding(True, _excerpt(words, *place))


def _lacks(expected: Expectation, call: Conversation) -> Finding:
    words = agents_words(call, expected.get("turn"))
    place = _place(expected["text"], words)
    if place is None:
        return Finding(True, "")
    return Finding(False, _excerpt(words, *place))


def _place(text: str, words: str) -> tuple[int, int] | None:
    """Where `text` stands, in any case and whatever the spaces; None: nowhere."""
    wanted = " ".join(text.split()).lower()
    place = " ".join(words.split()).lower().find(wanted)
    return None if place < 0 else (place, place + len(wanted))


def _excerpt(words: str, start: int, end: int) -> str:
    words = " ".join(words.split())
    before = "…" if start > EXCERPT else ""
    after = "…" if end + EXCERPT < len(words) else ""
    return before + words[max(0, start - EXCERPT) : end + EXCERPT] + after


def _matches(expected: Expectation, call: Conversation) -> Finding:
    words = agents_words(call, expected.get("turn"))
    found = patterns.find(expected["text"], words)
    if found is None:
        return Finding(False, words or _("The agent said nothing there."))
    return Finding(True, found)


def _tool_called(expected: Expectation, call: Conversation) -> Finding:
    used = _uses(call)
    fitting = [use for use in used if _fits(use, expected)]
    shown = fitting[:1] or [u for u in used if u.name == expected["tool"]] or used
    seen = "\n".join(f"{use.name}({use.arguments}): {use.status}" for use in shown)
    return Finding(bool(fitting), seen or _("No tool was used."))


def _tool_not_called(expected: Expectation, call: Conversation) -> Finding:
    found = _tool_called(expected, call)
    return Finding(not found.passed, found.seen if found.passed else "")


def _uses(call: Conversation) -> list[dialogue.ToolUse]:
    return [turn.tool for turn in call.turns if turn.tool is not None]


def _fits(use: dialogue.ToolUse, expected: Expectation) -> bool:
    """Whether it is the tool, with at least these arguments, in any case."""
    if use.name != expected["tool"]:
        return False
    wanted = expected.get("arguments", {})
    try:
        given = json.loads(use.arguments or "{}")
    except ValueError:
        return not wanted
    if not isinstance(given, dict):
        return not wanted
    return all(
        name in given and _plain(given[name]) == _plain(value)
        for name, value in wanted.items()
    )


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return " ".join(text.split()).lower()


def _ended_by(expected: Expectation, call: Conversation) -> Finding:
    return Finding(call.end_reason == expected["reason"], call.end_words)


def _replies_within(expected: Expectation, call: Conversation) -> Finding:
    times = [turn.reply_ms for turn in call.turns if turn.reply_ms is not None]
    if not times:
        return Finding(False, _("There was no reply."))
    slowest = max(times)
    seen = _("The slowest took %(ms)d ms.") % {"ms": slowest}
    return Finding(slowest <= expected["ms"], seen)


CHECKS = {
    Kind.CONTAINS: _contains,
    Kind.LACKS: _lacks,
    Kind.MATCHES: _matches,
    Kind.TOOL_CALLED: _tool_called,
    Kind.TOOL_NOT_CALLED: _tool_not_called,
    Kind.ENDED_BY: _ended_by,
    Kind.REPLIES_WITHIN: _replies_within,
}
