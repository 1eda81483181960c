"""Twilio's REST API, the part an application needs: accounts, numbers and calls.

Errors have Twilio's shape and codes. Messages are in `simulator.messages`.
"""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.answers import (
    Refused,
    account_json,
    call_json,
    number_json,
    page_json,
)
from simulator.call import API_VERSION, Callbacks, Detection, Webhook
from simulator.faults import Fault
from simulator.sids import is_number

RING_TIMEOUT_S = 60
MAX_TWIML = 4000
CALL_EVENTS = {"initiated", "ringing", "answered", "completed"}
METHODS = {"GET", "POST"}
NUMBER_FIELDS = {
    "FriendlyName": "friendly_name",
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
}
Handler = Callable[[Request, dict], Awaitable[Response]]


class AnswerLost(Exception):
    """Close the connection: the client gets no answer."""


def authenticated(handler: Handler):
    """Check the credentials, act out a pending fault, and answer refusals."""

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            account = _account(request)
            return await _with_fault(request, account, handler)
        except Refused as exc:
            return exc.response()

    return endpoint


async def _with_fault(request: Request, account: dict, handler: Handler) -> Response:
    fault: Fault | None = request.app.state.faults.take(account["sid"], request.method)
    if fault is None:
        return await handler(request, account)
    match fault.kind:
        case "429":
            raise Refused(20429)
        case "500":
            raise Refused(20500)
        case "close":
            raise AnswerLost
    if fault.kind == "delay":
        await asyncio.sleep(fault.delay_s)
    response = await handler(request, account)
    match fault.kind:
        case "answer-lost":
            raise AnswerLost
        case "answer-late":
            await asyncio.sleep(fault.delay_s)
        case "500-after":
            raise Refused(20500)
        case "garbled":
            return Response("<html>", 201, media_type="application/json")
        case "cut":
            return Cut(response)
    return response


