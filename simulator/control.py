"""The control API, for tests and for the application's own test page.

JSON; `Authorization: Bearer SIMULATOR_KEY`. Errors are `{"error": "why"}`.

- `POST /control/accounts` `{friendly_name?, numbers?, count?}` →
  `201 {sid, auth_token, numbers}`
- `POST /control/accounts/{sid}/faults`: see `simulator.faults` → `204`
- `POST /control/calls` `{to, from, script? | typed?, ring_s?, speed?,
  real_silences?}` → `201 {sid, token}`: `speed` is this call's own, a factor on every
  wait; real silences are as long as they say, whatever the speed;
  with `{account_sid, auth_token, voice_url, voice_fallback_url?, status_callback?}`
  besides, `to` need not be a number of ours: a *test line*, the same engine with this
  address and secret
- `GET /control/calls/{sid}` → the call with all its events
- `PUT /control/callees/{number}` `{answer?, ring_s?, script? | typed?}` → `204`: how
  this number behaves when it is called or dialled; `answer` is answer, machine, busy,
  no-answer, failed or person (who picks up in the call's page). Unarranged numbers are
  answered by a polite person, except those that end in 0486 (busy), 0408 (no answer),
  0404 (failed), 0600 (a voicemail) and 0183 (an assistant that asks who calls, then its
  person)
- `POST /control/messages` `{to, from, body, media?}` → `201` the message, once the
  webhook has answered; `from` may begin with `whatsapp:`, a medium is `{content_type,
  data}`, its bytes in base64
- `GET /healthz` (no key) → `200`
"""

import base64
import hmac
import json
import re
from collections.abc import Iterator
from functools import wraps

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.answers import call_json, message_json
from simulator.engine import BadPlan, check_numbers, read_plan
from simulator.faults import BadFault
from simulator.post import MAX_MEDIA, WHATSAPP, Medium
from simulator.store import NumberTaken

MAX_COUNT = 1000
DEFAULT_COUNT = 3
LINE_FIELDS = ("account_sid", "auth_token", "voice_url")


class BadRequest(Exception):
    """Answered 400 with this sentence."""


def keyed(handler):
    """Only with the control key; refusals as JSON."""

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        expected = f"Bearer {request.app.state.settings.key}".encode()
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            headers = {"WWW-Authenticate": "Bearer"}
            return JSONResponse({"error": "The key is missing or wrong."}, 401, headers)
        try:
            return await handler(request)
        except (BadRequest, BadPlan, BadFault) as exc:
            return JSONResponse({"error": str(exc)}, 400)

    return endpoint


async def json_body(request: Request) -> dict:
    """The request's JSON object. Raises BadRequest."""
    try:
        given = json.loads(await request.body() or b"{}")
    except ValueError as exc:
        raise BadRequest("the body is not JSON") from exc
    if not isinstance(given, dict):
        raise BadRequest("the body is not a JSON object")
    return given


@keyed
async def create_account(request: Request) -> Response:
    given, store = await json_body(request), request.app.state.store
    numbers = given.get("numbers", [])
    count = given.get("count", 0 if numbers else DEFAULT_COUNT)
    if not isinstance(numbers, list) or not isinstance(count, int):
        raise BadRequest("numbers is a list, count a whole number")
    if not 0 <= count <= MAX_COUNT or len(numbers) > MAX_COUNT:
        raise BadRequest(f"at most {MAX_COUNT} numbers at once")
    check_numbers(*numbers)
    name = str(given.get("friendly_name") or "Test account")[:64]
    try:
        account = store.open_account(friendly_name=name, numbers=numbers, count=count)
    except NumberTaken as exc:
        return JSONResponse({"error": f"{exc} is taken."}, 409)
    rows = store.numbers_of(account["sid"])
    return JSONResponse(
        {
            "sid": account["sid"],
            "auth_token": account["auth_token"],
            "numbers": [row["phone_number"] for row in rows],
        },
        201,
    )


@keyed
async def add_fault(request: Request) -> Response:
    sid = request.path_params["sid"]
    if request.app.state.store.get("accounts", sid=sid) is None:
        return JSONResponse({"error": "There is no such account."}, 404)
    request.app.state.faults.add(sid, await json_body(request))
    return Response(status_code=204)


