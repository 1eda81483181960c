"""The state machine itself: events in, commands out."""

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum, auto

from agents.dialogue.script import (
    AskModel,
    CallerHungUp,
    CallerInterrupted,
    CallerSilent,
    CallerSpoke,
    CallOpened,
    Command,
    EndCall,
    Event,
    KeysPressed,
    Record,
    ReplyFailed,
    ReplyFinished,
    ReplyLate,
    ReplyToken,
    Say,
    SessionLost,
    Settings,
    StopModel,
    TimeUp,
    Turn,
)
from agents.dialogue.speech import contains_phrase, heard_part, spaced


class Phase(Enum):
    LISTENING = auto()
    REPLYING = auto()
    ENDED = auto()


class Dialogue:
    """One call's conversation; `turns` resumes one that was stored.

    The speech of an earlier session is over: resumed turns can't be interrupted.
    """

    _reply_ms: int | None

    def __init__(self, settings: Settings, turns: Iterable[Turn] = ()) -> None:
        self.settings = settings
        self._turns = list(turns)
        self._phase = Phase.LISTENING
        self._is_open = False
        self._reply = 0
        self._asked_at_ms = 0
        self._spoken: Turn | None = None  # the agent's turn that may still be playing
        self._forget_reply()

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(self._turns)

    @property
    def has_ended(self) -> bool:
        return self._phase is Phase.ENDED

    def receive(self, event: Event) -> list[Command]:
        """Say what is to be done about `event`, in order; nothing after the end."""
        match self._phase, event:
            case Phase.ENDED, _:
                return []
            case _, CallOpened(at_ms):
                return self._open(at_ms)
            case _, CallerSpoke(text, at_ms) if text.strip():
                return self._hear(text.strip(), at_ms)
            case _, KeysPressed(digits, at_ms) if digits and self.settings.dtmf:
                return self._hear(f"Keys pressed: {digits}", at_ms)
            case Phase.REPLYING, CallerInterrupted(heard, heard_ms) if self._said:
                return self._abandon(heard_part(self._said, heard, heard_ms))
            case Phase.LISTENING, CallerInterrupted(heard, heard_ms):
                return self._shorten_spoken(heard, heard_ms)
            case Phase.REPLYING, ReplyToken(self._reply, text, at_ms) if text:
                return self._pass_on(text, at_ms)
            case Phase.REPLYING, ReplyLate(self._reply, at_ms) if not self._said:
                return self._say(spaced(self.settings.filler), at_ms)
            case Phase.REPLYING, ReplyFinished(self._reply, at_ms):
                return self._finish(at_ms)
            case Phase.REPLYING, ReplyFailed(self._reply, _, at_ms):
                return self._give_up(at_ms)
            case Phase.LISTENING, CallerSilent(at_ms):
                return self._break_silence(at_ms)
            case _, TimeUp(at_ms):
                commands = self._abandon(self._said)
                message = self.settings.time_up_message
                return [*commands, *self._close_with(message, at_ms, "time_up")]
            case _, CallerHungUp() | SessionLost():
                commands = self._abandon(self._said)
                self._phase = Phase.ENDED
                return commands
        return []  # an interruption of silence, or news of an abandoned reply

    def messages(self) -> tuple[dict[str, str], ...]:
        """What the model is shown: the instructions, then what either side heard.

        The caller's words are never part of the instructions. Utterances of one
        speaker in a row are one message, for some models refuse two user messages.
        """
        messages: list[dict[str, str]] = []
        if self.settings.instructions:
            messages.append({"role": "system", "content": self.settings.instructions})
        for turn in self._latest_turns():
            role = "user" if turn.speaker == "caller" else "assistant"
            if messages and messages[-1]["role"] == role:
                messages[-1]["content"] += "\n" + turn.text
            else:
                messages.append({"role": role, "content": turn.text})
        return tuple(messages)

    def _latest_turns(self) -> list[Turn]:
        heard = [turn for turn in self._turns if turn.text]
        limit = self.settings.history_limit
        return heard if limit is None else heard[max(0, len(heard) - limit) :]

    def _open(self, at_ms: int) -> list[Command]:
        if self._is_open:
            return []
        self._is_open = True
        if self._turns:
            return self._resume(at_ms)
        if self.settings.caller_speaks_first or not self.settings.greeting:
            return []
        return [self._record_spoken(self.settings.greeting, at_ms)]

    def _resume(self, at_ms: int) -> list[Command]:
        """Answer what the caller said last, if the session was lost before that."""
        waiting = self._turns[-1].speaker == "caller" and self._reply == 0
        return [self._ask(at_ms)] if waiting else []

    def _hear(self, text: str, at_ms: int) -> list[Command]:
        commands = self._abandon(self._said)
        self._spoken = None
        heard = self._add(Turn(self._next_number, "caller", text, at_ms))
        return [*commands, heard, self._ask(at_ms)]

    def _ask(self, at_ms: int) -> AskModel:
        self._phase = Phase.REPLYING
        self._reply += 1
        self._asked_at_ms = at_ms
        return AskModel(self._reply, self.messages())

    def _pass_on(self, text: str, at_ms: int) -> list[Command]:
        if self._reply_ms is None:
            self._reply_ms = at_ms - self._asked_at_ms
        self._model_said += text
        return self._say(text, at_ms)

    def _say(self, text: str, at_ms: int) -> list[Command]:
        if not text:
            return []
        if not self._said:
            self._said_at_ms = at_ms
        self._said += text
        return [Say(text)]

    def _finish(self, at_ms: int) -> list[Command]:
        if not self._model_said.strip():
            return self._give_up(at_ms)
        if contains_phrase(self._model_said, self.settings.end_call_phrases):
            return self._close_with(
                self.settings.end_call_message, at_ms, "agent_ended"
            )
        return self._close_speech()

    def _give_up(self, at_ms: int) -> list[Command]:
        return self._close_with(self.settings.apology, at_ms, "model_failed")

    def _break_silence(self, at_ms: int) -> list[Command]:
        """Ask once whether somebody is there, hang up the second time.

        Whether it was asked is read from the transcript, so that it also holds where
        every turn is a request of its own.
        """
        question = self.settings.silence_message.strip()
        if not question or self._has_just_said(question):
            message = self.settings.end_call_message
            return self._close_with(message, at_ms, "caller_silent")
        return [*self._say(question, at_ms), *self._close_speech()]

    def _has_just_said(self, text: str) -> bool:
        """Whether the latest turn is the agent's `text`, or the heard part of it."""
        if not self._turns:
            return False
        speaker, heard = self._turns[-1].speaker, self._turns[-1].text
        return speaker == "agent" and heard != "" and text.startswith(heard)

    def _close_with(self, message: str, at_ms: int, reason: str) -> list[Command]:
        """Say a last sentence, behind what was said in this reply, and hang up."""
        if message and self._said and not self._said[-1].isspace():
            message = " " + message
        commands = self._say(message, at_ms)
        if self._said or self._phase is Phase.REPLYING:
            commands += self._close_speech()
        self._phase = Phase.ENDED
        return [*commands, EndCall(reason)]

    def _abandon(self, heard: str) -> list[Command]:
        """Drop the reply being made, keeping of it what was heard."""
        if self._phase is not Phase.REPLYING:
            return []
        stop = StopModel(self._reply)
        return [stop, *self._close_speech(heard, interrupted=True)]

    def _close_speech(
        self, heard: str | None = None, *, interrupted: bool = False
    ) -> list[Command]:
        """Close what the agent is saying; a reply without a word leaves no turn."""
        text = self._said if heard is None else heard
        commands: list[Command] = [Say("", last=True)]
        if self._said.strip():
            commands.append(
                self._record_spoken(
                    text,
                    self._said_at_ms,
                    reply_ms=self._reply_ms,
                    interrupted=interrupted,
                )
            )
        self._forget_reply()
        self._phase = Phase.LISTENING
        return commands

    def _record_spoken(
        self,
        text: str,
        at_ms: int,
        *,
        reply_ms: int | None = None,
        interrupted: bool = False,
    ) -> Record:
        turn = Turn(
            self._next_number, "agent", text.strip(), at_ms, reply_ms, interrupted
        )
        self._spoken = None if interrupted else turn
        return self._add(turn)

    def _shorten_spoken(self, heard: str | None, heard_ms: int | None) -> list[Command]:
        """Cut the recorded turn to what was heard: its sound lags behind its text."""
        if self._spoken is None:
            return []
        text = heard_part(self._spoken.text, heard, heard_ms).strip()
        cut = replace(self._spoken, text=text, interrupted=True)
        self._turns[self._turns.index(self._spoken)] = cut
        self._spoken = None
        return [Record(cut)]

    @property
    def _next_number(self) -> int:
        return self._turns[-1].number + 1 if self._turns else 1

    def _add(self, turn: Turn) -> Record:
        self._turns.append(turn)
        return Record(turn)

    def _forget_reply(self) -> None:
        self._said = ""  # everything sent to the caller in this reply, a filler too
        self._model_said = ""
        self._said_at_ms = 0
        self._reply_ms = None
