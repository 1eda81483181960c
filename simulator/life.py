"""The course of one call, from the first ring to the last callback."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator import twiml
from simulator.call import Call, Detour, HangUp, Webhook
from simulator.caller import Caller, Step
from simulator.line import NOTHING
from simulator.walk import End, Next, Walk
from simulator.webhooks import NoAnswer

APPLICATION_ERROR = "We are sorry, an application error has occurred. Goodbye."
MAX_CALL_S = 4 * 3600  # Twilio's own limit
MAX_DOCUMENTS = 1000  # a redirect loop is broken off here
PICKED_UP = {"answer", "machine"}
PERSON = "person"  # whose telephone is a page of this carrier's
DETECTING_S, GREETING_S = 1, 4
XML_TYPES = {"text/xml", "application/xml"}


@dataclass(frozen=True)
class Plan:
    """What the person at the other end does: `answer` is for a called one."""

    answer: str = "answer"  # or machine, busy, no-answer, failed, person
    ring_s: float = 1
    steps: list[Step] = field(default_factory=list)
    speed: float | None = None  # of this call, instead of everybody's
    has_real_silences: bool = False


class Failed(Exception):
    """A document could not be had; `code` is Twilio's."""

    def __init__(self, code: int, message: str, url: str):
        super().__init__(message)
        self.code, self.url = code, url


class Commanded(Exception):
    """Somebody hung up or redirected the call meanwhile."""

    def __init__(self, command: HangUp | Detour):
        self.command = command


