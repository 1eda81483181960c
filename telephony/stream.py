"""Server-sent events for whoever watches: which call or conversation has changed, and
no more.

What has changed the page fetches itself, by an ordinary view. A stream belongs to one
person in one workspace and ends when they may not look any more; it waits without a
database connection. Format: WHATWG HTML, "Server-sent events".
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

from django.conf import settings
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from accounts.browsers import membership_of_session
from accounts.models import Membership
from telephony import live
from voiceops import trails
from voiceops.bells import belfry
from voiceops.threads import in_thread

HEARTBEAT_S = 15  # also how often it is asked whether the person may still look
LONGEST_S = 600  # then the browser connects again
PAUSE_S = 0.5  # between two events: what happens meanwhile is one
RETRY_MS = 2000
MOST_OF_A_PERSON, MOST_OF_A_WORKSPACE, MOST = 12, 200, 2000  # in this process
HEADERS = {
    # No proxy shall keep anything back: neither to compress it nor to fill a buffer.
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}

logger = logging.getLogger(__name__)
_seats: Counter = Counter()
_is_closing = False


def close_streams() -> None:
    """Let all streams of this process end; the browsers find another one."""
    global _is_closing
    _is_closing = True
    belfry.ring_all()


async def live_stream(request: Request) -> Response:
    """The endpoint: 401 for nobody, 429 where too many streams are open."""
    trails.about_request()
    session_key = request.cookies.get(settings.SESSION_COOKIE_NAME)
    try:
        membership = await in_thread(membership_of_session, session_key)
    except Exception:  # whatever the database raises; the page polls meanwhile
        logger.exception("a stream was not opened")
        return PlainTextResponse("Try again later.", status_code=503)
    if membership is None:
        return PlainTextResponse("Log in first.", status_code=401)
    if request.method == "HEAD":
        return Response(media_type="text/event-stream", headers=HEADERS)
    try:
        return EventStream(session_key, membership)
    except NoSeat:
        wait = {"Retry-After": str(HEARTBEAT_S)}
        return PlainTextResponse("Too many streams.", status_code=429, headers=wait)


class NoSeat(Exception):
    """As many streams are open as may be."""


class EventStream(StreamingResponse):
    """One person's stream, from its seat to its end."""

    def __init__(self, session_key: str, membership: Membership) -> None:
        self._session_key = session_key
        self._who = (membership.user_id, membership.workspace_id)
        self._seats = {
            ("person", membership.user_id): MOST_OF_A_PERSON,
            ("workspace", membership.workspace_id): MOST_OF_A_WORKSPACE,
            ("all", None): MOST,
        }
        if any(_seats[seat] >= most for seat, most in self._seats.items()):
            raise NoSeat
        super().__init__(
            self._events(), media_type="text/event-stream", headers=HEADERS
        )

    async def __call__(self, scope, receive, send) -> None:
        """A browser that takes nothing more is let go, however long that lasts."""
        _seats.update(self._seats.keys())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_S + HEARTBEAT_S):
                    await super().__call__(scope, receive, send)
        finally:
            _seats.subtract(self._seats.keys())

    async def _events(self) -> AsyncIterator[str]:
        yield f"retry: {RETRY_MS}\n\n"
        clock = asyncio.get_running_loop().time
        until, ask_at = clock() + LONGEST_S, clock() + HEARTBEAT_S
        with belfry.listening(live.channel_of_workspace(self._who[1])) as bell:
            while clock() < until and not _is_closing:
                changed: set[str] = set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0, ask_at - clock())):
                        changed = await bell.wait()
                if clock() >= ask_at:
                    if not await self._may_look():
                        return
                    ask_at = clock() + HEARTBEAT_S
                    yield ": still here\n\n"
                if changed:
                    yield f"event: changed\ndata: {json.dumps(sorted(changed))}\n\n"
                    await asyncio.sleep(PAUSE_S)

    async def _may_look(self) -> bool:
        """Whether the person is still signed in, and in the same workspace."""
        try:
            found = await in_thread(membership_of_session, self._session_key)
        except Exception:  # as at the beginning
            logger.exception("a stream was ended")
            return False
        return found is not None and (found.user_id, found.workspace_id) == self._who
