"""Twilio's REST API: the only importer of its client; only our exceptions come out.

The exceptions are named after what we know when they are raised. `Unreachable`,
`BadCredentials`, `NotFound` and `Rejected` mean that nothing happened at the carrier;
`AnswerLost` means that perhaps it did: such a request is never repeated blindly.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext as _
from requests.adapters import HTTPAdapter
from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.api import Api
from urllib3.exceptions import NewConnectionError

from telephony.patience import patient_s
from voiceops import metrics

if TYPE_CHECKING:
    from telephony.models import CarrierAccount

# For connecting, and between two pieces of the answer. The SDK itself has none.
TIMEOUT_S = patient_s(10)
CONNECTIONS = 512  # kept open; a worker's batches ask for a hundred calls each
PAGE_SIZE = 1000  # the most that Twilio gives at once
LATEST = 50  # calls between two numbers
PIECE_BYTES = 64 * 1024
CODE_NOT_IN_PROGRESS = 21220
CODE_TOO_MANY = 20429
ADDRESSES = (
    *("voice_url", "voice_fallback_url", "status_callback"),
    *("sms_url", "sms_fallback_url"),
)
CALL_EVENTS = ["initiated", "ringing", "answered", "completed"]


class CarrierError(Exception):
    """The carrier did not do what was asked; `str()` is a sentence for people."""


class Unreachable(CarrierError):
    """No connection was made, so nothing was sent."""

    def __str__(self):
        return _("The carrier cannot be reached. Try again in a moment.")


class AnswerLost(CarrierError):
    """The request was sent, and no clear answer came: perhaps it was carried out."""

    def __str__(self):
        return _("The carrier gave no clear answer. Try again in a moment.")


class BadCredentials(CarrierError):
    """The carrier does not accept the account SID with this auth token."""

    def __str__(self):
        return _("The carrier does not accept this account SID and auth token.")


class NotFound(CarrierError):
    """The account has no such thing."""

    def __str__(self):
        return _("The carrier does not know this any more.")


class Rejected(CarrierError):
    """A clear no. `code` is Twilio's, `message` its explanation."""

    def __init__(self, code: int, message: str):
        super().__init__(code, message)
        self.code, self.message = code, message

    def __str__(self):
        return _("The carrier refused: %(message)s (error %(code)s)") % {
            "message": self.message,
            "code": self.code,
        }


class Throttled(Rejected):
    """Too much at once: nothing was done, and the same may be asked for again."""


@dataclass(frozen=True)
class CarrierIdentity:
    """An account as the carrier knows it; `status` is active, suspended or closed."""

    sid: str
    name: str
    status: str


@dataclass(frozen=True)
class CarrierNumber:
    """A number of an account, and who the carrier asks when it is called."""

    sid: str
    number: str
    label: str
    takes_calls: bool
    voice_url: str
    voice_method: str
    voice_fallback_url: str
    status_callback: str
    status_callback_method: str
    # A TwiML app or a trunk: where there is one, the addresses above are ignored.
    handled_by: str
    takes_texts: bool
    sms_url: str
    sms_method: str
    sms_handled_by: str  # a TwiML app, likewise


@dataclass(frozen=True)
class CarrierCall:
    """A call's state; `duration_s` is None until it has ended."""

    sid: str
    created_at: datetime
    status: str
    duration_s: int | None
    price: Decimal | None  # None until the carrier has worked it out
    price_unit: str


@dataclass(frozen=True)
class CarrierMessage:
    """A message's state; `price` is None until the carrier has worked it out."""

    sid: str
    created_at: datetime
    status: str
    body: str
    error_code: int | None
    price: Decimal | None
    price_unit: str


@dataclass(frozen=True)
class MachineDetection:
    """Tell `url` who has answered; `until_beep`: once a machine has said its words."""

    url: str
    until_beep: bool


def client_for(account_sid: str, auth_token: str) -> Api:
    """The API of one account. Cheap: all clients share one pool of connections."""
    api = Api(Client(account_sid, auth_token, http_client=_http))
    if settings.TWILIO_API_BASE_URL:
        api.base_url = settings.TWILIO_API_BASE_URL
    return api


def fetch_account(account: "CarrierAccount") -> CarrierIdentity:
    """Who the credentials belong to; `BadCredentials` if they are wrong."""
    found = _ask(lambda: _api(account).fetch())
    return CarrierIdentity(found.sid, found.friendly_name or "", str(found.status))


