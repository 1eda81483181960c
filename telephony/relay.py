"""The live session: the carrier's WebSocket on one side, the dialogue on the other.

What should happen is `agents.dialogue`'s to say; here it is made to happen. One task
reads, one writes, at most one listens to the model. The reader waits for neither the
model nor a tool nor the database, or an interruption would wait too.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from django.db import Error as DatabaseError
from django.utils.timezone import now
from starlette.websockets import WebSocket, WebSocketDisconnect

from agents import llm
from agents.dialogue import (
    SPEECH_CHARACTERS_PER_SECOND,
    AskModel,
    CallerHungUp,
    CallerInterrupted,
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
    ReplyLate,
    ReplyToken,
    Say,
    SessionLost,
    Settings,
    StopModel,
    StopTool,
    TimeShort,
    TimeUp,
    ToolAnswered,
    ToolAsked,
    ToolCall,
    TransferCall,
    Turn,
    UseTool,
)
from agents.models import VoiceAgent
from agents.tools import Toolbox
from telephony import frames, live, session
from telephony.addresses import relay_url
from telephony.allowance import Allowance
from telephony.diary import Diary, catch_up
from telephony.keypad import Keypad
from telephony.models import Call
from telephony.services import calls, costs, interventions
from telephony.signatures import HEADER, is_signed_handshake
from telephony.timers import Timers
from telephony.words import speakable
from voiceops import metrics, trails
from voiceops.bells import ANYTHING, Bell, belfry
from voiceops.threads import in_thread

SETUP_WITHIN_S = 5
SPEECH_INTERRUPTS = {VoiceAgent.Interruptible.ANY, VoiceAgent.Interruptible.SPEECH}
KEYS_PAUSE_S = 1.5  # after which pressed keys are complete; # completes them at once
KEYS_SEARCH_S = 5  # the same where a number of keys is asked for
LONGEST_SPEECH_S = 60  # of a caller, if the carrier does not tell its end
SPEECH_MARGIN_S = 0.5  # the voice begins a little later than its text
LAST_WORDS_S = 45  # the longest wait for the voice, if the carrier tells nothing
CLOSED_WITHIN_S = 10  # by the carrier, once it was told the end
REASON_WRITTEN_WITHIN_S = 2
ATTEND_AGAIN_S = 1  # after a database that failed
UTTERANCES = (frames.Prompt, frames.Interrupt, frames.Key)
UTTERANCES_AT_ONCE = 60  # keys come fastest: a long number, dialled by a machine
UTTERANCES_PER_SECOND = 5
MAX_FRAME_CHARACTERS = 64 * 1024

NORMAL, GOING_AWAY, POLICY_VIOLATION, TOO_BIG = 1000, 1001, 1008, 1009  # RFC 6455
HUNG_UP = {NORMAL, GOING_AWAY}  # a lost connection has another code, or none

logger = logging.getLogger(__name__)


async def answer(websocket: WebSocket) -> None:
    """The endpoint. What the carrier did not sign is refused before it is accepted."""
    trails.about_request()
    token = websocket.path_params["token"]
    signature = websocket.headers.get(HEADER, "")
    try:
        opened = await _opened(token, signature)
    except Exception:  # refused, the carrier asks what to do instead
        logger.exception("a live session was not opened")
        opened = None
    if opened is None:
        await websocket.close()  # not accepted yet: the client gets 403
        return
    await websocket.accept()
    trails.about_call(opened.call.pk)
    logger.info("call %s: a session begins", opened.call.pk)
    with metrics.live_session():
        await LiveSession(websocket, opened).run()
    logger.info("call %s: a session is over", opened.call.pk)


@dataclass(frozen=True)
class Opening:
    """All that is read of the database before the conversation.

    There are `turns` where a session of the call was lost before.
    """

    call: Call
    settings: Settings
    toolbox: Toolbox
    provider: llm.Provider
    turns: list[Turn] = field(default_factory=list)


async def _opened(token: str, signature: str) -> Opening | None:
    opened = await in_thread(_open, token, signature)
    if opened is None or not opened.call.times_resumed:
        return opened
    await catch_up(opened.call.pk)
    return replace(opened, turns=await in_thread(calls.stored_turns, opened.call))


def _open(token: str, signature: str) -> Opening | None:
    if not calls.TOKEN.fullmatch(token):
        return None
    is_signed = partial(is_signed_handshake, relay_url(token), signature)
    opened = calls.open_session(token, is_signed)
    if opened is None:
        return None
    call, provider = opened
    toolbox = session.toolbox_of(call)
    settings = session.settings_of(call, at=now(), toolbox=toolbox)
    return Opening(call, settings, toolbox, provider)


class LiveSession:
    """One call's conversation, from its first frame to its last written word."""

    def __init__(self, websocket: WebSocket, opening: Opening) -> None:
        self._websocket = websocket
        self._call = opening.call
        self._agent = opening.call.agent
        self._dialogue = Dialogue(opening.settings, opening.turns)
        self._provider = opening.provider
        self._toolbox = opening.toolbox
        self._loop = asyncio.get_running_loop()
        self._diary = Diary(self._call.pk)
        self._outgoing: asyncio.Queue[str | EndCall | TransferCall] = asyncio.Queue()
        self._model: asyncio.Task | None = None
        self._reply = 0  # what the model was asked last
        self._tools: dict[int, asyncio.Task] = {}  # at work, by their turns
        self._meter = llm.Meter()
        self._failure = ""  # the model's last one, in words
        self._is_handing_over = False
        self._ill_formed = 0
        self._allowance = Allowance(
            at_once=UTTERANCES_AT_ONCE, per_second=UTTERANCES_PER_SECOND
        )
        self._keypad = Keypad(self._agent.dtmf_length)
        self._opened_at = 0.0
        self._spoken_until = 0.0  # when the agent's voice will be through its words
        self._heard_at = 0.0  # the caller's last sign of life
        self._hushed = asyncio.Event()
        self._timers = Timers(self._loop)

    async def run(self) -> None:
        """Hold the conversation until the socket is closed, and write its end."""
        code = None
        helpers: list[asyncio.Task] = []
        try:
            if await self._is_set_up():
                self._begin()
                helpers.append(asyncio.create_task(self._write()))
                helpers.append(asyncio.create_task(self._attend()))
                helpers.append(asyncio.create_task(self._provider.warm_up()))
                code = await self._read()
            else:
                await self._close(POLICY_VIOLATION)
        finally:
            self._finish(code)
            helpers += [self._model] if self._model else []
            helpers += self._tools.values()
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self._diary.add(interventions.give_back, self._call)
            await self._diary.close()

    async def _is_set_up(self) -> bool:
        """Whether the first frame says that this is the socket of our call."""
        try:
            async with asyncio.timeout(SETUP_WITHIN_S):
                raw = (await self._websocket.receive()).get("text") or ""
            first = frames.parse(raw[:MAX_FRAME_CHARACTERS])
        except (TimeoutError, frames.IllFormed):
            return False
        return first == frames.Setup(self._call.sid, self._call.account_sid)

    def _begin(self) -> None:
        began = now()
        self._call.answered_at = self._call.answered_at or began  # unless resumed
        talked_s = (began - self._call.answered_at).total_seconds()
        self._heard_at = self._spoken_until = self._loop.time()
        self._opened_at = self._loop.time() - talked_s
        self._diary.add(calls.begin_session, self._call, began)
        is_greeted = self._dialogue.turns or self._dialogue.settings.caller_speaks_first
        if not is_greeted:
            self._count_speech(self._dialogue.settings.greeting)
        self._feed(CallOpened)
        left_s = self._agent.max_duration_s - talked_s
        self._timers.set("time up", left_s, self._feed, TimeUp)
        warning_s = self._agent.time_warning_s
        if 0 < warning_s < left_s:
            self._timers.set("time short", left_s - warning_s, self._warn)

    def _finish(self, code: int | None) -> None:
        """The socket is gone, with this close code: record what is left to say."""
        hung_up = code in HUNG_UP
        self._feed(CallerHungUp if hung_up else SessionLost)
        self._timers.cancel_all()
        if hung_up and not self._is_handing_over:
            self._diary.add(calls.note_caller_left, self._call)
        self._diary.add(costs.record_usage, self._call, self._meter)
        if self._ill_formed:
            logger.warning("call %s: %d ill-formed", self._call.pk, self._ill_formed)

    # what comes from the carrier

    async def _read(self) -> int | None:
        """Take frames until the socket is closed; the close code, if there is one."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return message.get("code")
            raw = message.get("text")
            if len(raw or message.get("bytes") or "") > MAX_FRAME_CHARACTERS:
                await self._close(TOO_BIG)
                return None
            try:
                frame = frames.parse(raw)
            except frames.IllFormed:
                self._ill_formed += 1
            else:
                if self._is_too_much(frame):
                    logger.warning("call %s: too much at once", self._call.pk)
                    await self._close(POLICY_VIOLATION)
                    return None
                self._take(frame)

    def _is_too_much(self, frame: frames.Frame | None) -> bool:
        """Whether more is said or pressed than a caller can.

        Tenants know the secret of their sockets, and every utterance costs the other
        calls of this process time and memory: it is a turn and asks the model anew.
        """
        is_utterance = isinstance(frame, UTTERANCES)
        return is_utterance and not self._allowance.spend(self._loop.time())

    def _take(self, frame: frames.Frame | None) -> None:
        match frame:
            case frames.Prompt(text):
                self._heard_at = self._loop.time()
                if self._agent.interruptible in SPEECH_INTERRUPTS:
                    self._hush()
                self._flush_keys()
                self._timers.cancel("late")
                self._feed(CallerSpoke, text=text)
            case frames.Interrupt(heard, heard_ms):
                self._hush()
                self._feed(CallerInterrupted, heard=heard, heard_ms=heard_ms)
            case frames.Key(digit):
                self._press(digit)
            case frames.Speaking(is_agent=True, is_on=False):
                if self._outgoing.empty() and not self._dialogue.is_busy:
                    self._hush()
            case frames.Speaking(is_agent=False, is_on=is_on):
                speaks_for_s = LONGEST_SPEECH_S if is_on else 0
                self._heard_at = self._loop.time() + speaks_for_s
                self._watch_silence()
            case frames.Complaint():
                logger.warning("call %s: the carrier complains", self._call.pk)

    def _press(self, digit: str) -> None:
        """A number is one thing that the caller says."""
        self._heard_at = self._loop.time()
        pause_s = KEYS_SEARCH_S if self._keypad.counts_keys else KEYS_PAUSE_S
        if self._keypad.press(digit):
            self._flush_keys()
        else:
            self._timers.set("keys", pause_s, self._flush_keys)

    def _flush_keys(self) -> None:
        self._timers.cancel("keys")
        if keys := self._keypad.take():
            self._timers.cancel("late")
            self._feed(KeysPressed, digits=keys)

    # the dialogue

    def _feed(self, event: Callable[..., Event], **facts) -> None:
        """Tell the dialogue and do what it says: all at once, nothing is awaited."""
        at_ms = max(0, int((self._loop.time() - self._opened_at) * 1000))
        for command in self._dialogue.receive(event(at_ms=at_ms, **facts)):
            self._obey(command)
        self._watch_silence()

    def _obey(self, command: Command) -> None:
        match command:
            case Say(text, last):
                self._count_speech(text)
                self._outgoing.put_nowait(frames.text(text, last=last))
            case Record(turn):
                self._diary.add(calls.record_turn, self._call, turn)
            case AskModel(reply):
                self._reply = reply
                self._await_first_word()
                self._model = asyncio.create_task(self._ask(command, self._model))
            case StopModel():
                self._stop_model()
            case UseTool(turn, call):
                self._tools[turn] = asyncio.create_task(self._use_tool(turn, call))
            case StopTool(turn):
                self._tools.pop(turn).cancel()
            case Fulfilled(wish):
                self._diary.add(interventions.fulfil, self._call, wish)
            case EndCall(reason, detail):
                detail = detail or self._failure
                self._diary.add(calls.note_told_reason, self._call, reason, detail)
                self._outgoing.put_nowait(command)
            case TransferCall():
                self._is_handing_over = True
                self._outgoing.put_nowait(command)

    # the model and its tools

    async def _ask(self, question: AskModel, previous: asyncio.Task | None) -> None:
        """Stream one reply into the dialogue, after the one before has let go."""
        if previous is not None:
            await asyncio.wait([previous])
        reply = question.reply
        request = session.request_of(self._agent, question, self._toolbox, self._meter)
        try:
            async with aclosing(self._provider.stream(request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, ToolCall):
                        call = session.heard_call(piece)
                        self._feed(ToolAsked, reply=reply, call=call)
                    else:
                        self._feed(ReplyToken, reply=reply, text=speakable(piece))
            self._note_who_spoke()
            self._feed(ReplyFinished, reply=reply)
        except llm.ModelFailed as failed:
            self._failure = str(failed)
            self._feed(ReplyFailed, reply=reply, reason=failed.reason)
        except Exception:  # a bug here must not leave the caller in silence
            logger.exception("call %s: no reply", self._call.pk)
            self._feed(ReplyFailed, reply=reply, reason="malformed")

    def _note_who_spoke(self) -> None:
        if self._provider.spoken_by != self._provider.label:
            label = self._provider.spoken_by
            self._diary.add(calls.note_other_model, self._call, label)

    async def _use_tool(self, turn: int, call: ToolCall) -> None:
        answer = await session.use_tool(self._toolbox, call)
        del self._tools[turn]
        self._feed(ToolAnswered, turn=turn, **answer)

    def _await_first_word(self) -> None:
        """Begin to count the pause, which the model and its tools may make long."""
        after_ms = self._agent.filler_after_ms
        if after_ms and "late" not in self._timers:
            self._timers.set("late", after_ms / 1000, self._be_late)

    def _be_late(self) -> None:
        self._feed(ReplyLate, reply=self._reply)

    def _stop_model(self) -> None:
        """Abandon the reply: what is not sent yet is not said any more."""
        if self._model is not None:
            self._model.cancel()
        while not self._outgoing.empty():
            self._outgoing.get_nowait()

    # what people of the team want

    async def _attend(self) -> None:
        """Have the dialogue do what people want of it, whenever the bell rings."""
        with belfry.listening(live.channel_of_call(self._call.pk)) as bell:
            while not self._dialogue.has_ended:
                await bell.wait()
                await self._heed(bell)

    async def _heed(self, bell: Bell) -> None:
        try:
            wishes = await in_thread(interventions.take, self._call)
        except DatabaseError:
            logger.warning("call %s: nobody knows what is wanted", self._call.pk)
            self._loop.call_later(ATTEND_AGAIN_S, bell.ring, ANYTHING)
            return
        for wish in wishes:
            self._feed(partial(session.event_of, wish))

    # what goes to the carrier

    async def _write(self) -> None:
        """Send what is said; after the last words, the end."""
        with suppress(WebSocketDisconnect, RuntimeError):  # the reader knows why
            while True:
                item = await self._outgoing.get()
                match item:
                    case str():
                        await self._websocket.send_text(item)
                    case EndCall(reason):
                        return await self._end(frames.end(reason))
                    case TransferCall(to, why):
                        return await self._end(frames.end("transfer", to=to, why=why))

    async def _end(self, last_frame: str) -> None:
        """Tell the carrier once the reason is written and the last word was heard."""
        await self._diary.written(REASON_WRITTEN_WITHIN_S)
        await self._until_heard()
        await self._websocket.send_text(last_frame)
        await asyncio.sleep(CLOSED_WITHIN_S)
        await self._close(NORMAL)

    async def _until_heard(self) -> None:
        latest = self._loop.time() + LAST_WORDS_S
        while (left_s := min(self._spoken_until, latest) - self._loop.time()) > 0:
            self._hushed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._hushed.wait()

    async def _close(self, code: int) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close(code)

    # time

    def _count_speech(self, text: str) -> None:
        """Reckon how long the voice will speak, in case the carrier does not tell."""
        if text:
            self._timers.cancel("late")
            begins = max(self._spoken_until, self._loop.time() + SPEECH_MARGIN_S)
            self._spoken_until = begins + len(text) / SPEECH_CHARACTERS_PER_SECOND

    def _hush(self) -> None:
        """The agent's voice is silent now."""
        self._spoken_until = self._loop.time()
        self._hushed.set()
        self._watch_silence()

    def _watch_silence(self) -> None:
        """Count the caller's silence, but not while the agent thinks or speaks."""
        self._timers.cancel("silence")
        if self._dialogue.has_ended or self._dialogue.is_busy:
            return
        since = max(self._spoken_until, self._heard_at)
        left_s = since + self._dialogue.patience_s - self._loop.time()
        self._timers.set("silence", left_s, self._feed, CallerSilent)

    def _warn(self) -> None:
        """Say that the time is nearly up, but not into the caller's words."""
        if self._heard_at > self._loop.time():
            self._timers.set("time short", 1, self._warn)
        else:
            self._feed(TimeShort)
