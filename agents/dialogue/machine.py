"""The state machine itself: events in, commands out."""

import json
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum, auto

from agents.chat import Message, ToolCall
from agents.dialogue.history import messages_of
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
    StopTool,
    TimeUp,
    ToolAnswered,
    ToolAsked,
    ToolUse,
    TransferCall,
    Turn,
    UseTool,
)
from agents.dialogue.speech import contains_phrase, heard_part, is_start, spaced

MAX_ROUNDS = 5  # of tools, for what the caller said once; then the model must answer
MAX_CALLS = 8  # of tools, in one reply

# Tools that are the dialogue's own to carry out.
END_CALL, TRANSFER_CALL = "end_call", "transfer_call"
ENDING = {END_CALL, TRANSFER_CALL}

UNKNOWN_TOOL = "There is no tool of this name."
TOO_MANY_TOOLS = "Too many tools at once: this one was not used."
END_ASKED_ALREADY = "Not done: only one way to end the call can be taken."
END_TOO_EARLY = "Not done: another tool failed. Tell the caller first."


class Phase(Enum):
    LISTENING = auto()
    REPLYING = auto()  # the model is asked
    WORKING = auto()  # tools are, and the model waits for their answers
    ENDED = auto()


class Dialogue:
    """One call's conversation; `turns` resumes one that was stored.

    The speech of an earlier session is over: resumed turns can't be interrupted, and
    a tool that was at work then will not answer any more.
    """

    _reply_ms: int | None
    _calls: list[ToolCall]  # asked for in the reply that is being made
    _awaited: set[int]  # turns of tools that the reply waits for
    _wish: tuple[int, ToolCall] | None  # the tool that ends the call, and its turn

    def __init__(self, settings: Settings, turns: Iterable[Turn] = ()) -> None:
        self.settings = settings
        self._turns = list(turns)
        self._phase = Phase.LISTENING
        self._is_open = False
        self._reply = 0
        self._spoken: Turn | None = None  # the agent's turn that may still be playing
        self._running: set[int] = set()  # turns of tools that are at work
        self._forget_reply()
        self._begin_answer(0)

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(self._turns)

    @property
    def has_ended(self) -> bool:
        return self._phase is Phase.ENDED

    @property
    def is_busy(self) -> bool:
        """Whether the caller waits: for the model, or for tools."""
        return self._phase in (Phase.REPLYING, Phase.WORKING)

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
            case _, CallerInterrupted(heard, heard_ms):
                return self._interrupt(heard, heard_ms)
            case Phase.REPLYING, ReplyToken(self._reply, text, at_ms) if text:
                return self._pass_on(text, at_ms)
            case Phase.REPLYING, ToolAsked(self._reply, call):
                self._calls.append(call)
            case Phase.REPLYING | Phase.WORKING, ReplyLate(self._reply, at_ms):
                return self._fill(at_ms)
            case Phase.REPLYING, ReplyFinished(self._reply, at_ms):
                return self._finish(at_ms)
            case Phase.REPLYING, ReplyFailed(self._reply, _, at_ms):
                return self._give_up(at_ms)
            case _, ToolAnswered(turn) if turn in self._running:
                return self._take_answer(event)
            case Phase.LISTENING, CallerSilent(at_ms):
                return self._break_silence(at_ms)
            case _, TimeUp(at_ms):
                commands = self._abandon(self._said)
                message = self.settings.time_up_message
                return [*commands, *self._close_with(message, at_ms, "time_up")]
            case _, CallerHungUp() | SessionLost():
                return [*self._abandon(self._said), *self._end()]
        return []  # an interruption of silence, or news of an abandoned reply

    def messages(self) -> tuple[Message, ...]:
        """What the model is shown: the instructions, then the latest turns."""
        limit = self.settings.history_limit
        turns = [turn for turn in self._turns if turn.text or turn.tool]
        latest = turns if limit is None else turns[max(0, len(turns) - limit) :]
        return messages_of(self.settings.instructions, latest)

    # the beginning, and what the caller does

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
        """Answer what the caller said last, if the session was lost before that.

        A reply that broke off with the session is made anew.
        """
        commands: list[Command] = [
            self._settle_tool(turn.number, "abandoned")
            for turn in self._turns
            if turn.tool and turn.tool.status == "running"
        ]
        if self._reply == 0 and self._is_answer_due():
            self._begin_answer(at_ms)
            commands.append(self._ask())
        return commands

    def _is_answer_due(self) -> bool:
        latest = self._turns[-1]
        was_asked = any(turn.speaker == "caller" for turn in self._turns)
        return was_asked and (latest.speaker != "agent" or latest.interrupted)

    def _hear(self, text: str, at_ms: int) -> list[Command]:
        commands = self._abandon(self._said)
        self._spoken = None
        self._begin_answer(at_ms)
        heard = self._add(Turn(self._next_number, "caller", text, at_ms))
        return [*commands, heard, self._ask()]

    def _interrupt(self, heard: str | None, heard_ms: int | None) -> list[Command]:
        """Cut what is being said to what was heard of it.

        The sound lags behind the text: it may be the sentence before that still plays,
        while the next reply is on its way.
        """
        if not self._said:
            return self._shorten_spoken(heard, heard_ms)
        commands: list[Command] = []
        before = self._spoken
        if before and is_start(before.text, heard) and not is_start(self._said, heard):
            commands = self._shorten_spoken(heard, heard_ms)
            return [*commands, *self._abandon("")]
        return self._abandon(heard_part(self._said, heard, heard_ms))

    # the reply

    def _begin_answer(self, at_ms: int) -> None:
        """What was heard now is to be answered, if need be with the help of tools."""
        self._heard_at_ms = at_ms
        self._rounds = 0
        self._is_answering = False  # the model has begun to speak
        self._has_spoken = False  # somebody has: a filler, or what goes with a tool

    def _ask(self) -> AskModel:
        self._phase = Phase.REPLYING
        self._reply += 1
        self._rounds += 1
        self._model_said, self._calls = "", []
        return AskModel(self._reply, self.messages(), self._rounds <= MAX_ROUNDS)

    def _pass_on(self, text: str, at_ms: int) -> list[Command]:
        if not self._is_answering:
            self._reply_ms = at_ms - self._heard_at_ms
            self._is_answering = True
        self._model_said += text
        return self._say(text, at_ms)

    def _say(self, text: str, at_ms: int) -> list[Command]:
        if not text:
            return []
        if not self._said:
            self._said_at_ms = at_ms
        self._said += text
        self._has_spoken = True
        return [Say(text)]

    def _fill(self, at_ms: int) -> list[Command]:
        """Cover a pause; once, and only as long as nothing else was said."""
        if self._has_spoken:
            return []
        return self._say(spaced(self.settings.filler), at_ms)

    def _finish(self, at_ms: int) -> list[Command]:
        if self._calls and self._rounds <= MAX_ROUNDS:
            return self._use_tools(at_ms)
        if not self._model_said.strip():
            return self._give_up(at_ms)
        if contains_phrase(self._model_said, self.settings.end_call_phrases):
            return self._say_goodbye(at_ms)
        return self._close_speech()

    def _say_goodbye(self, at_ms: int, detail: str = "") -> list[Command]:
        message = self.settings.end_call_message
        return self._close_with(message, at_ms, "agent_ended", detail)

    def _give_up(self, at_ms: int) -> list[Command]:
        return self._close_with(self.settings.apology, at_ms, "model_failed")

    def _abandon(self, heard: str) -> list[Command]:
        """Drop the reply being made, keeping of it what was heard.

        Tools go on: what they do is done, and the model will learn of it.
        """
        if not self.is_busy:
            return []
        commands: list[Command] = []
        if self._phase is Phase.REPLYING:
            commands.append(StopModel(self._reply))
        if self._phase is Phase.REPLYING or self._said:
            commands += self._close_speech(heard, interrupted=True)
        if self._wish is not None:
            commands.append(self._settle_tool(self._wish[0], "abandoned"))
        self._forget_reply()
        self._phase = Phase.LISTENING
        return commands

    # tools

    def _use_tools(self, at_ms: int) -> list[Command]:
        """Begin what the model asked for, and close what was said so far."""
        commands = self._say_meanwhile(at_ms)
        phrases = self.settings.end_call_phrases
        self._means_to_end = contains_phrase(self._model_said, phrases)
        if self._said:
            commands += self._close_speech()
        self._phase = Phase.WORKING
        for call in self._calls:
            commands += self._begin_tool(call, at_ms)
        return [*commands, *self._go_on(at_ms)]

    def _say_meanwhile(self, at_ms: int) -> list[Command]:
        """The first sentence for these tools, if the model has none of its own.

        That the call is handed over is always said in the words chosen for it.
        """
        names = [call.name for call in self._calls]
        if TRANSFER_CALL in names:
            announced = self.settings.tools.get(TRANSFER_CALL, "").strip()
            return self._say_behind(announced, at_ms)
        if self._has_spoken:
            return []
        sentences = (self.settings.tools.get(name, "") for name in names)
        return self._say(next(filter(None, sentences), "").strip(), at_ms)

    def _say_behind(self, text: str, at_ms: int) -> list[Command]:
        """Say it behind what was said in this reply."""
        is_apart = not self._said or self._said[-1].isspace()
        return self._say(text if is_apart or not text else " " + text, at_ms)

    def _begin_tool(self, call: ToolCall, at_ms: int) -> list[Command]:
        number = self._next_number
        begun = self._add(
            Turn(number, "tool", "", at_ms, tool=ToolUse(call.name, call.arguments))
        )
        if refusal := self._refusal(call):
            self._has_failed = True
            return [self._settle_tool(number, "refused", refusal)]
        if call.name in ENDING:
            self._wish = number, call
            return [begun]
        self._running.add(number)
        self._awaited.add(number)
        return [begun, UseTool(number, call)]

    def _refusal(self, call: ToolCall) -> str:
        if call.name not in self.settings.tools:
            return UNKNOWN_TOOL
        if len(self._awaited) >= MAX_CALLS:
            return TOO_MANY_TOOLS
        has_wish = self._wish is not None
        return END_ASKED_ALREADY if has_wish and call.name in ENDING else ""

    def _take_answer(self, answer: ToolAnswered) -> list[Command]:
        self._running.discard(answer.turn)
        commands: list[Command] = [
            self._settle_tool(
                answer.turn, answer.status, answer.text, answer.elapsed_ms
            )
        ]
        if answer.turn in self._awaited:
            self._awaited.discard(answer.turn)
            self._has_failed |= answer.status != "ok"
            commands += self._go_on(answer.at_ms)
        return commands

    def _go_on(self, at_ms: int) -> list[Command]:
        """When every tool has answered: end the call as asked, or ask the model."""
        if self._awaited:
            return []
        wish, self._wish = self._wish, None
        has_failed, self._has_failed = self._has_failed, False
        if wish is None:
            is_over = self._means_to_end and not has_failed
            return self._say_goodbye(at_ms) if is_over else [self._ask()]
        number, call = wish
        if has_failed:
            return [self._settle_tool(number, "refused", END_TOO_EARLY), self._ask()]
        done, reason = self._settle_tool(number, "ok"), _argument(call, "reason")
        if call.name == END_CALL:
            return [done, *self._say_goodbye(at_ms, reason)]
        closed = self._close_speech() if self._said else []
        transfer = TransferCall(_argument(call, "to"), reason)
        return [done, *closed, *self._end(), transfer]

    def _settle_tool(
        self, number: int, status: str, text: str = "", elapsed_ms: int = 0
    ) -> Record:
        place = next(i for i, turn in enumerate(self._turns) if turn.number == number)
        turn = self._turns[place]
        assert turn.tool is not None
        tool = replace(turn.tool, status=status, elapsed_ms=elapsed_ms)
        self._turns[place] = replace(turn, text=text, tool=tool)
        return Record(self._turns[place])

    # silence and the end

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

    def _close_with(
        self, message: str, at_ms: int, reason: str, detail: str = ""
    ) -> list[Command]:
        """Say a last sentence, behind what was said in this reply, and hang up."""
        commands = self._say_behind(message, at_ms)
        if self._said or self._phase is Phase.REPLYING:
            commands += self._close_speech()
        return [*commands, *self._end(), EndCall(reason, detail)]

    def _end(self) -> list[Command]:
        """Nothing after this; what is still at work is called off."""
        self._phase = Phase.ENDED
        commands: list[Command] = []
        for number in sorted(self._running):
            commands += [StopTool(number), self._settle_tool(number, "abandoned")]
        self._running.clear()
        return commands

    # what is said

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
        self._forget_speech()
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
        self._forget_speech()
        self._model_said = ""
        self._calls = []
        self._awaited = set()
        self._wish = None
        self._means_to_end = False  # the model has said so, in its last words
        self._has_failed = False

    def _forget_speech(self) -> None:
        self._said = ""  # everything sent to the caller since the last close
        self._said_at_ms = 0
        self._reply_ms = None


def _argument(call: ToolCall, name: str) -> str:
    """A text among the model's arguments; empty if there is none."""
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return ""
    value = given.get(name) if isinstance(given, dict) else None
    return value if isinstance(value, str) else ""