def list_numbers(account: "CarrierAccount") -> list[CarrierNumber]:
    """Every number that the account holds."""
    numbers = _api(account).incoming_phone_numbers
    return [_number(row) for row in _ask(lambda: numbers.list(page_size=PAGE_SIZE))]


def find_number(account: "CarrierAccount", number: str) -> CarrierNumber | None:
    """The account's number with these digits (E.164), None if it is not on it."""
    numbers = _api(account).incoming_phone_numbers
    rows = _ask(lambda: numbers.list(phone_number=number, page_size=PAGE_SIZE))
    # The carrier matches parts of numbers too.
    return next((_number(row) for row in rows if row.phone_number == number), None)


def point_number(
    account: "CarrierAccount",
    carrier_sid: str,
    *,
    voice_url: str,
    fallback_url: str,
    status_callback: str,
    sms_url: str,
) -> None:
    """Send the number's calls to `voice_url`, its texts to `sms_url`. Repeating is
    safe.

    `fallback_url` is asked where an answer of ours was none, then or later in a call;
    for a text it is the same address again. A TwiML app or trunk would go first, so the
    number is taken off it.
    """
    number = _api(account).incoming_phone_numbers(carrier_sid)
    found = _ask(number.fetch)
    changes = {
        "voice_url": voice_url,
        "voice_method": "POST",
        "voice_fallback_url": fallback_url,
        "voice_fallback_method": "POST",
        "status_callback": status_callback,
        "status_callback_method": "POST",
        "sms_url": sms_url,
        "sms_method": "POST",
        "sms_fallback_url": sms_url,
        "sms_fallback_method": "POST",
    }
    if found.sms_application_sid:
        changes["sms_application_sid"] = ""
    if found.voice_application_sid:
        changes["voice_application_sid"] = ""
    if found.trunk_sid:
        changes["trunk_sid"] = ""
    _ask(lambda: number.update(**changes))


def clear_number(account: "CarrierAccount", carrier_sid: str, *, token: str) -> None:
    """Empty the number's addresses that contain `token`; others are not ours.

    Repeating is safe. A number that left the account has nothing to clear.
    """
    number = _api(account).incoming_phone_numbers(carrier_sid)
    try:
        found = _ask(number.fetch)
    except NotFound:
        return
    ours = [name for name in ADDRESSES if token in (getattr(found, name) or "")]
    if ours:
        _ask(lambda: number.update(**dict.fromkeys(ours, "")))


def create_call(
    account: "CarrierAccount",
    *,
    to_number: str,
    from_number: str,
    answer_url: str,
    fallback_url: str,
    status_url: str,
    ring_for_s: int,
    longest_s: int,
    detection: MachineDetection | None = None,
) -> str:
    """Have a number called; the call's SID. Never repeat it after `AnswerLost`.

    `answer_url` is asked what to say when somebody answers.
    """
    created = _ask(
        lambda: _api(account).calls.create(
            to=to_number,
            from_=from_number,
            url=answer_url,
            method="POST",
            fallback_url=fallback_url,
            fallback_method="POST",
            status_callback=status_url,
            status_callback_method="POST",
            status_callback_event=CALL_EVENTS,
            timeout=ring_for_s,
            time_limit=longest_s,
            **_detecting(detection),
        )
    )
    if not created.sid:
        raise AnswerLost
    return created.sid


def _detecting(detection: MachineDetection | None) -> dict[str, str]:
    """Beside the conversation: a person who answers is not kept waiting."""
    if detection is None:
        return {}
    return {
        "machine_detection": "DetectMessageEnd" if detection.until_beep else "Enable",
        "async_amd": "true",  # the SDK wants a text
        "async_amd_status_callback": detection.url,
        "async_amd_status_callback_method": "POST",
    }


def find_calls(
    account: "CarrierAccount", *, to_number: str, from_number: str
) -> list[CarrierCall]:
    """The latest calls from one number to the other, newest first."""
    found = _api(account).calls
    rows = _ask(lambda: found.list(to=to_number, from_=from_number, limit=LATEST))
    return [_call(row) for row in rows]


def fetch_call(account: "CarrierAccount", sid: str) -> CarrierCall:
    """How a call stands at the carrier."""
    return _ask(lambda: _call(_api(account).calls(sid).fetch()))


