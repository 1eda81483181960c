"""A call without a live session: every turn is a request of the carrier's.

Nothing is held in memory between them. `after`, in the address, is the number of the
last turn that both sides know of; the turn that comes next can be written only once,
so of two deliveries of one request only one asks the model. A reply, its tools
included, is made within the time that the carrier waits: there is no filler.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic

from agents import llm
from agents.dialogue import (
    TRANSFER_CALL,
    AskModel,
    CallerSilent,
    CallerSpoke,
    CallOpened,
    Command,
    Dialogue,
    EndCall,
    Event,
    Fulfilled,
    KeysPressed,
    Record,
    ReplyFailed,
    ReplyFinished,
    ReplyToken,
    Say,
    TimeShort,
    TimeUp,
    ToolAnswered,
    ToolAsked,
    ToolCall,
    TransferCall,
    Turn,
    UseTool,
)
from telephony import session, words
from telephony.models import Call, Intervention
from telephony.services import calls, costs, interventions, voicemail

# The carrier waits 15 s for the whole answer.
REPLY_DEADLINE_S = 9
TOOLS_DEADLINE_S = 8  # for the model's wish and the tools, whatever their own limits
ANSWER_DEADLINE_S = 13  # with tools: their answers go to the model once more
GIVE_UP_AFTER_S = ANSWER_DEADLINE_S + 6  # whoever was making the reply is gone
LISTEN_S = 5  # also how long a key waits for the next one


@dataclass(frozen=True)
class Listen:
    """Say `words` and hear what comes; `silent_s` had passed before without any.

    After `patience_s` of silence something is said about it.
    """

    words: str
    after: int
    patience_s: int
    silent_s: int = 0


@dataclass(frozen=True)
class Goodbye:
    words: str


@dataclass(frozen=True)
class HandOver:
    """Say `words` and call the person."""

    words: str


@dataclass(frozen=True)
class Wait:
    """The reply to this very request is still being made, or needs none: something else
    is about to be said.
    """


Answer = Listen | Goodbye | HandOver | Wait


@dataclass(frozen=True)
class Heard:
    """What a request brings: words or keys, or the length of a silence."""

    words: str = ""
    digits: str = ""
    silent_s: int = 0


class _Taken(Exception):
    """Another delivery of the same request came first."""


def open_call(call: Call) -> Answer:
    """The greeting. Repeating is safe."""
    greeting = session.greeting_of(call, at=call.started_at)
    if not greeting:
        return _listen(call, [], "", after=0)
    turn = Turn(1, "agent", greeting, at_ms=0)
    calls.add_turn(call, turn)
    return _listen(call, [turn], greeting, after=1)


def _listen(call: Call, turns: list[Turn], said: str, *, after: int) -> Listen:
    dialogue = Dialogue(session.settings_of(call, at=call.started_at), turns)
    return Listen(said, after=after, patience_s=dialogue.patience_s)


def take_up(call: Call, *, at: datetime) -> tuple[Answer, int]:
    """Go on after an answer of ours was lost; also, after which turn to ask again.

    What may not have been heard is said once more; a reply that was being made is
    waited for.
    """
    turns = calls.stored_turns(call)
    if not turns:
        return open_call(call), 0
    latest = turns[-1]
    if latest.speaker == "agent":
        again = _listen(call, turns, latest.text, after=latest.number)
        return again, latest.number
    after = latest.number - 1
    return _answer_again(call, turns, after=after, at=at), after


def take_turn(call: Call, heard: Heard, *, after: int, at: datetime) -> Answer:
    """Answer what was heard; a request that comes again gets the same answer."""
    is_machine = call.end_reason == Call.EndReason.VOICEMAIL and not call.has_ended
    if is_machine and voicemail.is_being_left(call, at):
        return Wait()
    turns = calls.stored_turns(call)
    if turns and turns[-1].number > after:
        return _answer_again(call, turns, after=after, at=at)
    if call.has_ended or call.end_reason:
        return Goodbye("")
    try:
        return _Exchange(call, turns, at).answer(heard, after=after)
    except _Taken:
        turns = calls.stored_turns(call)
        return _answer_again(call, turns, after=after, at=at)


def go_on(call: Call, *, at: datetime) -> Answer:
    """What the agent says when nobody took the call over; the same when asked again."""
    turns = calls.stored_turns(call)
    if turns[-1].speaker != "agent":
        with suppress(_Taken):
            return _Exchange(call, turns, at).go_on()
        turns = calls.stored_turns(call)
    return _answer_again(call, turns, after=turns[-1].number - 1, at=at)


def _answer_again(call: Call, turns: list[Turn], *, after: int, at: datetime) -> Answer:
    """What was answered before, or a pause while that is being made."""
    heard = [turn for turn in turns if turn.speaker != "instruction"]
    if not heard or heard[-1].number <= after:
        # Somebody of the team has told the agent something, and that is all.
        return _listen(call, turns, "", after=turns[-1].number)
    latest = heard[-1]
    if latest.speaker == "agent":
        said = [t.text for t in turns if t.number > after and t.speaker == "agent"]
        words_again = " ".join(said)
        if call.end_reason:
            return Goodbye(words_again)
        return _listen(call, turns, words_again, after=latest.number)
    if latest.tool and latest.tool.name == TRANSFER_CALL and latest.tool.status == "ok":
        said = [t.text for t in turns if t.number > after and t.speaker == "agent"]
        return HandOver(" ".join(said))
    dialogue = Dialogue(session.settings_of(call, at=call.started_at), turns)
    if not dialogue.owes_answer:  # an assistant has gone for its person
        return _listen(call, turns, "", after=turns[-1].number)
    if _ms_since_answer(call, at) - latest.at_ms < GIVE_UP_AFTER_S * 1000:
        return Wait()
    call.note_end_reason(Call.EndReason.OUR_ERROR)
    return Goodbye(words.apology())


def _ms_since_answer(call: Call, at: datetime) -> int:
    return max(0, int((at - call.answered_at).total_seconds() * 1000))


class _Exchange:
    """One thing that was heard, and what is said to it."""

    def __init__(self, call: Call, turns: list[Turn], at: datetime) -> None:
        self._call = call
        self._agent = call.agent
        self._toolbox = session.toolbox_of(call)
        settings = session.settings_of(call, at=at, toolbox=self._toolbox)
        # All is said at once, when the tools have answered: there is no meanwhile.
        heard = dict.fromkeys(settings.tools, "")
        if TRANSFER_CALL in heard:
            heard[TRANSFER_CALL] = settings.tools[TRANSFER_CALL]
        self._dialogue = Dialogue(replace(settings, tools=heard), turns)
        self._is_handing_over = False
        self._provider = session.provider_of(call.agent)
        self._began_ms = _ms_since_answer(call, at)
        self._began = monotonic()
        self._has_used_tools = False
        self._written: set[int] = set()
        self._said = ""
        self._failure = ""

    def answer(self, heard: Heard, *, after: int) -> Answer:
        event = self._event(heard)
        wishes = interventions.take(self._call)
        try:
            self._answer_to(event, wishes)
        finally:
            if wishes:
                interventions.give_back(self._call)
        answer = self._answer()
        if event is None and answer == self._listen(""):
            return replace(answer, after=answer.after or after, silent_s=heard.silent_s)
        return answer

    def _answer_to(self, event: Event | None, wishes: list[Intervention]) -> None:
        """What the agent is told goes before the reply, what it is to do behind it."""
        told = [wish for wish in wishes if wish.kind == Intervention.Kind.WHISPER]
        for wish in told:
            self._heed(wish)
        if event is not None:
            self._follow(self._dialogue.receive(event))
        for wish in wishes:
            if wish not in told:
                self._heed(wish)

    def _heed(self, wish: Intervention) -> None:
        event = session.event_of(wish, self._now_ms())
        self._follow(self._dialogue.receive(event))

    def go_on(self) -> Answer:
        """Say what is due without hearing anything: a tool has answered meanwhile."""
        self._follow(self._dialogue.receive(CallOpened(self._began_ms)))
        return self._answer()

    def _answer(self) -> Answer:
        said = self._said.strip()
        if self._is_handing_over:
            return HandOver(said)
        if self._dialogue.has_ended:
            return Goodbye(said)
        return self._listen(said)

    def _listen(self, said: str) -> Listen:
        turns = self._dialogue.turns
        latest = turns[-1].number if turns else 0
        return Listen(said, latest, self._dialogue.patience_s)

    def _now_ms(self) -> int:
        return self._began_ms + int((monotonic() - self._began) * 1000)

    def _left_s(self, within_s: float) -> float:
        return max(0.0, self._began + within_s - monotonic())

    def _event(self, heard: Heard) -> Event | None:
        """What the dialogue should know; None while the silence is not long enough."""
        at_ms = self._began_ms
        if at_ms >= self._agent.max_duration_s * 1000:
            return TimeUp(at_ms)
        if heard.words:
            return CallerSpoke(heard.words, at_ms)
        if heard.digits and self._agent.dtmf_detection:
            return KeysPressed(heard.digits, at_ms)
        # What was heard without making sense is asked about like a silence.
        makes_no_sense = not (heard.silent_s or heard.digits)
        if makes_no_sense or heard.silent_s >= self._dialogue.patience_s:
            return CallerSilent(at_ms)
        return None

    def _follow(self, commands: list[Command]) -> None:
        """Carry the commands out; the reason of an end is written first.

        Whoever delivers the request again finds the turn, and with it the reason.
        """
        tools: list[UseTool] = []
        for command in sorted(commands, key=lambda c: not isinstance(c, EndCall)):
            match command:
                case EndCall(reason, detail):
                    self._call.note_end_reason(reason, detail or self._failure)
                case Fulfilled(wish):
                    interventions.fulfil(self._call, wish)
                case TransferCall():
                    self._is_handing_over = True
                case Say(text, last):
                    self._said += " " if last else text
                case Record(turn):
                    self._write(turn)
                case UseTool():
                    tools.append(command)
                case AskModel():
                    self._warn_of_time()
                    self._follow(self._reply(command))
        if tools:
            self._use(tools)

    def _write(self, turn: Turn) -> None:
        """Insert a turn, or change one that is ours, or a tool's that has answered."""
        is_settled = turn.tool is not None and turn.tool.status != "running"
        if is_settled or turn.number in self._written:
            calls.record_turn(self._call, turn)
        elif not calls.add_turn(self._call, turn):
            raise _Taken
        self._written.add(turn.number)

    def _warn_of_time(self) -> None:
        """Have the dialogue say once, behind the reply, that the time is nearly up."""
        warning_s = self._agent.time_warning_s
        left_ms = self._agent.max_duration_s * 1000 - self._began_ms
        if warning_s and left_ms <= warning_s * 1000:
            warning = self._dialogue.settings.time_warning
            if not any(warning in turn.text for turn in self._dialogue.turns):
                self._dialogue.receive(TimeShort(self._began_ms))

    def _reply(self, question: AskModel) -> list[Command]:
        """Let the dialogue have the whole reply at once, or the failure."""
        meter = llm.Meter()
        request = session.request_of(self._agent, question, self._toolbox, meter)
        within_s = ANSWER_DEADLINE_S if self._has_used_tools else REPLY_DEADLINE_S
        reply, left_s = question.reply, self._left_s(within_s)
        try:
            pieces = llm.run(llm.collect_pieces(self._provider, request, left_s))
        except llm.ModelFailed as failed:
            self._failure = str(failed)
            event = ReplyFailed(reply, failed.reason, self._now_ms())
            return self._dialogue.receive(event)
        finally:
            costs.record_usage(self._call, meter)
        if self._provider.spoken_by != self._provider.label:
            calls.note_other_model(self._call, self._provider.spoken_by)
        events = [self._heard(piece, reply) for piece in pieces]
        events.append(ReplyFinished(reply, self._now_ms()))
        return [c for event in events for c in self._dialogue.receive(event)]

    def _heard(self, piece: llm.Piece, reply: int) -> Event:
        at_ms = self._now_ms()
        if isinstance(piece, ToolCall):
            return ToolAsked(reply, session.heard_call(piece), at_ms)
        return ReplyToken(reply, words.speakable(piece), at_ms)

    def _use(self, tools: list[UseTool]) -> None:
        """Use them side by side, and let the dialogue go on with what they answer."""
        self._has_used_tools = True
        left_s = self._left_s(TOOLS_DEADLINE_S)

        async def use_all() -> list[dict]:
            uses = (
                session.use_tool(self._toolbox, tool.call, within_s=left_s)
                for tool in tools
            )
            return await asyncio.gather(*uses)

        for tool, answer in zip(tools, llm.run(use_all()), strict=True):
            answered = ToolAnswered(turn=tool.turn, at_ms=self._now_ms(), **answer)
            self._follow(self._dialogue.receive(answered))
