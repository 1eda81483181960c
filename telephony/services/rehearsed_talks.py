"""A rehearsal without a line: the caller's turns are handed to the agent one by one.

It is a call of the turn-by-turn kind: the same dialogue, model and tools, and the same
rows. Nothing is heard, so nobody can be interrupted, and silences pass at once.
"""

import uuid
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.utils.timezone import now

from agents.models import VoiceAgent
from telephony import gather
from telephony.models import Call, Rehearsal
from telephony.services import calls, rehearsals, testing, transfers

LONGEST_S = 180
STAYS_S = 3600  # the silence of a caller who does nothing at all


def hold(rehearsal: Rehearsal, agent: VoiceAgent, turns: list[dict[str, Any]]) -> Call:
    """Hold the conversation and end it; the call with all its rows."""
    line = testing.line_for(agent)
    agent.transport = VoiceAgent.Transport.GATHER  # in this call
    line.agent = agent
    call = calls.receive_call(
        calls.Line(test_line=line),
        sid=f"RH{uuid.uuid4().hex}",
        from_number=testing.CALLER_NUMBER,
        to_number=testing.CALLED_NUMBER,
        at=now(),
    )
    rehearsals.adopt(call, str(rehearsal.pk))
    _Talk(call, monotonic() + LONGEST_S).hold(turns or [{"silence_s": STAYS_S}])
    call.refresh_from_db()
    return call


@dataclass
class _Talk:
    call: Call
    until: float
    answer: gather.Answer | None = None

    def hold(self, turns: list[dict[str, Any]]) -> None:
        self._take(gather.open_call(self.call))
        for turn in turns:
            if not self._goes_on():
                break
            self._play(turn)
        at = now()
        duration_s = int((at - self.call.started_at).total_seconds())
        calls.follow_status(
            self.call, status=Call.Status.COMPLETED, at=at, duration_s=duration_s
        )

    def _goes_on(self) -> bool:
        return isinstance(self.answer, gather.Listen) and monotonic() < self.until

    def _play(self, turn: dict[str, Any]) -> None:
        match turn:
            case {"say": text} | {"interrupt": text}:
                self._hear(gather.Heard(words=text))
            case {"press": digits}:
                self._hear(gather.Heard(digits=digits))
            case {"silence_s": seconds}:
                self._be_silent(seconds)
            case {"hang_up": True} | {"break_off": _}:
                self.until = 0

    def _hear(self, heard: gather.Heard) -> None:
        after = self.answer.after
        self._take(gather.take_turn(self.call, heard, after=after, at=now()))

    def _be_silent(self, seconds: int) -> None:
        while self._goes_on() and seconds >= self.answer.patience_s:
            seconds -= self.answer.patience_s
            self._hear(gather.Heard(silent_s=self.answer.patience_s))

    def _take(self, answer: gather.Answer) -> None:
        self.answer = answer
        if isinstance(answer, gather.HandOver):
            self.answer = self._answer_of_nobody()

    def _answer_of_nobody(self) -> gather.Answer:
        """Nobody is called in a rehearsal: the agent has the caller back."""
        session = self.call.times_resumed
        if transfers.begin(self.call, session=session, at=now()):
            transfers.end(
                self.call,
                session=session,
                has_talked=False,
                dial_status=Call.Status.NO_ANSWER,
                call_status=Call.Status.IN_PROGRESS,
                duration_s=None,
                at=now(),
            )
        return gather.go_on(self.call, at=now())
