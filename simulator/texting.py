"""The page where a person writes texts, as any number, and reads what comes back.

Its address is that of the account's page with one of its numbers and the address of who
writes: a number, on WhatsApp with its prefix.
"""

from html import escape
from urllib.parse import quote

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from simulator.pages import Html, account_of, is_same_origin, page, refusal, render
from simulator.post import NO_WEBHOOK_ANSWER, OUT_OF_WINDOW, WHATSAPP, Medium
from simulator.sids import is_number, make_number
from simulator.store import Store

MAX_BODY = 1600
MAX_PICTURE_BYTES = 1024 * 1024
RECENT = 200  # texts of an account that its page looks for threads in
SHOWN = 10
# What a browser shows without running anything; the rest is saved.
PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
WORDS = {
    "received": "arrived",
    "queued": "on its way",
    "sent": "on its way",
    "delivered": "delivered",
    "read": "read",
}


async def open_thread(request: Request) -> Response:
    """Write as a number, an invented one if none is given."""
    if not is_same_origin(request):
        return refusal("This form was sent from another site.", 403)
    account, number = _number(request)
    if number is None:
        return refusal("There is no such number.", 404)
    form = await request.form()
    theirs = str(form.get("from", "")).strip() or make_number()
    if not is_number(theirs):
        return refusal("Write the number with its country code: +12025550142.", 400)
    prefix = WHATSAPP if form.get("channel") == "whatsapp" else ""
    return RedirectResponse(_path(account, number, prefix + theirs), 303)


async def thread(request: Request) -> Response:
    """What was written, and a form to write more."""
    account, number = _number(request)
    theirs = request.path_params["address"]
    if number is None or not is_number(theirs.removeprefix(WHATSAPP)):
        return refusal("There is no such number.", 404)
    prefix = WHATSAPP if theirs.startswith(WHATSAPP) else ""
    ours = prefix + number["phone_number"]
    if request.method == "POST":
        return await _write(request, account, number, theirs)
    state = request.app.state
    state.post.read(account, ours, theirs)
    rows = state.store.thread(ours, theirs)
    texts = [_text(state.store, account, row, theirs) for row in rows]
    you = theirs.removeprefix(WHATSAPP)
    return page(
        "texts",
        title=f"Texts with {number['phone_number']}",
        you=f"{you} on WhatsApp" if prefix else you,
        number=you,
        back=f"/simulator/accounts/{account['console_token']}",
        new=_path(account, number),
        here=_path(account, number, theirs),
        texts=Html(*texts) or render("_no_texts"),
        sms=Html("" if prefix else "selected"),
        whatsapp=Html("selected" if prefix else ""),
        no_webhook=Html() if number["sms_url"] else render("_no_webhook"),
    )


async def _write(request: Request, account, number, theirs: str) -> Response:
    if not is_same_origin(request):
        return refusal("This form was sent from another site.", 403)
    form = await request.form()
    body, media = str(form.get("body", "")).strip(), await _picture(form)
    if media is None:
        return refusal("A picture has at most one megabyte.", 413)
    if len(body) > MAX_BODY:
        return refusal(f"A text has at most {MAX_BODY} characters.", 400)
    if body or media:
        await request.app.state.post.receive(
            account, number, from_address=theirs, body=body, media=media
        )
    return RedirectResponse(_path(account, number, theirs), 303)


async def _picture(form: FormData) -> tuple[Medium, ...] | None:
    """The file that was chosen, if any; None if it is too large."""
    file = form.get("picture")
    if not isinstance(file, UploadFile) or not file.filename:
        return ()
    data = await file.read(MAX_PICTURE_BYTES + 1)
    if len(data) > MAX_PICTURE_BYTES:
        return None
    kind = file.content_type or "application/octet-stream"
    return (Medium(content_type=kind, data=data),)


async def show_medium(request: Request) -> Response:
    """A picture as the person has sent it, to the person."""
    account = account_of(request)
    found = account and request.app.state.store.get(
        "media", sid=request.path_params["sid"], account_sid=account["sid"]
    )
    if not found or found["data"] is None:
        return refusal("There is no such file.", 404)
    is_shown = found["content_type"] in PICTURES
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "inline" if is_shown else "attachment",
    }
    kind = found["content_type"] if is_shown else "application/octet-stream"
    return Response(found["data"], media_type=kind, headers=headers)


def _number(request: Request) -> tuple[dict, dict | None]:
    """The account of the page, and the number of it that is texted."""
    account = account_of(request)
    sid = request.path_params["sid"]
    store = request.app.state.store
    found = account and store.get("numbers", sid=sid, account_sid=account["sid"])
    return account, found or None


def _path(account: dict, number: dict, address: str = "") -> str:
    texts = f"/simulator/accounts/{account['console_token']}/numbers/{number['sid']}"
    return f"{texts}/texts" + (f"/{quote(address, safe='')}" if address else "")


def _text(store: Store, account: dict, row: dict, theirs: str) -> Html:
    is_theirs = row["from_number"] == theirs
    who = "You" if is_theirs else row["from_number"].removeprefix(WHATSAPP)
    if row["direction"] == "carrier":
        who = "The carrier itself"
    media = [_medium(account, medium) for medium in store.media_of(row["sid"])]
    return render(
        "_text",
        side="chat-end" if is_theirs else "chat-start",
        kind=Html("chat-bubble-primary" if is_theirs else ""),
        who=who,
        body=Html(escape(row["body"])),
        media=Html(*media),
        state=_state(row),
    )


def _state(row: dict) -> str:
    code = row["error_code"]
    if code == NO_WEBHOOK_ANSWER:
        return "the application did not take it"
    if code == OUT_OF_WINDOW:
        return "not delivered: your last text is more than a day old (63016)"
    if code:
        return f"not delivered ({code})"
    return WORDS.get(row["status"], row["status"])


def _medium(account: dict, medium: dict) -> Html:
    if medium["url"]:
        return render("_medium_link", url=medium["url"])
    path = f"/simulator/accounts/{account['console_token']}/media/{medium['sid']}"
    if medium["content_type"] in PICTURES:
        return render("_picture", url=path)
    return render("_medium_link", url=path)


def recent_threads(store: Store, account: dict) -> list[dict]:
    """Who was texted with last: both addresses, the latest text and its page."""
    numbers = {row["phone_number"]: row for row in store.numbers_of(account["sid"])}
    found: dict[tuple[str, str], dict] = {}
    for row in store.rows("messages", {"account_sid": account["sid"]}, limit=RECENT):
        pair = row["to_number"], row["from_number"]
        ours, theirs = pair if row["direction"] == "inbound" else pair[::-1]
        number = numbers.get(ours.removeprefix(WHATSAPP))
        if number is not None and len(found) < SHOWN:
            shown = {"ours": ours, "theirs": theirs, "body": row["body"][:80] or "–"}
            found.setdefault((ours, theirs), shown)
            found[ours, theirs].setdefault("path", _path(account, number, theirs))
    return list(found.values())


routes = [
    Route("/simulator/accounts/{token}/media/{sid}", show_medium),
    Route(
        "/simulator/accounts/{token}/numbers/{sid}/texts", open_thread, methods=["POST"]
    ),
    Route(
        "/simulator/accounts/{token}/numbers/{sid}/texts/{address}",
        thread,
        methods=["GET", "POST"],
    ),
]
