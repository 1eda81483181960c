"""Texts on their way: to the person who is texted, and from them to the application.

An outgoing one goes queued → sent → delivered, or undelivered with a code, with a
status callback for each. An incoming one is posted to the number's SmsUrl; the texts in
the TwiML answered are sent back. The opt-out words of long codes are kept and answered
as Twilio keeps and answers them by default; WhatsApp knows none, but lets nobody be
texted whose last text is more than a day old.
"""

import asyncio
import logging
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

from simulator.answers import Refused, segments
from simulator.call import API_VERSION
from simulator.faults import Faults, Mischief
from simulator.sids import country, make_sid
from simulator.store import Store
from simulator.webhooks import Courier, NoAnswer

logger = logging.getLogger(__name__)

WHATSAPP = "whatsapp:"
WHATSAPP_WINDOW_S = 24 * 3600
OUT_OF_WINDOW = 63016
OPTED_OUT = 21610
MAX_MEDIA = 10
NO_WEBHOOK_ANSWER = 11200
STOP_WORDS = {"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT"}
STOP_WORDS |= {"CANCEL"}
START_WORDS = {"START", "YES", "UNSTOP"}
HELP_WORDS = {"HELP", "INFO"}
# What the carrier itself answers to them, in Twilio's words.
STOPPED = (
    "You have successfully been unsubscribed. You will not receive any more messages "
    "from this number. Reply START to resubscribe."
)
STARTED = (
    "You have successfully been re-subscribed to messages from this number. Reply HELP "
    "for help. Reply STOP to unsubscribe."
)
HELPED = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."
# A number whose last four digits are these gets no text, for this reason.
UNDELIVERED_ENDINGS = {"3003": 30003, "3005": 30005, "3006": 30006, "3007": 30007}
STEP_S = 0.2  # between queued, sent and delivered


@dataclass(frozen=True)
class Medium:
    """A picture or file: its bytes, or where it can be fetched."""

    content_type: str = ""
    data: bytes | None = None
    url: str = ""