class Life:
    def __init__(self, call: Call, plan: Plan, callee_of: Callable[[str], dict | None]):
        self._call = call
        self._plan = plan
        self._callee_of = callee_of
        call.caller = Caller(call.line, self._caller_hangs_up, plan.steps)

    async def run(self) -> None:
        """Everything that happens in the call. Raises nothing of the call's."""
        caller = asyncio.create_task(self._call.caller.run())
        detecting = asyncio.create_task(self._detect())
        try:
            async with asyncio.timeout(MAX_CALL_S):
                end = await self._course()
        except TimeoutError:
            end = End("completed", "time_limit")
        finally:
            caller.cancel()
            detecting.cancel()
            await asyncio.gather(caller, detecting, return_exceptions=True)
        self._call.end(end.status, end.reason)
        await self._call.reports_sent()

    def _caller_hangs_up(self) -> None:
        self._call.hang_up(reason="caller_hung_up")

    async def _course(self) -> End:
        try:
            if self._call.row["direction"] == "inbound":
                await self._unless_commanded(self._ring())
            elif (end := await self._unless_commanded(self._dial())) is not None:
                return end
        except Commanded as exc:
            return _end_of(exc.command)
        step: Next | End = Next(self._call.voice, self._call.fields())
        for _ in range(MAX_DOCUMENTS):
            try:
                step = await self._unless_commanded(self._follow(step))
            except Commanded:
                command = self._call.heed()
                if isinstance(command, HangUp):
                    return _end_of(command)
                step = Next(command.voice, self._call.fields())
            if isinstance(step, End):
                return step
        self._call.emit("error", code=11200, message="too many documents")
        return End("failed", "application_error")

    async def _unless_commanded(self, work):
        """The result of `work`, or Commanded as soon as the call has a command."""
        task = asyncio.create_task(work)
        command = self._call.command
        try:
            await asyncio.wait({task, command}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if command.done():
            if not task.cancelled():
                task.exception()  # it is of no use any more, and is not to be logged
            raise Commanded(command.result())
        return task.result()

    async def _ring(self) -> None:
        self._call.set_status("ringing")
        await asyncio.sleep(self._call.line.pace.ringing_s(self._plan.ring_s))

    async def _dial(self) -> End | None:
        """Ring the called person; None once they have answered."""
        call, plan = self._call, self._plan
        call.set_status("initiated")
        if plan.answer == "failed":
            return End("failed", "unreachable")
        call.set_status("ringing")
        if plan.answer == PERSON:
            if not await call.was_picked_up(timeout_s=plan.ring_s):
                return End("no-answer", "not_answered")
            call.answer()
            return None
        await asyncio.sleep(call.line.pace.ringing_s(plan.ring_s))
        if plan.answer not in PICKED_UP:
            return End(plan.answer, "not_answered")
        call.answer()
        return None

    async def _detect(self) -> None:
        """Tell who has answered, if somebody wants to know, as soon as it is clear."""
        call = self._call
        await call.was_answered()
        if call.detection is None:
            return
        is_machine = self._plan.answer == "machine"
        waits_for_beep = is_machine and call.detection.until_beep
        heard_s = GREETING_S if waits_for_beep else DETECTING_S
        await asyncio.sleep(call.line.pace.silence_s(heard_s))
        who = "human"
        if is_machine:
            who = "machine_end_beep" if waits_for_beep else "machine_start"
        fields = {
            "CallSid": call.sid,
            "AccountSid": call.row["account_sid"],
            "AnsweredBy": who,
            "MachineDetectionDuration": str(heard_s * 1000),
        }
        call.emit("note", message=f"Answered by: {who}")
        try:
            await call.send(call.detection.webhook, fields)
        except NoAnswer as exc:
            call.emit("error", code=11200, message=f"detection: {exc}")

    # documents

    async def _follow(self, step: Next) -> Next | End:
        try:
            document, url = await self._document(step)
        except Failed as exc:
            document, url = await self._fallback(exc)
        if document is None:
            return await self._apologize()
        return await Walk(self._call, document, url, self._callee_of).run()

    async def _document(self, step: Next) -> tuple[twiml.Document, str]:
        webhook = step.webhook
        if webhook.twiml:
            document = self._parse(webhook.twiml, webhook.url)
        else:
            webhook, document = await self._fetch(step)
        for warning in document.warnings:
            self._call.emit("error", code=12200, message=warning)
        for note in document.notes:
            self._call.emit("note", message=note)
        if document.has_unknown_verb and webhook.url != self._call.fallback.url:
            self._raise_if_fallback(webhook.url)
        return document, webhook.url

    async def _fetch(self, step: Next) -> tuple[Webhook, twiml.Document]:
        url = step.webhook.url
        if not url:
            raise Failed(11200, "the number has no voice webhook", url)
        try:
            answer = await self._call.send(step.webhook, step.fields)
        except NoAnswer as exc:
            raise Failed(11200, str(exc), url) from exc
        if not answer.is_ok:
            raise Failed(11200, f"answered {answer.status}", url)
        content_type = answer.content_type.split(";")[0].strip().lower()
        if content_type not in XML_TYPES:
            raise Failed(12300, f"content type {content_type!r}", url)
        return Webhook(answer.url), self._parse(answer.text, url)

    def _parse(self, text: str, url: str) -> twiml.Document:
        try:
            return twiml.parse(text)
        except twiml.BadDocument as exc:
            raise Failed(12100, str(exc), url) from exc

    def _raise_if_fallback(self, url: str) -> None:
        if self._call.fallback.url:
            raise Failed(12200, "the document has an unknown verb", url)

    async def _fallback(self, failed: Failed) -> tuple[twiml.Document | None, str]:
        """The document of the fallback address; None if there is none either."""
        self._report(failed)
        fallback = self._call.fallback
        if not fallback.url:
            return None, ""
        fields = self._call.fields(ErrorCode=str(failed.code), ErrorUrl=failed.url)
        try:
            return await self._document(Next(fallback, fields))
        except Failed as exc:
            self._report(exc)
            return None, ""

    def _report(self, failed: Failed) -> None:
        self._call.emit("error", code=failed.code, message=str(failed), url=failed.url)

    async def _apologize(self) -> End:
        self._call.answer()
        await self._call.line.play(APPLICATION_ERROR, yields_to=NOTHING)
        self._call.line.finish_turn(gives_turn=False)
        return End("completed", "application_error")


def _end_of(command: HangUp) -> End:
    return End(command.status, command.reason)
