"""The state machine itself: events in, commands out."""

import json
from collections.abc import Iterable
from enum import Enum, auto

from agents.chat import Message, ToolCall
from agents.dialogue.history import messages_of
from agents.dialogue.screening import ASKED_WITHIN, asks_to_wait, asks_who_calls
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
    Fulfilled,
    KeysPressed,
    PersonEnded,
    PersonInstructed,
    PersonSpoke,
    PersonTransferred,
    Record,
    ReplyFailed,
    ReplyFinished,
    ReplyLate,
    ReplyToken,
    Say,
    SessionLost,
    Settings,
    StopModel,
    TimeShort,
    TimeUp,
    ToolAnswered,
    ToolAsked,
    ToolUse,
    TransferCall,
    Turn,
)
from agents.dialogue.speech import contains_phrase, heard_part, is_start, spaced
from agents.dialogue.tools import END_CALL, TRANSFER_CALL, Tools, argument
from agents.dialogue.transcript import Transcript

MAX_ROUNDS = 5  # of tools, for what the caller said once; then the model must answer


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

    def __init__(self, settings: Settings, turns: Iterable[Turn] = ()) -> None:
        self.settings = settings
        self._transcript = Transcript(turns)
        self._phase = Phase.LISTENING
        self._is_open = False
        self._reply = 0
        self._spoken: Turn | None = None  # the agent's turn that may still be playing
        self._tools = Tools(settings.tools, self._transcript)
        self._is_warning_due = False  # that the time is nearly up
        self._to_say: list[PersonSpoke] = []  # for people of the team
        self._forget_reply()
        self._begin_answer(0)

    @property
    def turns(self) -> tuple[Turn, ...]:
        return self._transcript.turns

    @property
    def has_ended(self) -> bool:
        return self._phase is Phase.ENDED

    @property
    def is_busy(self) -> bool:
        """Whether the caller waits: for the model, or for tools."""
        return self._phase in (Phase.REPLYING, Phase.WORKING)

    @property
    def owes_answer(self) -> bool:
        """Whether the caller's last words are still to be answered."""
        if not self._transcript.is_answer_due():
            return False
        return self._words_for_assistant(self._last_heard) != ""

    @property
    def _last_heard(self) -> str:
        heard = self._transcript.latest_of("caller")
        return heard.text if heard else ""

    def receive(self, event: Event) -> list[Command]:
        """Say what is to be done about `event`, in order; nothing after the end."""
        is_news = self._is_news(event)
        commands = self._react(event)
        # Not while the caller breaks in: nor by what an abandoned reply still tells.
        if self._to_say and is_news and not isinstance(event, CallerInterrupted):
            commands += self._say_for_people(event.at_ms)
        return commands

    def _is_news(self, event: Event) -> bool:
        """Whether it is not about a reply or a tool that nobody waits for any more."""
        match event:
            case (
                ReplyToken(reply)
                | ToolAsked(reply)
                | ReplyFinished(reply)
                | ReplyFailed(reply)
            ):
                return self._phase is Phase.REPLYING and reply == self._reply
            case ReplyLate(reply):
                return self.is_busy and reply == self._reply
            case ToolAnswered(turn):
                return self._tools.is_running(turn)
        return True

    def _react(self, event: Event) -> list[Command]:
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
            case _, ToolAnswered(turn) if self._tools.is_running(turn):
                return self._take_answer(event)
            case Phase.LISTENING, CallerSilent(at_ms):
                return self._break_silence(at_ms)
            case Phase.LISTENING, TimeShort(at_ms):
                return self._warn(at_ms)
            case _, TimeShort():
                self._is_warning_due = True
            case _, TimeUp(at_ms):
                commands = self._abandon(self._said)
                message = self.settings.time_up_message
                return [*commands, *self._close_with(message, at_ms, "time_up")]
            case _, PersonSpoke():
                self._to_say.append(event)
            case _, PersonInstructed(wish, text, by, at_ms):
                told = self._transcript.add("instruction", text, at_ms, by=by)
                return [Record(told), Fulfilled(wish)]
            case _, PersonTransferred():
                return self._hand_over_for(event)
            case _, PersonEnded(wish, detail, at_ms):
                commands = [*self._abandon(self._said), Fulfilled(wish)]
                message = self.settings.end_call_message
                ending = self._close_with(message, at_ms, "hung_up_here", detail)
                return [*commands, *ending]
            case _, CallerHungUp() | SessionLost():
                return [*self._abandon(self._said), *self._end()]
        return []  # an interruption of silence, or news of an abandoned reply

    def messages(self) -> tuple[Message, ...]:
        """What the model is shown: the instructions, then the latest turns."""
        latest = self._transcript.latest(self.settings.history_limit)
        given = self._transcript.instructions()
        known = self.settings.known
        return messages_of(self.settings.instructions, latest, given, known)

    # the beginning, and what the caller does

    def _open(self, at_ms: int) -> list[Command]:
        if self._is_open:
            return []
        self._is_open = True
        if self._transcript:
            return self._resume(at_ms)
        if self.settings.caller_speaks_first or not self.settings.greeting:
            return []
        return [self._record_spoken(self.settings.greeting, at_ms)]

    def _resume(self, at_ms: int) -> list[Command]:
        """Answer what the caller said last, if the session was lost before that.

        A reply that broke off with the session is made anew.
        """
        commands = self._tools.settle_lost()
        if self._reply == 0 and self._transcript.is_answer_due():
            self._begin_answer(at_ms)
            commands += self._answer(self._last_heard, at_ms)
        return commands

    def _hear(self, text: str, at_ms: int) -> list[Command]:
        commands = self._abandon(self._said)
        self._spoken = None
        self._begin_answer(at_ms)
        heard = self._transcript.add("caller", text, at_ms)
        return [*commands, Record(heard), *self._answer(text, at_ms)]

    def _answer(self, text: str, at_ms: int) -> list[Command]:
        """The model's answer; where an assistant screens the call, one of our own."""
        words = self._words_for_assistant(text)
        if words is None:
            return [self._ask()]
        return [*self._say(words, at_ms), *self._close_speech()] if words else []

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

    def _say_behind(self, sentence: str, at_ms: int) -> list[Command]:
        """Say something of our own after the model's words."""
        if sentence and self._said and not self._said[-1].isspace():
            sentence = " " + sentence
        return self._say(sentence, at_ms)

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
        return self._warn(at_ms) if self._is_warning_due else self._close_speech()

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
        commands += self._tools.leave()
        self._forget_reply()
        self._phase = Phase.LISTENING
        return commands

    # call screening

    def _words_for_assistant(self, text: str) -> str | None:
        """What is said to `text` without asking the model; None: it is to be asked.

        Who is waited for did not hear the greeting: it comes again, for a person.
        """
        message = self.settings.screening_message.strip()
        if not message:
            return None
        is_early = self._transcript.count("caller") <= ASKED_WITHIN
        if asks_who_calls(text) and (is_early or self._waits_for_person()):
            return message
        if not self._waits_for_person():
            return None
        return "" if asks_to_wait(text) else self.settings.greeting.strip() or None

    def _waits_for_person(self) -> bool:
        """Whether the last that the agent has said was for an assistant.

        Read from the transcript, as are reminders.
        """
        message = self.settings.screening_message.strip()
        said = self._transcript.latest_of("agent")
        if not message or said is None:
            return False
        was_cut = said.interrupted and not self.settings.greeting.startswith(said.text)
        return said.text == message or (was_cut and message.startswith(said.text))

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
            commands += self._tools.begin(call, at_ms)
        if self._tools.is_awaited:
            return commands
        return [*commands, *self._go_on(at_ms)]

    def _say_meanwhile(self, at_ms: int) -> list[Command]:
        """The first sentence for these tools, if the model has none of its own.

        That the call is handed over is always said in the words chosen for it.
        """
        if any(call.name == TRANSFER_CALL for call in self._calls):
            announced = self.settings.tools.get(TRANSFER_CALL, "").strip()
            return self._say_behind(announced, at_ms)
        if self._has_spoken:
            return []
        return self._say(self._tools.meanwhile(self._calls), at_ms)

    def _take_answer(self, answer: ToolAnswered) -> list[Command]:
        is_last = self._tools.take(answer)
        commands: list[Command] = [Record(self._transcript.turn(answer.turn))]
        return [*commands, *self._go_on(answer.at_ms)] if is_last else commands

    def _go_on(self, at_ms: int) -> list[Command]:
        """Every tool has answered: end the call as asked, or ask the model."""
        settled, ending, has_failed = self._tools.conclude()
        if ending is None:
            is_over = self._means_to_end and not has_failed
            then = self._say_goodbye(at_ms) if is_over else [self._ask()]
            return [*settled, *then]
        reason = argument(ending, "reason")
        if ending.name == END_CALL:
            return [*settled, *self._say_goodbye(at_ms, reason)]
        closed = self._close_speech() if self._said else []
        transfer = TransferCall(argument(ending, "to"), reason)
        return [*settled, *closed, *self._end(), transfer]

    # what people of the team want

    def _say_for_people(self, at_ms: int) -> list[Command]:
        """Say it when the agent is not in the middle of a reply."""
        if self.has_ended or self._phase is Phase.REPLYING:
            return []
        phase = self._phase  # tools at work are waited for as before
        commands = self._close_speech() if self._said else []
        for wanted in self._to_say:
            commands += self._say(wanted.text.strip(), at_ms)
            commands += [*self._close_speech(by=wanted.by), Fulfilled(wanted.wish)]
        self._to_say = []
        self._phase = phase
        return commands

    def _hand_over_for(self, wanted: PersonTransferred) -> list[Command]:
        """Written down like the tool's use: what comes of it is told to the agent."""
        commands = self._abandon(self._said)
        announced = self.settings.tools.get(TRANSFER_CALL, "").strip()
        if announced:
            commands += [*self._say(announced, wanted.at_ms), *self._close_speech()]
        use = ToolUse(TRANSFER_CALL, json.dumps({"to": wanted.to}), "ok")
        turn = self._transcript.add("tool", "", wanted.at_ms, tool=use, by=wanted.by)
        commands += [Record(turn), Fulfilled(wanted.wish)]
        return [*commands, *self._end(), TransferCall(wanted.to, "")]

    # silence and the end

    def _break_silence(self, at_ms: int) -> list[Command]:
        """Ask whether somebody is there, as often as is wanted; then hang up."""
        if self._reminders_left() > 0 and not self._waits_for_person():
            question = self.settings.silence_message.strip()
            return [*self._say(question, at_ms), *self._close_speech()]
        message = self.settings.end_call_message
        return self._close_with(message, at_ms, "caller_silent")

    @property
    def patience_s(self) -> int:
        """How long a silence may get, since either last spoke, until `CallerSilent`."""
        settings = self.settings
        if self._waits_for_person():
            return settings.screening_patience_s
        if self._reminders_left() > 0:
            return settings.silence_reminder_s
        reminded_s = self._reminders_said() * settings.silence_reminder_s
        return max(0, settings.silence_timeout_s - reminded_s)

    def _reminders_left(self) -> int:
        """Those that still come before the hang-up."""
        settings = self.settings
        if not settings.silence_message.strip():
            return 0
        times = settings.silence_reminders
        while times and times * settings.silence_reminder_s >= (
            settings.silence_timeout_s
        ):
            times -= 1
        return times - self._reminders_said()

    def _reminders_said(self) -> int:
        """Read from the transcript, so that it also holds where every turn is a
        request of its own."""
        question = self.settings.silence_message.strip()
        return self._transcript.times_said_since_heard(question) if question else 0

    def _warn(self, at_ms: int) -> list[Command]:
        """Say that the time is nearly up: now, or behind the reply that is made."""
        self._is_warning_due = False
        said = self._say_behind(self.settings.time_warning, at_ms)
        return [*said, *self._close_speech()] if self._said else []

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
        return self._tools.stop()

    # what is said

    def _close_speech(
        self, heard: str | None = None, *, interrupted: bool = False, by: str = ""
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
                    by=by,
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
        by: str = "",
    ) -> Record:
        turn = self._transcript.add(
            "agent",
            text.strip(),
            at_ms,
            reply_ms=reply_ms,
            interrupted=interrupted,
            by=by,
        )
        self._spoken = None if interrupted else turn
        return Record(turn)

    def _shorten_spoken(self, heard: str | None, heard_ms: int | None) -> list[Command]:
        """Cut the recorded turn to what was heard: its sound lags behind its text."""
        if self._spoken is None:
            return []
        text = heard_part(self._spoken.text, heard, heard_ms).strip()
        cut = self._transcript.shorten(self._spoken.number, text)
        self._spoken = None
        return [Record(cut)]

    def _forget_reply(self) -> None:
        self._forget_speech()
        self._model_said = ""
        self._calls = []
        self._means_to_end = False  # the model has said so, in its last words

    def _forget_speech(self) -> None:
        self._said = ""  # everything sent to the caller since the last close
        self._said_at_ms = 0
        self._reply_ms = None
