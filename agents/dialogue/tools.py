"""The tools of a conversation: which are at work, and which the reply waits for."""

import json
from collections.abc import Iterable, Mapping

from agents.chat import ToolCall
from agents.dialogue.script import (
    Command,
    Record,
    StopTool,
    ToolAnswered,
    ToolUse,
    UseTool,
)
from agents.dialogue.transcript import Transcript

MAX_CALLS = 8  # of tools, in one reply

# Tools that are the dialogue's own to carry out.
END_CALL, TRANSFER_CALL = "end_call", "transfer_call"
ENDING = {END_CALL, TRANSFER_CALL}

UNKNOWN_TOOL = "There is no tool of this name."
TOO_MANY_TOOLS = "Too many tools at once: this one was not used."
END_ASKED_ALREADY = "Not done: only one way to end the call can be taken."
END_TOO_EARLY = "Not done: another tool failed. Tell the caller first."


class Tools:
    def __init__(self, offered: Mapping[str, str], transcript: Transcript) -> None:
        self._offered = offered
        self._transcript = transcript
        self._running: set[int] = set()  # turns of tools that are at work
        self._awaited: set[int] = set()  # of those, the ones the reply waits for
        self._ending: tuple[int, ToolCall] | None = None  # asked to end the call
        self._has_failed = False

    @property
    def is_awaited(self) -> bool:
        return bool(self._awaited)

    def is_running(self, turn: int) -> bool:
        return turn in self._running

    def meanwhile(self, calls: Iterable[ToolCall]) -> str:
        """What to say while these are at work, empty for nothing."""
        sentences = (self._offered.get(call.name, "").strip() for call in calls)
        return next(filter(None, sentences), "")

    def begin(self, call: ToolCall, at_ms: int) -> list[Command]:
        """Use a tool for the reply; what ends the call waits for the others."""
        refusal = self._refusal(call)
        use = ToolUse(call.name, call.arguments)
        turn = self._transcript.add("tool", "", at_ms, tool=use)
        if refusal:
            self._has_failed = True
            return [Record(self._transcript.settle(turn.number, "refused", refusal))]
        if call.name in ENDING:
            self._ending = turn.number, call
            return [Record(turn)]
        self._running.add(turn.number)
        self._awaited.add(turn.number)
        return [Record(turn), UseTool(turn.number, call)]

    def _refusal(self, call: ToolCall) -> str:
        if call.name not in self._offered:
            return UNKNOWN_TOOL
        if len(self._awaited) >= MAX_CALLS:
            return TOO_MANY_TOOLS
        is_second = self._ending is not None and call.name in ENDING
        return END_ASKED_ALREADY if is_second else ""

    def take(self, answer: ToolAnswered) -> bool:
        """Note an answer; True if it is the last one that the reply waits for."""
        self._running.discard(answer.turn)
        self._transcript.settle(
            answer.turn, answer.status, answer.text, answer.elapsed_ms
        )
        if answer.turn not in self._awaited:
            return False
        self._awaited.discard(answer.turn)
        self._has_failed |= answer.status != "ok"
        return not self._awaited

    def conclude(self) -> tuple[list[Command], ToolCall | None, bool]:
        """When all have answered: what ends the call now, and whether any failed.

        A tool that failed keeps the call going: the caller is to be told.
        """
        ending, self._ending = self._ending, None
        has_failed, self._has_failed = self._has_failed, False
        if ending is None:
            return [], None, has_failed
        turn, call = ending
        if has_failed:
            refused = self._transcript.settle(turn, "refused", END_TOO_EARLY)
            return [Record(refused)], None, True
        return [Record(self._transcript.settle(turn, "ok"))], call, False

    def leave(self) -> list[Command]:
        """The reply waits no more. What is at work goes on: what it does is done."""
        self._awaited.clear()
        self._has_failed = False
        ending, self._ending = self._ending, None
        if ending is None:
            return []
        return [Record(self._transcript.settle(ending[0], "abandoned"))]

    def stop(self) -> list[Command]:
        """Call everything off."""
        commands: list[Command] = []
        for turn in sorted(self._running):
            stopped = self._transcript.settle(turn, "abandoned")
            commands += [StopTool(turn), Record(stopped)]
        self._running.clear()
        return commands

    def settle_lost(self) -> list[Command]:
        """Those of an earlier session will not answer any more."""
        return [
            Record(self._transcript.settle(turn, "abandoned"))
            for turn in self._transcript.unsettled()
            if turn not in self._running
        ]


def argument(call: ToolCall, name: str) -> str:
    """A text among the model's arguments; empty if there is none."""
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return ""
    value = given.get(name) if isinstance(given, dict) else None
    return value if isinstance(value, str) else ""
