"""The ASGI application: all routes around one shared state."""

import asyncio

from starlette.applications import Starlette
from starlette.responses import Response

from simulator import browser, console, control, messages, recordings, rest, texting
from simulator.engine import Engine
from simulator.faults import Faults
from simulator.post import Post
from simulator.settings import Settings
from simulator.store import Store
from simulator.webhooks import Courier

DROP = "simulator.drop"  # the connection's way to be closed unanswered
FIRST_NUMBERS = 3
# For fiction, like the others: by Ofcom in London, by the ACMA in Sydney.
FIRST_ABROAD = ("+442079460142", "+61270100142")


def make_app(settings: Settings) -> Starlette:
    """An application with its file opened; `close` it in the same event loop."""
    app = Starlette(
        routes=[
            *rest.routes,
            *messages.routes,
            *recordings.routes,
            *rest.account_routes,  # last: its pattern takes what the others left
            *control.routes,
            *browser.routes,
            *console.routes,
            *texting.routes,
        ],
        exception_handlers={rest.AnswerLost: lambda request, exc: _Unanswered()},
    )
    state = app.state
    state.settings = settings
    state.store = Store(settings.database)
    state.store.fail_open_calls()
    state.courier = Courier()
    state.faults = Faults()
    state.engine = Engine(state.store, state.courier, settings.speed)
    state.post = Post(state.store, state.courier, state.faults, settings.speed)
    _open_first_account(state.store, settings)
    return app


async def close(app: Starlette) -> None:
    """End every call with its last callback, then let go of everything."""
    await app.state.engine.close()
    await app.state.post.close()
    await app.state.courier.close()


def _open_first_account(store: Store, settings: Settings) -> None:
    sid = settings.account_sid
    if not sid:
        return
    if store.get("accounts", sid=sid) is None:
        store.open_account(
            friendly_name="Demo account",
            numbers=FIRST_ABROAD,
            count=FIRST_NUMBERS,
            sid=sid,
            auth_token=settings.auth_token,
        )
    else:
        store.change_auth_token(sid, settings.auth_token)


class _Unanswered(Response):
    """Closes the connection instead of answering."""

    async def __call__(self, scope, receive, send) -> None:
        scope["extensions"][DROP]()
        while (await receive())["type"] != "http.disconnect":
            await asyncio.sleep(0)
