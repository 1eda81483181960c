"""The pages for a person with a browser: an account of one's own, and a telephone."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from simulator.life import PERSON, Plan
from simulator.pages import Html, account_of, is_same_origin, page, refusal, render
from simulator.sids import make_number, make_token
from simulator.texting import recent_threads

FIRST_NUMBERS = 3
RECENT_CALLS = 20
KEYS = "123456789*0#"


def home(request: Request) -> Response:
    return page("home", title="Pocket carrier")


async def create_account(request: Request) -> Response:
    if not is_same_origin(request):
        return refusal("This form was sent from another site.", 403)
    account = request.app.state.store.open_account(
        friendly_name="Test account", count=FIRST_NUMBERS
    )
    return RedirectResponse(f"/simulator/accounts/{account['console_token']}", 303)


async def show_account(request: Request) -> Response:
    account, store = account_of(request), request.app.state.store
    if account is None:
        return refusal("There is no such account.", 404)
    token = account["console_token"]
    numbers = store.numbers_of(account["sid"])
    calls = store.rows("calls", {"account_sid": account["sid"]}, limit=RECENT_CALLS)
    threads = recent_threads(store, account)
    return page(
        "account",
        title="Test account",
        sid=account["sid"],
        auth_token=account["auth_token"],
        numbers=Html(*[render("_number", account=token, **row) for row in numbers]),
        calls=Html(*[render("_call_row", **row) for row in calls])
        or render("_no_calls"),
        threads=Html(*[render("_thread_row", **row) for row in threads])
        or render("_no_threads"),
    )


async def create_phone(request: Request) -> Response:
    """A telephone of one's own: a number, and a page at which it rings."""
    if not is_same_origin(request):
        return refusal("This form was sent from another site.", 403)
    engine, token = request.app.state.engine, make_token()
    number = make_number()
    while engine.callee(number) is not None:
        number = make_number()
    plan = {"answer": PERSON, "token": token}
    request.app.state.store.set_callee(number, plan)
    return RedirectResponse(f"/simulator/phones/{token}", 303)


async def show_phone(request: Request) -> Response:
    """Wait for a call; on to its page when there is one."""
    token, store = request.path_params["token"], request.app.state.store
    number = store.phone_of(token)
    if number is None:
        return refusal("There is no such telephone.", 404)
    latest = store.rows("calls", {"to_number": number}, limit=1)
    if latest and not latest[0]["ended_at"]:
        return RedirectResponse(f"/simulator/calls/{latest[0]['token']}", 303)
    return page("phone", title=f"Your telephone {number}", number=number)


async def call_number(request: Request) -> Response:
    account, state = account_of(request), request.app.state
    if not is_same_origin(request):
        return refusal("This form was sent from another site.", 403)
    sid = request.path_params["sid"]
    number = account and state.store.get("numbers", sid=sid, account_sid=account["sid"])
    if not number:
        return refusal("There is no such number.", 404)
    call = state.engine.ring(
        number,
        secret=account["auth_token"],
        from_number=make_number(),
        plan=Plan(),
        is_person=True,
    )
    return RedirectResponse(f"/simulator/calls/{call.row['token']}", 303)


async def show_call(request: Request) -> Response:
    store = request.app.state.store
    row = store.get("calls", token=request.path_params["token"])
    if row is None:
        return refusal("There is no such call.", 404)
    keys = Html(*[render("_key", key=key) for key in KEYS])
    if phone := (store.callee(row["to_number"]) or {}).get("token"):
        return page(
            "call",
            title=f"Call from {row['from_number']}",
            you=row["to_number"],
            back=f"/simulator/phones/{phone}",
            pick_up=render("_pick_up"),
            keys=keys,
            **row,
        )
    account = store.get("accounts", sid=row["account_sid"])
    token = account["console_token"] if account else ""
    back = f"/simulator/accounts/{token}" if token else "/simulator"
    return page(
        "call",
        title=f"Call to {row['to_number']}",
        you=row["from_number"],
        back=back,
        pick_up=Html(),
        keys=keys,
        **row,
    )


routes = [
    Route("/simulator", home),
    Route("/simulator/accounts", create_account, methods=["POST"]),
    Route("/simulator/accounts/{token}", show_account),
    Route("/simulator/phones", create_phone, methods=["POST"]),
    Route("/simulator/phones/{token}", show_phone),
    Route(
        "/simulator/accounts/{token}/numbers/{sid}/calls", call_number, methods=["POST"]
    ),
    Route("/simulator/calls/{token}", show_call),
]
