"""A ConversationRelay session: the carrier's end of the WebSocket.

Three tasks run side by side: one reads what the application sends, one lets the
caller hear it in order and at a person's pace, one passes on what the caller does.
An `end` takes effect after the words sent before it were heard.
"""

import asyncio
import contextlib
import json
import math
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from simulator import frames
from simulator.call import Call
from simulator.line import BOTH, NOTHING, Interruption, Keys, Words
from simulator.sids import make_sid
from simulator.twiml import Connect
from simulator.webhooks import CONNECT_TIMEOUT_S, USER_AGENT, signature

MAX_BAD_FRAMES = 10  # in a row; then Twilio closes the session
# Tokens of an interrupted reply may still arrive for so long, from an application that
# stalled before it was told.
LEFTOVER_S = 2
CLOSE_TIMEOUT_S = 2
INPUT_KINDS = {
    "none": NOTHING,
    "false": NOTHING,
    "dtmf": frozenset({"dtmf"}),
    "speech": frozenset({"speech"}),
    "any": BOTH,
    "true": BOTH,
}


@dataclass(frozen=True)
class Outcome:
    """How a session ended: `ended`, `completed` or `failed`, as Twilio says it."""

    status: str
    handoff_data: str | None = None
    error_code: int | None = None
    error_message: str = ""


