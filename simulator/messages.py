"""Twilio's REST API of messages and their media."""

from datetime import UTC, date, datetime, time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.answers import Refused, media_json, message_json
from simulator.post import MAX_MEDIA, OPTED_OUT, WHATSAPP, Medium
from simulator.rest import BASE, BOTH, authenticated, not_found, page
from simulator.sids import is_number

MAX_BODY = 1600
# Twilio's magic numbers of its test credentials: refused as their codes say.
REFUSED_NUMBERS = {
    "+15005550002": (21612, "The 'To' number cannot be reached from this 'From'"),
    "+15005550003": (21408, "Permission to send to this region is not enabled"),
    "+15005550004": (OPTED_OUT, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (21614, "The 'To' number is not a mobile number"),
}
COMPARED = {"DateSent<": "sent_at <", "DateSent>": "sent_at >="}
DAY_S = 24 * 3600
DELETABLE = ["GET", "DELETE"]
UNDER_WAY = {"accepted", "scheduled", "queued", "sending"}


@authenticated
async def messages(request: Request, account: dict) -> Response:
    if request.method == "POST":
        return await _create(request, account)
    where = {"account_sid": account["sid"]}
    for name, column in (("To", "to_number"), ("From", "from_number")):
        if name in request.query_params:
            where[column] = request.query_params[name]
    return page(request, "messages", "messages", where | _sent(request), message_json)


def _sent(request: Request) -> dict[str, float]:
    """The moments between which the messages were sent. A day is one of UTC."""
    given = request.query_params
    where = {COMPARED[name]: _moment(given[name]) for name in COMPARED if name in given}
    if "DateSent" in given:
        start = _moment(given["DateSent"])
        where |= {"sent_at >=": start, "sent_at <": start + DAY_S}
    return where


def _moment(text: str) -> float:
    try:
        if len(text) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text), time.min, UTC).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except ValueError as exc:
        raise Refused(20001, f"DateSent {text} is no date") from exc


async def _create(request: Request, account: dict) -> Response:
    state, form = request.app.state, await request.form()
    from_number, to_number = str(form.get("From", "")), str(form.get("To", ""))
    body, urls = str(form.get("Body", "")), form.getlist("MediaUrl")
    theirs = to_number.removeprefix(WHATSAPP)
    if not is_number(theirs):
        raise Refused(21211, f"Invalid 'To' Phone Number: {to_number}")
    if theirs in REFUSED_NUMBERS:
        raise Refused(*REFUSED_NUMBERS[theirs])
    ours = from_number.removeprefix(WHATSAPP)
    if not state.store.get("numbers", phone_number=ours, account_sid=account["sid"]):
        raise Refused(21606, f"The 'From' number {from_number} is not yours")
    if from_number.startswith(WHATSAPP) != to_number.startswith(WHATSAPP):
        raise Refused(63007, "From and To are not of the same channel")
    if not body and not urls:
        raise Refused(21602, "Message body is required")
    if len(body) > MAX_BODY:
        raise Refused(21617, f"The message body exceeds {MAX_BODY} characters")
    if len(urls) > MAX_MEDIA:
        raise Refused(21623, f"More than {MAX_MEDIA} media")
    row = state.post.send(
        account,
        from_number=from_number,
        to_number=to_number,
        body=body,
        callback=str(form.get("StatusCallback", "")),
        media=tuple(Medium(url=str(url)) for url in urls),
    )
    return JSONResponse(message_json(row), 201)


def _message(request: Request, account: dict) -> dict:
    sid = request.path_params["sid"]
    row = request.app.state.store.get("messages", sid=sid, account_sid=account["sid"])
    if row is None:
        raise not_found(request)
    return row


@authenticated
async def message(request: Request, account: dict) -> Response:
    row = _message(request, account)
    if request.method == "DELETE":
        if row["status"] in UNDER_WAY:
            raise Refused(20009, "Cannot delete message: delivery is not completed")
        request.app.state.store.delete_message(row["sid"])
        return Response(status_code=204)
    return JSONResponse(message_json(row))


@authenticated
async def media_list(request: Request, account: dict) -> Response:
    where = {"message_sid": _message(request, account)["sid"]}
    return page(request, "media_list", "media", where, media_json)


@authenticated
async def medium(request: Request, account: dict) -> Response:
    """The file itself, only with the account's credentials; of a text that came in.

    The SDK deletes it as `.json`.
    """
    row, sid = _message(request, account), request.path_params["media_sid"]
    found = request.app.state.store.get(
        "media", sid=sid.removesuffix(".json"), message_sid=row["sid"]
    )
    if found is not None and request.method == "DELETE":
        request.app.state.store.delete_medium(found["sid"])
        return Response(status_code=204)
    if found is None or found["data"] is None:
        raise not_found(request)
    return Response(found["data"], media_type=found["content_type"])


routes = [
    Route(BASE + "/Messages.json", messages, methods=BOTH),
    Route(BASE + "/Messages/{sid}.json", message, methods=DELETABLE),
    Route(BASE + "/Messages/{sid}/Media.json", media_list),
    Route(BASE + "/Messages/{sid}/Media/{media_sid}", medium, methods=DELETABLE),
]
