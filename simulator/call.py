"""One call while it lives: its state, its events, its callbacks."""

import asyncio
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from simulator.caller import Caller
from simulator.changes import Changes
from simulator.faults import Mischief
from simulator.line import Line, Pace
from simulator.sids import country, make_sid
from simulator.store import Store
from simulator.webhooks import Answer, Courier, NoAnswer

API_VERSION = "2010-04-01"
SIP_CODES = {"busy": "486", "no-answer": "487", "canceled": "487", "failed": "404"}
EVENT_OF_STATUS = {"in-progress": "answered"}


@dataclass(frozen=True)
class Webhook:
    url: str = ""
    method: str = "POST"
    twiml: str = ""  # given instead of an address


@dataclass(frozen=True)
class Callbacks:
    """Where to report a call's progress, and which of it."""

    url: str = ""
    method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})
    mischief: Mischief = Mischief()


@dataclass(frozen=True)
class Detection:
    """Where to tell who has answered; `until_beep`: after a machine's greeting."""

    webhook: Webhook
    until_beep: bool


@dataclass(frozen=True)
class HangUp:
    """A command: end the call now."""

    status: str
    reason: str


@dataclass(frozen=True)
class Detour:
    """A command: leave what is going on and follow this instead."""

    voice: Webhook


class Call:
    def __init__(
        self,
        row: dict,
        *,
        store: Store,
        courier: Courier,
        secret: str,
        pace: Pace,
        voice: Webhook,
        fallback: Webhook,
        callbacks: Callbacks,
        detection: Detection | None = None,
    ):
        self.row = row
        self.sid: str = row["sid"]
        self.secret = secret
        self.voice = voice
        self.fallback = fallback
        self.changes = Changes()
        self.line = Line(pace, self.emit)
        self.caller: Caller | None = None
        self.command: asyncio.Future[HangUp | Detour] = _new_future()
        self._store = store
        self._courier = courier
        self._callbacks = callbacks
        self.detection = detection
        self._is_picked_up = False
        self._callbacks_sent = 0
        self._held_back: list[dict[str, str]] = []
        self._posting = asyncio.Lock()
        self._postings: set[asyncio.Task] = set()
        self._recordings: list[tuple[dict, Webhook]] = []
        self.last_seq = 0

    @property
    def status(self) -> str:
        return self.row["status"]

    @property
    def is_answered(self) -> bool:
        return self.row["started_at"] is not None

    @property
    def rings_at_person(self) -> bool:
        """Whether a person was called who has not picked up yet."""
        is_called = self.row["direction"] == "outbound-api"
        return is_called and self.line.pace.is_person and not self.is_answered

    @property
    def has_ended(self) -> bool:
        return self.row["ended_at"] is not None

    def emit(self, kind: str, **data) -> None:
        """Write down what happened and tell whoever watches."""
        self.last_seq += 1
        at_ms = int((time.time() - self.row["created_at"]) * 1000)
        event = {"seq": self.last_seq, "at_ms": at_ms, "type": kind, **data}
        self._store.add_event(self.sid, event)
        self.changes.tell()

    async def went_beyond(self, seq: int, *, timeout_s: float) -> bool:
        """Wait for an event after number `seq`; False if the time went by first."""
        return await self.changes.until(
            lambda: self.last_seq > seq, timeout_s=timeout_s
        )

    # commands from outside

    def hang_up(self, *, reason: str, status: str = "") -> None:
        """End the call; `status` is only for a call nobody has answered."""
        if self.is_answered:
            status = "completed"
        self._tell(HangUp(status or "no-answer", reason))

    def follow(self, voice: Webhook) -> None:
        self._tell(Detour(voice))

    def heed(self) -> HangUp | Detour:
        """Take the pending command; after a detour the next one can come."""
        command = self.command.result()
        if isinstance(command, Detour):
            self.command = _new_future()
        return command

    def _tell(self, command: HangUp | Detour) -> None:
        if not self.command.done():
            self.command.set_result(command)

    # progress

    def set_status(self, status: str) -> None:
        """Move on, and report it to those who subscribed."""
        changes = {"started_at": time.time()} if status == "in-progress" else {}
        stored = "queued" if status == "initiated" else status
        self.row = self._store.update("calls", self.sid, status=stored, **changes)
        self.emit("status", status=status)
        self._report(status)

    async def was_answered(self) -> None:
        """Wait for somebody to pick up, for ever if nobody does."""
        while not await self.changes.until(lambda: self.is_answered, timeout_s=60):
            continue

    def pick_up(self) -> None:
        """The person whose telephone rings takes the call."""
        self._is_picked_up = True
        self.changes.tell()

    async def was_picked_up(self, *, timeout_s: float) -> bool:
        return await self.changes.until(lambda: self._is_picked_up, timeout_s=timeout_s)

    def decline(self) -> None:
        """The person whose telephone rings does not want the call."""
        self.hang_up(reason="declined", status="busy")

    def answer(self) -> None:
        if not self.is_answered:
            self.set_status("in-progress")

    def end(self, status: str, reason: str) -> None:
        """Write the end; the last callback is on its way afterwards."""
        now = time.time()
        started_at = self.row["started_at"]
        duration_s = math.ceil(now - started_at) if started_at else 0
        self.row = self._store.update(
            "calls",
            self.sid,
            status=status,
            ended_at=now,
            duration_s=duration_s,
            end_reason=reason,
        )
        self.emit("status", status=status)
        self._report(status)
        self.emit("ended", status=status, duration_s=duration_s, reason=reason)
        self._finish_recordings()

    def record(self, callback: Webhook) -> None:
        """Record both sides from now on; `callback` is told when that is over."""
        now = time.time()
        row = self._store.insert(
            "recordings",
            sid=make_sid("RE"),
            account_sid=self.row["account_sid"],
            call_sid=self.sid,
            status="in-progress",
            created_at=now,
            updated_at=now,
        )
        self._recordings.append((row, callback))
        self.emit("note", message="The call is recorded")

    def _finish_recordings(self) -> None:
        for row, callback in self._recordings:
            duration_s = math.ceil(time.time() - row["created_at"])
            self._store.update(
                "recordings", row["sid"], status="completed", duration_s=duration_s
            )
            if callback.url:
                self._post(callback, self._recording_fields(row, duration_s))

    def _recording_fields(self, row: dict, duration_s: int) -> dict[str, str]:
        """What Twilio tells of a recording: neither From, To nor CallStatus."""
        account_sid = row["account_sid"]
        began = datetime.fromtimestamp(row["created_at"], UTC)
        path = f"/{API_VERSION}/Accounts/{account_sid}/Recordings/{row['sid']}"
        return {
            "AccountSid": account_sid,
            "CallSid": self.sid,
            "RecordingSid": row["sid"],
            "RecordingUrl": f"https://api.twilio.com{path}",
            "RecordingStatus": "completed",
            "RecordingDuration": str(duration_s),
            "RecordingChannels": "2",
            "RecordingStartTime": format_datetime(began),
            "RecordingSource": "StartCallRecordingTwiML",
            "RecordingTrack": "both",
        }

    def _post(self, webhook: Webhook, fields: dict[str, str]) -> None:
        task = asyncio.create_task(self._post_once(webhook, fields))
        self._postings.add(task)
        task.add_done_callback(self._postings.discard)

    async def _post_once(self, webhook: Webhook, fields: dict[str, str]) -> None:
        try:
            await self.send(webhook, fields)
        except NoAnswer as exc:
            self.emit("error", code=11200, message=f"recording callback: {exc}")

    async def reports_sent(self) -> None:
        """Wait until every callback was delivered or given up."""
        while self._postings:
            await asyncio.wait(self._postings)

    def _report(self, status: str) -> None:
        event = EVENT_OF_STATUS.get(status, status)
        if self.has_ended:
            event = "completed"
        if not self._callbacks.url or event not in self._callbacks.events:
            return
        fields = self.fields(
            CallStatus=status,
            Timestamp=format_datetime(datetime.now(UTC)),
            CallbackSource="call-progress-events",
            SequenceNumber=str(self._callbacks_sent),
        )
        if self.has_ended:
            duration_s = self.row["duration_s"]
            fields["CallDuration"] = str(duration_s)
            fields["Duration"] = str(math.ceil(duration_s / 60))
            fields["SipResponseCode"] = SIP_CODES.get(status, "200")
        self._callbacks_sent += 1
        for report in self._spoiled(fields):
            task = asyncio.create_task(self._post_report(report))
            self._postings.add(task)
            task.add_done_callback(self._postings.discard)

    def _spoiled(self, fields: dict[str, str]) -> list[dict[str, str]]:
        """What is posted now, if something is to go wrong with the callbacks."""
        match self._callbacks.mischief.kind:
            case "lost":
                self.emit("note", message="A status callback was lost on purpose")
                return []
            case "twice":
                return [fields, fields]
            case "reversed":
                self._held_back.insert(0, fields)
                return self._held_back if self.has_ended else []
        return [fields]

    async def _post_report(self, fields: dict[str, str]) -> None:
        url = self._callbacks.url
        await asyncio.sleep(self._callbacks.mischief.delay_s)
        async with self._posting:  # one after the other, in order
            try:
                answer = await self.send(Webhook(url, self._callbacks.method), fields)
            except NoAnswer as exc:
                self.emit("error", code=11200, message=f"status callback: {exc}")
                return
        if not answer.is_ok:
            message = f"status callback: answered {answer.status}"
            self.emit("error", code=11200, message=message)

    # what the application is told

    async def send(self, webhook: Webhook, fields: dict[str, str]) -> Answer:
        """One signed request about this call. Raises NoAnswer."""
        return await self._courier.send(
            webhook.url, fields, secret=self.secret, method=webhook.method
        )

    def fields(self, **more: str) -> dict[str, str]:
        """The form fields of any request about this call, and `more`."""
        row = self.row
        fields = {
            "CallSid": self.sid,
            "AccountSid": row["account_sid"],
            "From": row["from_number"],
            "To": row["to_number"],
            "Caller": row["from_number"],
            "Called": row["to_number"],
            "CallStatus": self.status,
            "ApiVersion": API_VERSION,
            "Direction": row["direction"],
        }
        if row["parent_call_sid"]:
            fields["ParentCallSid"] = row["parent_call_sid"]
        if row["direction"] == "inbound":
            fields["StirVerstat"] = "TN-Validation-Passed-A"
        for name in ("From", "To", "Caller", "Called"):
            fields |= {f"{name}City": "", f"{name}State": "", f"{name}Zip": ""}
            fields[f"{name}Country"] = country(fields[name])
        return fields | more


def _new_future() -> asyncio.Future:
    return asyncio.get_running_loop().create_future()