class Relay:
    def __init__(self, call: Call, verb: Connect):
        given = verb.attributes
        self._call = call
        self._line = call.line
        self._verb = verb
        self.session_id = make_sid("VX")
        self._socket: ClientConnection | None = None
        self._to_hear: asyncio.Queue[frames.Frame] = asyncio.Queue()
        self._yields_to = _kinds(given, "interruptible", "any")
        self._greeting_yields_to = _kinds(given, "welcomeGreetingInterruptible", "any")
        self._reports = _kinds(given, "reportInputDuringAgentSpeech", "none")
        self._takes_keys = given.get("dtmfDetection") == "true"
        self._tells = set(given.get("events", "").split())
        self._language = given.get("transcriptionLanguage") or given.get(
            "language", "en-US"
        )
        self._is_ending = False
        self._reply_is_open = False
        self._was_cut = False
        self._leftovers_until = 0.0
        self._started_at = 0.0

    @property
    def duration_s(self) -> int:
        if not self._started_at:
            return 0
        return math.ceil(asyncio.get_running_loop().time() - self._started_at)

    async def run(self) -> Outcome:
        """Hold the session until one side ends it. Cancelled: the caller hung up."""
        try:
            self._socket = await connect(
                self._verb.url,
                additional_headers={
                    "X-Twilio-Signature": signature(self._call.secret, self._verb.url)
                },
                user_agent_header=USER_AGENT,
                open_timeout=CONNECT_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                compression=None,
                proxy=None,
            )
        except (OSError, InvalidHandshake, InvalidURI, TimeoutError, EOFError) as exc:
            message = f"could not connect to the WebSocket: {exc}"
            return self._failed(64102, message)
        self._started_at = asyncio.get_running_loop().time()
        try:
            return await self._talk()
        finally:
            self._line.on_cut = lambda: None
            await self._socket.close()

    async def _talk(self) -> Outcome:
        self._line.forget_inputs()
        self._line.on_cut = self._forget_the_rest
        with contextlib.suppress(ConnectionClosed):
            await self._send(type="setup", **self._setup())
        greeting = self._verb.attributes.get("welcomeGreeting", "")
        tasks = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._speak(greeting)),
            asyncio.create_task(self._pass_on_inputs()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(task for task in tasks if task in done).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _setup(self) -> dict:
        row = self._call.row
        return {
            "sessionId": self.session_id,
            "accountSid": row["account_sid"],
            "parentCallSid": row["parent_call_sid"] or "",
            "callSid": self._call.sid,
            "from": row["from_number"],
            "to": row["to_number"],
            "forwardedFrom": "",
            "callType": "PSTN",
            "callerName": "",
            "direction": "inbound" if row["direction"] == "inbound" else "outbound",
            # Twilio's own example says RINGING for a call that it has just taken.
            "callStatus": "RINGING" if row["direction"] == "inbound" else "IN-PROGRESS",
            "customParameters": dict(self._verb.parameters),
        }

    # what the application sends

    async def _read(self) -> Outcome:
        bad_frames = 0
        with contextlib.suppress(ConnectionClosed):
            while True:
                raw = await self._socket.recv()
                try:
                    self._take(frames.parse(raw))
                    bad_frames = 0
                except frames.BadFrame as exc:
                    bad_frames += 1
                    await self._complain(str(exc))
                if bad_frames == MAX_BAD_FRAMES:
                    await self._socket.close(1007, "too many invalid messages")
                    message = f"{MAX_BAD_FRAMES} invalid messages in a row"
                    return self._failed(64105, message)
        if self._is_ending:  # the rest is still being heard
            await asyncio.get_running_loop().create_future()
        return self._failed(64105, "the WebSocket was closed without an end message")

    async def _complain(self, why: str) -> None:
        self._call.emit("error", code=64107, message=why)
        await self._send(type="error", description=f"Invalid message received: {why}")

    def _take(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.Text):
            if self._is_leftover(frame):
                return
            self._reply_is_open = not frame.last
        elif isinstance(frame, frames.End):
            self._is_ending = True
        self._to_hear.put_nowait(frame)

    def _is_leftover(self, frame: frames.Text) -> bool:
        """Whether the frame belongs to the reply that was just interrupted.

        Its tokens may have been on their way, and many applications close it with an
        empty last token. Neither is a new thing to say.
        """
        if not self._was_cut:
            return False
        is_close = frame.last and not frame.token
        is_late = asyncio.get_running_loop().time() < self._leftovers_until
        is_late = is_late and self._reply_is_open
        if is_close or not is_late or frame.last:
            self._was_cut = False
        return is_close or is_late

    # what the caller hears

    async def _speak(self, greeting: str) -> Outcome:
        await self._greet(greeting)
        while True:
            frame = await self._to_hear.get()
            match frame:
                case frames.Text():
                    await self._say(frame)
                case frames.Recording():
                    kinds = self._kinds_for(frame.interruptible)
                    if await self._line.play_file(frame.source, yields_to=kinds):
                        self._line.listen()
                case frames.Digits():
                    self._call.emit("keys", digits=frame.digits, by="agent")
                case frames.Language():
                    self._language = frame.transcription or self._language
                case frames.End():
                    return Outcome("ended", handoff_data=frame.handoff_data)

    async def _greet(self, greeting: str) -> None:
        if not greeting:
            self._line.listen()
        elif await self._line.play(greeting, yields_to=self._greeting_yields_to):
            self._line.finish_turn(gives_turn=True)

    async def _say(self, frame: frames.Text) -> None:
        if frame.token:
            if not self._line.is_agent_speaking:
                await self._inform("agentSpeaking", "on")
            kinds = self._kinds_for(frame.interruptible)
            if not await self._line.play(frame.token, yields_to=kinds):
                return
            if "tokens-played" in self._tells:
                await self._send(type="info", name="tokensPlayed", value=frame.token)
        if frame.last:
            self._line.finish_turn(gives_turn=True)
            await self._inform("agentSpeaking", "off")

    def _kinds_for(self, interruptible: bool | None) -> frozenset[str]:
        if interruptible is None:
            return self._yields_to
        return (self._yields_to or BOTH) if interruptible else NOTHING

    def _forget_the_rest(self) -> None:
        """The caller cut in: of what waits to be heard only non-words remain."""
        self._was_cut = True
        self._leftovers_until = math.inf
        kept = []
        while not self._to_hear.empty():
            frame = self._to_hear.get_nowait()
            if not isinstance(frame, frames.Text | frames.Recording):
                kept.append(frame)
        for frame in kept:
            self._to_hear.put_nowait(frame)

    # what the caller does

    async def _pass_on_inputs(self) -> Outcome:
        inputs = self._line.inputs
        while True:
            given = await inputs.get()
            try:
                await self._pass_on(given)
            except ConnectionClosed:
                await asyncio.get_running_loop().create_future()  # _read says how
            finally:
                inputs.task_done()

    async def _pass_on(self, given: Interruption | Words | Keys) -> None:
        match given:
            case Interruption(heard, duration_ms):
                await self._inform("agentSpeaking", "off")
                await self._send(
                    type="interrupt",
                    utteranceUntilInterrupt=heard,
                    durationUntilInterruptMs=duration_ms,
                )
            case Words(text, during_speech):
                if not during_speech or "speech" in self._reports:
                    await self._prompt(text)
            case Keys(digits, during_speech):
                silent = during_speech and not self._yields_to | self._reports >= {
                    "dtmf"
                }
                if self._takes_keys and not silent:
                    for digit in digits:
                        await self._send(type="dtmf", digit=digit)

    async def _prompt(self, text: str) -> None:
        await self._inform("clientSpeaking", "on")
        await self._inform("clientSpeaking", "off")
        await self._send(
            type="prompt", voicePrompt=text, lang=self._language, last=True
        )
        self._leftovers_until = asyncio.get_running_loop().time() + LEFTOVER_S

    async def _inform(self, name: str, value: str) -> None:
        if "speaker-events" in self._tells:
            ts = int(asyncio.get_running_loop().time() * 1000)
            await self._send(type="info", name=name, value=value, ts=ts)

    async def _send(self, **message) -> None:
        await self._socket.send(json.dumps(message))

    def _failed(self, code: int, message: str) -> Outcome:
        self._call.emit("error", code=code, message=message)
        return Outcome("failed", error_code=code, error_message=message)


def _kinds(attributes, name: str, default: str) -> frozenset[str]:
    return INPUT_KINDS.get(attributes.get(name, default), INPUT_KINDS[default])