@keyed
async def create_call(request: Request) -> Response:
    given, state = await json_body(request), request.app.state
    check_numbers(given.get("to"), given.get("from"))
    plan = read_plan(given)
    if any(given.get(name) for name in LINE_FIELDS):
        number, secret = _test_line(given), given["auth_token"]
    else:
        number = state.store.get("numbers", phone_number=given["to"])
        if number is None:
            return JSONResponse({"error": f"{given['to']} is nobody's number."}, 404)
        secret = state.store.get("accounts", sid=number["account_sid"])["auth_token"]
    call = state.engine.ring(
        number,
        secret=secret,
        from_number=given["from"],
        plan=plan,
        is_person=given.get("typed") is True,
    )
    return JSONResponse({"sid": call.sid, "token": call.row["token"]}, 201)


def _test_line(given: dict) -> dict:
    """A row as of `numbers`, made up from the request."""
    for name in (*LINE_FIELDS, "voice_fallback_url", "status_callback"):
        if not isinstance(given.get(name, ""), str):
            raise BadRequest(f"{name} must be a string")
    if not re.fullmatch("AC[0-9a-f]{32}", given.get("account_sid", "")):
        raise BadRequest("account_sid must be AC and 32 hex digits")
    if not given.get("auth_token"):
        raise BadRequest("auth_token is missing")
    if not given.get("voice_url", "").startswith(("http://", "https://")):
        raise BadRequest("voice_url must be an http or https address")
    return {
        "account_sid": given["account_sid"],
        "phone_number": given["to"],
        "voice_url": given["voice_url"],
        "voice_method": "POST",
        "voice_fallback_url": given.get("voice_fallback_url") or "",
        "voice_fallback_method": "POST",
        "status_callback": given.get("status_callback") or "",
        "status_callback_method": "POST",
    }


@keyed
async def show_call(request: Request) -> Response:
    store, sid = request.app.state.store, request.path_params["sid"]
    row = store.get("calls", sid=sid)
    if row is None:
        return JSONResponse({"error": "There is no such call."}, 404)
    more = {
        "token": row["token"],
        "end_reason": row["end_reason"],
        "events": store.events(sid),
    }
    return JSONResponse(call_json(row) | more)


@keyed
async def set_callee(request: Request) -> Response:
    number, given = request.path_params["number"], await json_body(request)
    check_numbers(number)
    read_plan(given)
    request.app.state.store.set_callee(number, {"answer": "answer"} | given)
    return Response(status_code=204)


@keyed
async def create_message(request: Request) -> Response:
    given, state = await json_body(request), request.app.state
    sender, media = str(given.get("from")), tuple(_media(given.get("media", [])))
    check_numbers(given.get("to"), sender.removeprefix(WHATSAPP))
    if not isinstance(given.get("body"), str):
        raise BadRequest("body must be a string")
    number = state.store.get("numbers", phone_number=given["to"])
    if number is None:
        return JSONResponse({"error": f"{given['to']} is nobody's number."}, 404)
    account = state.store.get("accounts", sid=number["account_sid"])
    row = await state.post.receive(
        account, number, from_address=sender, body=given["body"], media=media
    )
    return JSONResponse(message_json(row), 201)


def _media(given: object) -> Iterator[Medium]:
    if not isinstance(given, list) or len(given) > MAX_MEDIA:
        raise BadRequest(f"media is a list of at most {MAX_MEDIA}")
    for one in given:
        try:
            data = base64.b64decode(one["data"], validate=True)
            yield Medium(content_type=str(one["content_type"]), data=data)
        except (TypeError, KeyError, ValueError) as exc:
            raise BadRequest("a medium is {content_type, data}, in base64") from exc


async def health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


routes = [
    Route("/healthz", health),
    Route("/control/accounts", create_account, methods=["POST"]),
    Route("/control/accounts/{sid}/faults", add_fault, methods=["POST"]),
    Route("/control/calls", create_call, methods=["POST"]),
    Route("/control/calls/{sid}", show_call),
    Route("/control/callees/{number}", set_callee, methods=["PUT"]),
    Route("/control/messages", create_message, methods=["POST"]),
]