class Cut(Response):
    """An answer that breaks off in the middle."""

    def __init__(self, whole: Response):
        half = whole.body[: len(whole.body) // 2]
        headers = {"content-length": str(len(whole.body))}
        super().__init__(half, whole.status_code, headers, whole.media_type)


def _account(request: Request) -> dict:
    """The account whose SID and token were given. Raises Refused (20003)."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        sid, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise Refused(20003) from exc
    if scheme.lower() != "basic" or sid != request.path_params["account_sid"]:
        raise Refused(20003)
    account = request.app.state.store.get("accounts", sid=sid)
    secrets = {account["auth_token"]} if account else set()
    if not account:
        secrets = request.app.state.engine.secrets_of_lines(sid)
    if not any(hmac.compare_digest(token.encode(), s.encode()) for s in secrets):
        raise Refused(20003)
    return account or _test_account(sid, token)


def _test_account(sid: str, token: str) -> dict:
    """A test line's account: it has a call, and nothing else."""
    return {
        "sid": sid,
        "auth_token": token,
        "friendly_name": "Test line",
        "created_at": 0.0,
    }


def not_found(request: Request) -> Refused:
    message = f"The requested resource {request.url.path} was not found"
    return Refused(20404, message)


@authenticated
async def fetch_account(request: Request, account: dict) -> Response:
    return JSONResponse(account_json(account))


# numbers


@authenticated
async def list_numbers(request: Request, account: dict) -> Response:
    where = {"account_sid": account["sid"]}
    if "PhoneNumber" in request.query_params:
        where["phone_number"] = request.query_params["PhoneNumber"].replace(" ", "+")
    return page(request, "incoming_phone_numbers", "numbers", where, number_json)


@authenticated
async def number(request: Request, account: dict) -> Response:
    store = request.app.state.store
    found = store.get(
        "numbers", sid=request.path_params["sid"], account_sid=account["sid"]
    )
    if found is None:
        raise not_found(request)
    if request.method == "POST":
        form = await request.form()
        changes = {
            column: str(form[name])
            for name, column in NUMBER_FIELDS.items()
            if name in form
        }
        for name, value in changes.items():
            if name.endswith("_method") and value not in METHODS:
                raise Refused(21403, f"{name} is invalid")
            if name.endswith(("_url", "_callback")) and value and not _is_url(value):
                raise Refused(21502, f"{name} {value} is not a valid address")
        found = store.update("numbers", found["sid"], **changes)
    return JSONResponse(number_json(found))


# calls


@authenticated
async def calls(request: Request, account: dict) -> Response:
    if request.method == "POST":
        return await _create_call(request, account)
    where = {"account_sid": account["sid"]}
    columns = {
        "To": "to_number",
        "From": "from_number",
        "Status": "status",
        "ParentCallSid": "parent_call_sid",
    }
    for name, column in columns.items():
        if name in request.query_params:
            where[column] = request.query_params[name]
    return page(request, "calls", "calls", where, call_json)


async def _create_call(request: Request, account: dict) -> Response:
    state, form = request.app.state, await request.form()
    from_number, to_number = str(form.get("From", "")), str(form.get("To", ""))
    number = state.store.get(
        "numbers", phone_number=from_number, account_sid=account["sid"]
    )
    if not to_number:
        raise Refused(21201, "No 'To' number is specified")
    if number is None:
        raise Refused(
            21210, f"From phone number not verified or owned by you: {from_number}"
        )
    if not is_number(to_number):
        raise Refused(
            21211,
            f"The phone number you are attempting to call, {to_number}, is not valid.",
        )
    voice = _voice(form)
    mischief = state.faults.mischief(account["sid"])
    callbacks = replace(_callbacks(form), mischief=mischief)
    if voice is None:
        raise Refused(21205, "Url or Twiml is required and must be valid")
    if state.faults.is_too_fast(account["sid"]):
        raise Refused(20429)
    call = state.engine.dial(
        account=account,
        number=number,
        to_number=to_number,
        voice=voice,
        fallback=Webhook(str(form.get("FallbackUrl", ""))),
        callbacks=callbacks,
        timeout_s=_timeout(form),
        detection=_detection(form),
    )
    return JSONResponse(call_json(call.row), 201)


@authenticated
async def call(request: Request, account: dict) -> Response:
    state, sid = request.app.state, request.path_params["sid"]
    row = state.store.get("calls", sid=sid, account_sid=account["sid"])
    if row is None:
        raise not_found(request)
    if request.method == "POST":
        await _change_call(request, row)
        row = state.store.get("calls", sid=sid)
    return JSONResponse(call_json(row))


async def _change_call(request: Request, row: dict) -> None:
    form, live = await request.form(), request.app.state.engine.find(row["sid"])
    status, voice = form.get("Status"), _voice(form)
    if status not in (None, "completed", "canceled"):
        raise Refused(21218, f"Invalid Status: {status}")
    is_late = live is None or (status == "canceled" and live.is_answered)
    if is_late or (status is None and voice and not live.is_answered):
        raise Refused(21220, "Call is not in-progress. Cannot redirect or end it.")
    if status is not None:
        live.hang_up(reason="hung_up_by_rest", status="canceled")
    elif voice is not None:
        live.follow(voice)


def _voice(form: FormData) -> Webhook | None:
    url, twiml = str(form.get("Url", "")), str(form.get("Twiml", ""))
    if url:  # it wins if both are given
        if not _is_url(url):
            raise Refused(21205, f"Url is not a valid URL: {url}")
        return Webhook(url, _method(form, "Method"))
    if len(twiml) > MAX_TWIML:
        raise Refused(21626, f"Twiml is longer than {MAX_TWIML} characters")
    return Webhook(twiml=twiml) if twiml else None


def _callbacks(form: FormData) -> Callbacks:
    events = {
        event
        for given in form.getlist("StatusCallbackEvent")
        for event in str(given).split()
    }
    if events - CALL_EVENTS:
        raise Refused(21626, f"Invalid status callback events: {events - CALL_EVENTS}")
    return Callbacks(
        url=str(form.get("StatusCallback", "")),
        method=_method(form, "StatusCallbackMethod"),
        events=frozenset(events or {"completed"}),
    )


def _detection(form: FormData) -> Detection | None:
    """Asynchronous machine detection, if it is asked for."""
    mode = str(form.get("MachineDetection", ""))
    if mode not in ("", "Enable", "DetectMessageEnd"):
        raise Refused(21626, f"Invalid MachineDetection: {mode}")
    url = str(form.get("AsyncAmdStatusCallback", ""))
    if not mode or form.get("AsyncAmd") != "true" or not _is_url(url):
        return None
    method = _method(form, "AsyncAmdStatusCallbackMethod")
    return Detection(Webhook(url, method), until_beep=mode == "DetectMessageEnd")


def _method(form: FormData, name: str) -> str:
    method = str(form.get(name, "POST")).upper()
    if method not in METHODS:
        raise Refused(21403, f"{name} is invalid")
    return method


def _timeout(form: FormData) -> int:
    given = str(form.get("Timeout", RING_TIMEOUT_S))
    if not given.isdecimal() or not 1 <= int(given) <= 600:
        raise Refused(21222, "Timeout must be from 1 to 600")
    return int(given)


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def page(request: Request, key: str, table: str, where: dict, shape) -> Response:
    store = request.app.state.store

    def fetch(limit: int, offset: int) -> list[dict]:
        rows = store.rows(table, where, limit=limit, offset=offset)
        return [shape(row) for row in rows]

    query = dict(request.query_params)
    return JSONResponse(page_json(key, request.url.path, query, fetch))


BASE = f"/{API_VERSION}/Accounts/{{account_sid}}"
BOTH = ["GET", "POST"]
routes = [
    Route(BASE + "/IncomingPhoneNumbers.json", list_numbers),
    Route(BASE + "/IncomingPhoneNumbers/{sid}.json", number, methods=BOTH),
    Route(BASE + "/Calls.json", calls, methods=BOTH),
    Route(BASE + "/Calls/{sid}.json", call, methods=BOTH),
]
account_routes = [Route(BASE + ".json", fetch_account)]