class Post:
    """Carries messages both ways; one for the whole process."""

    def __init__(self, store: Store, courier: Courier, faults: Faults, speed: float):
        self._store = store
        self._courier = courier
        self._faults = faults
        self._speed = speed
        self._tasks: set[asyncio.Task] = set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(
        self,
        account: dict,
        *,
        from_number: str,
        to_number: str,
        body: str,
        callback: str = "",
        media: tuple[Medium, ...] = (),
        direction: str = "outbound-api",
    ) -> dict:
        """Send a message on its way. Raises Refused (21610) to who opted out."""
        if self._store.has_opted_out(from_number, to_number):
            raise Refused(OPTED_OUT, "Attempt to send to unsubscribed recipient")
        row = self._row(account["sid"], from_number, to_number, body, direction, media)
        row = self._store.update("messages", row["sid"], callback=callback)
        reports = _Reports(
            self, account, callback, self._faults.mischief(account["sid"])
        )
        self.start(self._deliver(row, reports))
        return row

    async def receive(
        self,
        account: dict,
        number: dict,
        *,
        from_address: str,
        body: str,
        media: tuple[Medium, ...] = (),
    ) -> dict:
        """Somebody texts one of our numbers; waits for the webhook's answer."""
        prefix = WHATSAPP if from_address.startswith(WHATSAPP) else ""
        ours = prefix + number["phone_number"]
        row = self._row(account["sid"], from_address, ours, body, "inbound", media)
        if not prefix:
            self._obey(ours, from_address, body.strip().upper())
        if number["sms_url"]:
            await self._post_incoming(account, number, row)
        return self._store.get("messages", sid=row["sid"])

    def _obey(self, ours: str, theirs: str, word: str) -> None:
        """Keep an opt-out word, and answer it; that is in no list of the account's."""
        if word in STOP_WORDS:
            self._store.opt_out(ours, theirs)
            self._row("", ours, theirs, STOPPED, "carrier")
        elif word in START_WORDS:
            self._store.opt_in(ours, theirs)
            self._row("", ours, theirs, STARTED, "carrier")
        elif word in HELP_WORDS:
            self._row("", ours, theirs, HELPED, "carrier")

    def read(self, account: dict, ours: str, theirs: str) -> None:
        """The person has seen what was delivered; on WhatsApp the sender is told."""
        for row in self._store.thread(ours, theirs):
            if row["status"] == "delivered" and theirs.startswith(WHATSAPP):
                self._store.update("messages", row["sid"], status="read")
                if callback := row["callback"]:
                    reports = _Reports(self, account, callback, Mischief())
                    reports.tell(self._store.get("messages", sid=row["sid"]))

    def _row(
        self, account_sid, from_number, to_number, body, direction, media=()
    ) -> dict:
        now = time.time()
        is_on_its_way = direction.startswith("outbound")
        row = self._store.insert(
            "messages",
            sid=make_sid("MM" if media else "SM"),
            account_sid=account_sid,
            from_number=from_number,
            to_number=to_number,
            body=body,
            direction=direction,
            status="queued" if is_on_its_way else "received",
            num_media=len(media),
            created_at=now,
            updated_at=now,
            sent_at=None if is_on_its_way else now,
        )
        for medium in media:
            self._store.insert(
                "media",
                sid=make_sid("ME"),
                account_sid=account_sid,
                message_sid=row["sid"],
                content_type=medium.content_type,
                data=medium.data,
                url=medium.url,
                created_at=now,
                updated_at=now,
            )
        return row

    def start(self, work) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, row: dict, reports: "_Reports") -> None:
        for status in ("queued", "sent", "delivered"):
            changes = {"status": status}
            if status == "sent":
                changes["sent_at"] = time.time()
            elif status == "delivered" and (code := self._failure(row)):
                changes = {"status": "undelivered", "error_code": code}
            row = self._store.update("messages", row["sid"], **changes)
            reports.tell(row)
            await asyncio.sleep(STEP_S * self._speed)

    def _failure(self, row: dict) -> int:
        """Why it is not delivered, as Twilio's error code; 0 if it is."""
        ours, theirs = row["from_number"], row["to_number"]
        if code := self._faults.undelivered(row["account_sid"]):
            return code
        if theirs.startswith(WHATSAPP):
            last = self._store.get("messages", from_number=theirs, to_number=ours)
            is_open = last and last["created_at"] > time.time() - WHATSAPP_WINDOW_S
            return 0 if is_open else OUT_OF_WINDOW
        return UNDELIVERED_ENDINGS.get(theirs[-4:], 0)

    async def _post_incoming(self, account: dict, number: dict, row: dict) -> None:
        fields = self._incoming_fields(row)
        answer = await self.post(
            account, number["sms_url"], fields, number["sms_method"]
        )
        if answer is None and number["sms_fallback_url"]:
            method = number["sms_fallback_method"]
            answer = await self.post(
                account, number["sms_fallback_url"], fields, method
            )
        if answer is None:  # for the person who looks at it
            self._store.update("messages", row["sid"], error_code=NO_WEBHOOK_ANSWER)
        for body in _replies(answer or ""):
            try:
                self.send(
                    account,
                    from_number=row["to_number"],
                    to_number=row["from_number"],
                    body=body,
                    direction="outbound-reply",
                )
            except Refused:
                logger.info("message %s: reply to one who opted out", row["sid"])

    def _incoming_fields(self, row: dict) -> dict[str, str]:
        fields = fields_of(
            row,
            SmsMessageSid=row["sid"],
            SmsStatus="received",
            Body=row["body"],
            NumMedia=str(row["num_media"]),
            NumSegments=str(segments(row["body"])),
        )
        for place, medium in enumerate(self._store.media_of(row["sid"])):
            fields[f"MediaUrl{place}"] = media_url(medium)
            fields[f"MediaContentType{place}"] = medium["content_type"]
        if row["from_number"].startswith(WHATSAPP):
            number = row["from_number"].removeprefix(WHATSAPP)
            return fields | {
                "WaId": number.removeprefix("+"),
                "ProfileName": "Somebody",
                "MessageType": "image" if row["num_media"] else "text",
            }
        for name in ("From", "To"):
            fields |= {f"{name}City": "", f"{name}State": "", f"{name}Zip": ""}
            fields[f"{name}Country"] = country(fields[name])
        return fields

    async def post(self, account, url, fields, method="POST") -> str | None:
        secret = account["auth_token"]
        try:
            answer = await self._courier.send(url, fields, secret=secret, method=method)
        except NoAnswer as exc:
            logger.warning("message %s: no answer: %s", fields["MessageSid"], exc)
            return None
        if not answer.is_ok:
            logger.warning("message %s: %s", fields["MessageSid"], answer.status)
            return None
        return answer.text


