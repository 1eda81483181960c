"""Following TwiML: one document, verb by verb, until it says where to go next."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urljoin

from simulator import twiml
from simulator.call import Call, HangUp, Webhook
from simulator.line import BOTH, NOTHING, Interruption, Keys, Words
from simulator.relay import Outcome, Relay
from simulator.sids import make_sid
from simulator.webhooks import NoAnswer

CONFIDENCE = "0.95"
BRIDGE_S = 3  # how long two people talk after a Dial was answered
BEFORE_ANSWER = (twiml.Pause, twiml.Redirect, twiml.Reject)
DIAL_STATUSES = {
    "answer": "completed",
    "machine": "completed",
    "busy": "busy",
    "failed": "failed",
}


@dataclass(frozen=True)
class Next:
    """Fetch this for the next document."""

    webhook: Webhook
    fields: dict[str, str]


@dataclass(frozen=True)
class End:
    """The document ended the call."""

    status: str
    reason: str


class Walk:
    def __init__(self, call: Call, document: twiml.Document, url: str, callee_of):
        self._call = call
        self._line = call.line
        self._document = document
        self._url = url
        self._callee_of = callee_of

    async def run(self) -> Next | End:
        for verb in self._document.verbs:
            if not isinstance(verb, BEFORE_ANSWER):
                self._call.answer()
            if isinstance(verb, twiml.Say | twiml.Play | twiml.Pause):
                await self._prompt(verb, yields_to=NOTHING)
                continue
            if isinstance(verb, twiml.StartRecording):
                self._call.record(Webhook(verb.callback, verb.method))
                continue
            step = await self._perform(verb)
            if step is not None:
                return step
        self._finish_speaking()
        self._call.answer()
        return End("completed", "twiml_ended")

    async def _perform(self, verb: twiml.Verb) -> Next | End | None:
        match verb:
            case twiml.Gather():
                return await self._gather(verb)
            case twiml.Connect():
                return await self._connect(verb)
        self._finish_speaking()
        match verb:
            case twiml.Redirect(url, method):
                return self._go(url, method)
            case twiml.Hangup():
                return End("completed", "agent_hung_up")
            case twiml.Reject(reason):
                return End("busy" if reason == "busy" else "no-answer", "rejected")
            case twiml.Dial():
                return await self._dial(verb)
        raise AssertionError(f"no way to perform {verb!r}")

    def _go(self, url: str, method: str, **fields: str) -> Next:
        """On to `url`, which may be relative, or to this document when empty."""
        target = Webhook(urljoin(self._url, url), method)
        return Next(target, self._call.fields(**fields))

    async def _prompt(self, verb, *, yields_to: frozenset[str]) -> bool:
        """Play one verb; False if the caller cut in."""
        match verb:
            case twiml.Say(text, loop):
                for _ in range(min(loop or 1, 10)):
                    if text and not await self._line.play(text, yields_to=yields_to):
                        return False
            case twiml.Play(url):
                return await self._line.play_file(url, yields_to=yields_to)
            case twiml.Pause(length_s):
                return await self._line.pause(length_s)
        return True

    def _finish_speaking(self) -> None:
        if self._line.is_agent_speaking:
            self._line.finish_turn(gives_turn=False)

    # Gather

    async def _gather(self, verb: twiml.Gather) -> Next | None:
        yields_to = verb.takes & BOTH if verb.barge_in else NOTHING
        self._line.forget_inputs()
        for prompt in verb.prompts:
            if not await self._prompt(prompt, yields_to=yields_to):
                break
        else:
            self._line.listen()
        given = await self._collect(verb)
        self._line.is_callers_turn = False
        if given is None and not verb.action_on_empty_result:
            return None
        return self._go(verb.action, verb.method, **(given or {"SpeechResult": ""}))

    async def _collect(self, verb: twiml.Gather) -> dict[str, str] | None:
        """The fields of what the caller said or pressed; None for silence."""
        digits = ""
        while True:
            given = await self._line.next_input(verb.timeout_s)
            match given:
                case None:
                    return _digits_fields(digits, "") if digits else None
                case Words(text, False) if "speech" in verb.takes and not digits:
                    return {
                        "SpeechResult": text,
                        "Confidence": CONFIDENCE,
                        "Language": verb.language,
                    }
                case Keys(keys) if "dtmf" in verb.takes:
                    for key in keys:
                        if key == verb.finish_on_key:
                            return _digits_fields(digits, key)
                        digits += key
                        if len(digits) == verb.num_digits:
                            return _digits_fields(digits, "")
                    self._line.listen()
                case Interruption() | Words() | Keys():
                    continue

    # ConversationRelay

    async def _connect(self, verb: twiml.Connect) -> Next | End | None:
        self._finish_speaking()
        relay = Relay(self._call, verb)
        try:
            outcome = await relay.run()
        except asyncio.CancelledError:
            if verb.action is not None and self._is_hanging_up():
                await self._report_completed(verb, relay)
            raise
        self._line.is_callers_turn = False
        self._finish_speaking()
        if verb.action is not None:
            return self._go(verb.action, verb.method, **_session_fields(relay, outcome))
        if outcome.status == "failed":
            return End("failed", "session_failed")
        return None

    def _is_hanging_up(self) -> bool:
        command = self._call.command
        return command.done() and isinstance(command.result(), HangUp)

    async def _report_completed(self, verb: twiml.Connect, relay: Relay) -> None:
        """The call is over: the action is told, its answer is of no use any more."""
        fields = _session_fields(relay, Outcome("completed"))
        step = self._go(verb.action, verb.method, CallStatus="completed", **fields)
        try:
            await self._call.send(step.webhook, step.fields)
        except NoAnswer as exc:
            self._call.emit("error", code=11200, message=f"action: {exc}")

    # Dial

    async def _dial(self, verb: twiml.Dial) -> Next | None:
        number = verb.numbers[0] if verb.numbers else ""
        plan = self._callee_of(number)
        self._call.emit("note", message=f"Dialling {number}")
        status = DIAL_STATUSES.get(plan["answer"] if plan else "", "no-answer")
        leg_sid = make_sid("CA")
        if status == "no-answer":
            await asyncio.sleep(self._line.pace.silence_s(verb.timeout_s))
        elif status == "completed":
            await self._whisper(verb, number, leg_sid)
            await asyncio.sleep(self._line.pace.silence_s(BRIDGE_S))
        if verb.action is None:
            return None
        fields = {"DialCallStatus": status, "DialCallSid": leg_sid}
        if status == "completed":
            fields |= {"DialCallDuration": str(BRIDGE_S), "DialBridged": "true"}
        return self._go(verb.action, verb.method, **fields)

    async def _whisper(self, verb: twiml.Dial, number: str, leg_sid: str) -> None:
        """What only the person hears who has answered; the caller hears nothing."""
        if not verb.answered_url:
            return
        url = urljoin(self._url, verb.answered_url)
        fields = self._call.fields(
            CallSid=leg_sid,
            ParentCallSid=self._call.sid,
            Direction="outbound-dial",
            From=verb.caller_id or self._call.row["from_number"],
            To=number,
            CallStatus="in-progress",
        )
        try:
            answer = await self._call.send(Webhook(url, verb.answered_method), fields)
            whispered = twiml.parse(answer.text)
        except (NoAnswer, twiml.BadDocument) as exc:
            self._call.emit("error", code=11200, message=f"whisper: {exc}")
            return
        for said in whispered.verbs:
            if isinstance(said, twiml.Say):
                self._call.emit("note", message=f"Whispered: {said.text}")


def _digits_fields(digits: str, finished_on: str) -> dict[str, str]:
    return {"Digits": digits, "FinishedOnKey": finished_on}


def _session_fields(relay: Relay, outcome: Outcome) -> dict[str, str]:
    fields = {
        "SessionId": relay.session_id,
        "SessionStatus": outcome.status,
        "SessionDuration": str(relay.duration_s),
    }
    if outcome.handoff_data is not None:
        fields["HandoffData"] = outcome.handoff_data
    if outcome.error_code is not None:
        fields["ErrorCode"] = str(outcome.error_code)
        fields["ErrorMessage"] = outcome.error_message
    return fields
