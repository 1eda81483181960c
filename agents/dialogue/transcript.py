"""What was said and done so far, turn by turn."""

from collections.abc import Iterable
from dataclasses import replace

from agents.dialogue.script import Turn


class Transcript:
    """Turns, numbered from 1; each may be changed as long as its sound or its tool
    has not come to an end."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._turns = list(turns)

    def __bool__(self) -> bool:
        return bool(self._turns)

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(self._turns)

    def latest(self, limit: int | None) -> list[Turn]:
        """The latest turns in which there is something, all without a limit."""
        turns = [turn for turn in self._heard() if turn.text or turn.tool]
        return turns if limit is None else turns[max(0, len(turns) - limit) :]

    def instructions(self) -> list[str]:
        """What people of the team told the agent; none is ever forgotten."""
        return [turn.text for turn in self._turns if turn.speaker == "instruction"]

    def _heard(self) -> list[Turn]:
        return [turn for turn in self._turns if turn.speaker != "instruction"]

    def add(self, speaker: str, text: str, at_ms: int, **more) -> Turn:
        number = self._turns[-1].number + 1 if self._turns else 1
        turn = Turn(number, speaker, text, at_ms, **more)
        self._turns.append(turn)
        return turn

    def turn(self, number: int) -> Turn:
        return self._turns[self._place(number)]

    def shorten(self, number: int, heard: str) -> Turn:
        """Cut a turn to what was heard of it."""
        return self._replace(number, text=heard, interrupted=True)

    def settle(
        self, number: int, status: str, text: str = "", elapsed_ms: int = 0
    ) -> Turn:
        """Note what became of the tool of this turn."""
        turn = self.turn(number)
        assert turn.tool is not None
        tool = replace(turn.tool, status=status, elapsed_ms=elapsed_ms)
        return self._replace(number, text=text, tool=tool)

    def unsettled(self) -> list[int]:
        """The turns of tools that are at work, as far as is written."""
        return [
            turn.number
            for turn in self._turns
            if turn.tool and turn.tool.status == "running"
        ]

    def is_answer_due(self) -> bool:
        """Whether the caller was left without an answer, or without all of it."""
        if not any(turn.speaker == "caller" for turn in self._turns):
            return False
        latest = self._heard()[-1]
        return latest.speaker != "agent" or latest.interrupted

    def count(self, speaker: str) -> int:
        return sum(turn.speaker == speaker for turn in self._turns)

    def latest_of(self, speaker: str) -> Turn | None:
        found = (turn for turn in reversed(self._turns) if turn.speaker == speaker)
        return next(found, None)

    def times_said_since_heard(self, text: str) -> int:
        """How often the agent has said `text`, or the heard part of it, since the
        caller's last words."""
        count = 0
        for turn in reversed(self._turns):
            if turn.speaker == "caller":
                break
            is_it = turn.speaker == "agent" and turn.text and text.startswith(turn.text)
            count += bool(is_it)
        return count

    def _replace(self, number: int, **changes) -> Turn:
        place = self._place(number)
        self._turns[place] = replace(self._turns[place], **changes)
        return self._turns[place]

    def _place(self, number: int) -> int:
        return next(i for i, turn in enumerate(self._turns) if turn.number == number)