def say_instead(account: "CarrierAccount", sid: str, document: str) -> None:
    """Break off what is going on in a call and follow this TwiML.

    A call that has ended is left as it is.
    """
    try:
        _ask(lambda: _api(account).calls(sid).update(twiml=document))
    except Rejected as error:
        if error.code != CODE_NOT_IN_PROGRESS:
            raise


def end_call(account: "CarrierAccount", sid: str) -> None:
    """Hang up, whoever is speaking. A call that has ended is left as it is."""
    try:
        _ask(lambda: _api(account).calls(sid).update(status="completed"))
    except Rejected as error:
        if error.code != CODE_NOT_IN_PROGRESS:
            raise


def create_message(
    account: "CarrierAccount",
    *,
    to_address: str,
    from_address: str,
    body: str,
    media_urls: list[str],
    status_url: str,
) -> CarrierMessage:
    """Have a text sent. Never repeat it after `AnswerLost`."""
    media = {"media_url": media_urls} if media_urls else {}
    created = _ask(
        lambda: _message(
            _api(account).messages.create(
                to=to_address,
                from_=from_address,
                body=body,
                status_callback=status_url,
                **media,
            )
        )
    )
    if not created.sid:
        raise AnswerLost
    return created


def find_messages(
    account: "CarrierAccount", *, to_address: str, from_address: str
) -> list[CarrierMessage]:
    """The latest texts from one address to the other, newest first."""
    found = _api(account).messages
    rows = _ask(lambda: found.list(to=to_address, from_=from_address, limit=LATEST))
    return [_message(row) for row in rows]


def fetch_message(account: "CarrierAccount", sid: str) -> CarrierMessage:
    """How a text stands at the carrier."""
    return _ask(lambda: _message(_api(account).messages(sid).fetch()))


def open_media(
    account: "CarrierAccount", message_sid: str, sid: str
) -> tuple[str, Iterator[bytes]]:
    """A picture or file of a text: its media type and its bytes, as of a recording."""
    return _open(account, f"Messages/{message_sid}/Media/{sid}")


def open_recording(account: "CarrierAccount", sid: str) -> tuple[str, Iterator[bytes]]:
    """A recording's media type and its bytes, in pieces as they come.

    Its address is built from the SID: the one in a callback may be anybody's. Whoever
    reads the pieces to the end, or closes them, gives the connection back.
    """
    return _open(account, f"Recordings/{sid}.wav")


def delete_recording(account: "CarrierAccount", sid: str) -> None:
    """Delete it for ever; `NotFound` if it is gone. Repeating is safe."""
    _ask(lambda: _api(account).recordings(sid).delete())


def delete_message(account: "CarrierAccount", sid: str) -> None:
    """Delete a text for ever; as of a recording."""
    _ask(lambda: _api(account).messages(sid).delete())


def delete_medium(account: "CarrierAccount", message_sid: str, sid: str) -> None:
    """Delete a picture or file of a text for ever; as of a recording."""
    _ask(lambda: _api(account).messages(message_sid).media(sid).delete())


def _open(account: "CarrierAccount", name: str) -> tuple[str, Iterator[bytes]]:
    base = settings.TWILIO_API_BASE_URL or "https://api.twilio.com"
    path = f"/2010-04-01/Accounts/{account.account_sid}/{name}"
    try:
        answer = _http.session.get(
            base + path,
            auth=(account.account_sid, account.auth_token),
            timeout=TIMEOUT_S,
            stream=True,
        )
    except requests.RequestException as error:
        raise _failure(error) from error
    if answer.status_code != HTTPStatus.OK:
        answer.close()
        raise _refusal(answer.status_code, {})
    return answer.headers.get("Content-Type", ""), _pieces(answer)


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    with answer, suppress(requests.RequestException):  # half a recording can be heard
        yield from answer.iter_content(PIECE_BYTES)


def _api(account: "CarrierAccount"):
    return client_for(account.account_sid, account.auth_token).account


def _call(row) -> CarrierCall:
    return CarrierCall(
        sid=row.sid,
        created_at=row.date_created,
        status=str(row.status),
        duration_s=int(row.duration) if row.duration else None,
        price=price_in(row.price),
        price_unit=str(row.price_unit or ""),
    )


def _message(row) -> CarrierMessage:
    return CarrierMessage(
        sid=row.sid,
        created_at=row.date_created,
        status=str(row.status),
        body=row.body or "",
        error_code=int(row.error_code) if row.error_code else None,
        price=price_in(row.price),
        price_unit=str(row.price_unit or ""),
    )


