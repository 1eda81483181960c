"""Text messages: sent through REST, received from the control API.

An outgoing one goes queued → sent → delivered with a status callback for each. An
incoming one is posted to the number's SmsUrl; the texts in the TwiML answered are
sent back. The opt-out words of long codes are kept as Twilio keeps them by default.
"""

import asyncio
import logging
import time
import xml.etree.ElementTree as ElementTree

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.answers import Refused, message_json, segments
from simulator.call import API_VERSION
from simulator.rest import BASE, BOTH, authenticated, not_found, page
from simulator.sids import country, is_number, make_sid
from simulator.store import Store
from simulator.webhooks import Courier, NoAnswer

logger = logging.getLogger(__name__)

MAX_BODY = 1600
STOP_WORDS = {"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT"}
STOP_WORDS |= {"CANCEL"}
START_WORDS = {"START", "YES", "UNSTOP"}
STEP_S = 0.2  # between queued, sent and delivered


class Post:
    """Carries messages both ways; one for the whole process."""

    def __init__(self, store: Store, courier: Courier, speed: float):
        self._store = store
        self._courier = courier
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
        num_media: int = 0,
        direction: str = "outbound-api",
    ) -> dict:
        """Send a message on its way. Raises Refused (21610) to who opted out."""
        if self._store.has_opted_out(from_number, to_number):
            raise Refused(21610, "Attempt to send to unsubscribed recipient")
        row = self._row(
            account, from_number, to_number, body, direction, "queued", num_media
        )
        self._start(self._deliver(account, row, callback))
        return row

    async def receive(
        self, account: dict, number: dict, *, from_number: str, body: str
    ) -> dict:
        """Somebody texts one of our numbers; waits for the webhook's answer."""
        ours = number["phone_number"]
        word = body.strip().upper()
        if word in STOP_WORDS:
            self._store.opt_out(ours, from_number)
        elif word in START_WORDS:
            self._store.opt_in(ours, from_number)
        row = self._row(account, from_number, ours, body, "inbound", "received", 0)
        if number["sms_url"]:
            await self._post_incoming(account, number, row)
        return self._store.get("messages", sid=row["sid"])

    def _row(
        self, account, from_number, to_number, body, direction, status, num_media
    ) -> dict:
        now = time.time()
        return self._store.insert(
            "messages",
            sid=make_sid("SM"),
            account_sid=account["sid"],
            from_number=from_number,
            to_number=to_number,
            body=body,
            direction=direction,
            status=status,
            num_media=num_media,
            created_at=now,
            updated_at=now,
        )

    def _start(self, work) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, account: dict, row: dict, callback: str) -> None:
        for status in ("queued", "sent", "delivered"):
            sent = {"sent_at": time.time()} if status == "sent" else {}
            row = self._store.update("messages", row["sid"], status=status, **sent)
            if callback:
                fields = _fields(row, MessageStatus=status, SmsStatus=status)
                await self._post(account, callback, fields)
            await asyncio.sleep(STEP_S * self._speed)

    async def _post_incoming(self, account: dict, number: dict, row: dict) -> None:
        fields = _fields(
            row,
            SmsMessageSid=row["sid"],
            SmsStatus="received",
            Body=row["body"],
            NumMedia=str(row["num_media"]),
            NumSegments=str(segments(row["body"])),
        )
        for name in ("From", "To"):
            fields |= {f"{name}City": "", f"{name}State": "", f"{name}Zip": ""}
            fields[f"{name}Country"] = country(fields[name])
        method = number["sms_method"]
        answer = await self._post(account, number["sms_url"], fields, method)
        if answer is None and number["sms_fallback_url"]:
            method = number["sms_fallback_method"]
            answer = await self._post(
                account, number["sms_fallback_url"], fields, method
            )
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

    async def _post(self, account, url, fields, method="POST") -> str | None:
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


def _fields(row: dict, **more: str) -> dict[str, str]:
    return {
        "MessageSid": row["sid"],
        "SmsSid": row["sid"],
        "AccountSid": row["account_sid"],
        "From": row["from_number"],
        "To": row["to_number"],
        "ApiVersion": API_VERSION,
    } | more


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


@authenticated
async def messages(request: Request, account: dict) -> Response:
    if request.method == "POST":
        return await _create(request, account)
    where = {"account_sid": account["sid"]}
    for name, column in (("To", "to_number"), ("From", "from_number")):
        if name in request.query_params:
            where[column] = request.query_params[name]
    return page(request, "messages", "messages", where, message_json)


async def _create(request: Request, account: dict) -> Response:
    state, form = request.app.state, await request.form()
    from_number, to_number = str(form.get("From", "")), str(form.get("To", ""))
    body, media = str(form.get("Body", "")), form.getlist("MediaUrl")
    if not is_number(to_number.removeprefix("whatsapp:")):
        raise Refused(21211, f"Invalid 'To' Phone Number: {to_number}")
    ours = from_number.removeprefix("whatsapp:")
    if not state.store.get("numbers", phone_number=ours, account_sid=account["sid"]):
        raise Refused(21606, f"The 'From' number {from_number} is not yours")
    if not body and not media:
        raise Refused(21602, "Message body is required")
    if len(body) > MAX_BODY:
        raise Refused(21617, f"The message body exceeds {MAX_BODY} characters")
    row = state.post.send(
        account,
        from_number=from_number,
        to_number=to_number,
        body=body,
        callback=str(form.get("StatusCallback", "")),
        num_media=len(media),
    )
    return JSONResponse(message_json(row), 201)


@authenticated
async def message(request: Request, account: dict) -> Response:
    sid = request.path_params["sid"]
    row = request.app.state.store.get("messages", sid=sid, account_sid=account["sid"])
    if row is None:
        raise not_found(request)
    return JSONResponse(message_json(row))


routes = [
    Route(BASE + "/Messages.json", messages, methods=BOTH),
    Route(BASE + "/Messages/{sid}.json", message),
]