@dataclass
class _Reports:
    """The status callbacks of one message, one after the other, as they are spoiled."""

    post: Post
    account: dict
    url: str
    mischief: Mischief
    _held_back: list[dict[str, str]] = field(default_factory=list)
    _posting: asyncio.Lock = field(default_factory=asyncio.Lock)

    def tell(self, row: dict) -> None:
        if not self.url:
            return
        is_last = row["status"] in ("delivered", "undelivered")
        for fields in self._spoiled(_report(row), is_last):
            self.post.start(self._post(fields))

    def _spoiled(self, fields: dict, is_last: bool) -> list[dict[str, str]]:
        match self.mischief.kind:
            case "lost":
                return []
            case "twice":
                return [fields, fields]
            case "reversed":
                self._held_back.insert(0, fields)
                return self._held_back if is_last else []
        return [fields]

    async def _post(self, fields: dict[str, str]) -> None:
        await asyncio.sleep(self.mischief.delay_s)
        async with self._posting:
            await self.post.post(self.account, self.url, fields)


def _report(row: dict) -> dict[str, str]:
    status = row["status"]
    fields = fields_of(row, MessageStatus=status, SmsStatus=status)
    if status in ("delivered", "undelivered"):
        done_at = time.gmtime(row["updated_at"])
        fields["RawDlrDoneDate"] = time.strftime("%y%m%d%H%M", done_at)
    if row["error_code"]:
        fields["ErrorCode"] = str(row["error_code"])
    if row["to_number"].startswith(WHATSAPP):
        fields |= {"ChannelPrefix": "whatsapp", "EventType": status.upper()}
        fields["ChannelToAddress"] = row["to_number"].removeprefix(WHATSAPP)
    return fields


def fields_of(row: dict, **more: str) -> dict[str, str]:
    """The form fields of any request about this message, and `more`."""
    return {
        "MessageSid": row["sid"],
        "SmsSid": row["sid"],
        "AccountSid": row["account_sid"],
        "From": row["from_number"],
        "To": row["to_number"],
        "ApiVersion": API_VERSION,
    } | more


def media_url(medium: dict) -> str:
    """Where Twilio has it: it takes the account's credentials."""
    path = f"/{API_VERSION}/Accounts/{medium['account_sid']}"
    return (
        f"https://api.twilio.com{path}/Messages/{medium['message_sid']}"
        f"/Media/{medium['sid']}"
    )


def _replies(text: str) -> list[str]:
    """The texts of a MessagingResponse; none if it is not one."""
    if not text.strip() or "<!DOCTYPE" in text:
        return []
    try:
        root = ElementTree.fromstring(text.strip().encode())
    except ElementTree.ParseError:
        return []
    bodies = ["".join(m.itertext()).strip() for m in root.iter("Message")]
    return [body for body in bodies if body]