def price_in(text: str | None) -> Decimal | None:
    """What is to be paid: the carrier writes it as a negative number, or not yet."""
    try:
        amount = Decimal(text or "")
    except InvalidOperation:
        return None
    return abs(amount) if amount.is_finite() else None


def _number(row) -> CarrierNumber:
    return CarrierNumber(
        sid=row.sid,
        number=row.phone_number,
        label=row.friendly_name or "",
        takes_calls=(row.capabilities or {}).get("voice", True),
        voice_url=row.voice_url or "",
        voice_method=row.voice_method or "POST",
        voice_fallback_url=row.voice_fallback_url or "",
        status_callback=row.status_callback or "",
        status_callback_method=row.status_callback_method or "POST",
        handled_by=row.trunk_sid or row.voice_application_sid or "",
        takes_texts=(row.capabilities or {}).get("sms", True),
        sms_url=row.sms_url or "",
        sms_method=row.sms_method or "POST",
        sms_handled_by=row.sms_application_sid or "",
    )


def _ask(request):
    """Run one exchange. What the SDK itself cannot make sense of is a lost answer."""
    try:
        return request()
    except (TwilioException, KeyError, TypeError, ValueError) as error:
        raise AnswerLost from error


class _HttpClient(HttpClient):
    """The SDK's transport, with one timeout and with our exceptions.

    Translated here, where the status is known: further up, one lost answer arrives as
    five unrelated exceptions, and a refused list without its status.
    """

    def __init__(self):
        super().__init__(logging.getLogger(__name__), False, TIMEOUT_S)
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
        # Tenants share the session: nothing of one may stay for the next.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._surroundings: dict[str, dict] = {}

    def request(
        self, method, url, *, timeout=None, allow_redirects=False, **fields
    ) -> Response:
        with metrics.carrier_request():
            return self._request(method, url, **fields)

    def _request(self, method, url, **fields) -> Response:
        try:
            response = self._send_again_if_safe(method, url, **fields)
        except UnicodeEncodeError as error:  # no header can carry such a token
            raise BadCredentials from error
        except requests.RequestException as error:
            raise _failure(error) from error
        if response.status_code == HTTPStatus.NO_CONTENT:
            return response
        answer = _json_object(response.text)
        if 200 <= response.status_code < 300:
            if answer is None:
                raise AnswerLost
            return response
        raise _refusal(response.status_code, answer or {})

    def _send_again_if_safe(self, method, url, **fields) -> Response:
        """A kept connection may break because the carrier is just closing it: what only
        reads is asked once more.
        """
        try:
            return self._send(method, url, **fields)
        except requests.ConnectionError as error:
            if method != "GET" or isinstance(_failure(error), Unreachable):
                raise
            return self._send(method, url, **fields)

    def _send(self, method, url, *, headers=None, **fields) -> Response:
        """As the SDK's own client, which looks through the whole environment and all
        cookies each time (half of its work), and would log what is asked for.
        """
        request = requests.PreparedRequest()
        headers = {**self.session.headers, **(headers or {})}
        request.prepare(method, url, headers=headers, **fields)
        answer = self.session.send(
            request, timeout=self.timeout, allow_redirects=False, **self._around(url)
        )
        answer.encoding = "utf-8"  # as JSON always is (RFC 8259, 8.1)
        return Response(answer.status_code, answer.text, answer.headers)

    def _around(self, url: str) -> dict:
        """Proxy and certificates for this host, as the environment has them."""
        host = urlsplit(url).netloc
        if host not in self._surroundings:
            found = self.session.merge_environment_settings(url, {}, None, None, None)
            self._surroundings[host] = found
        return self._surroundings[host]


def _failure(error: requests.RequestException) -> CarrierError:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    never_sent = isinstance(error, requests.ConnectTimeout) or isinstance(
        reason, NewConnectionError
    )
    return Unreachable() if never_sent else AnswerLost()


def _json_object(text: str) -> dict | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _refusal(status: int, answer: dict) -> CarrierError:
    if status == HTTPStatus.UNAUTHORIZED:
        return BadCredentials()
    if status == HTTPStatus.NOT_FOUND:
        return NotFound()
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return AnswerLost()
    if 400 <= status < 500:
        code, message = answer.get("code", status), answer.get("message", "")
        is_too_many = status == HTTPStatus.TOO_MANY_REQUESTS or code == CODE_TOO_MANY
        return (Throttled if is_too_many else Rejected)(code, message)
    return AnswerLost()


_http = _HttpClient()
