"""An event loop for threads that have none: a WSGI request, a task."""

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

CLOSE_WITHIN_S = 3

T = TypeVar("T")


class _BackgroundLoop:
    """An event loop in a thread, begun on first use and anew in a forked process."""

    def __init__(self) -> None:
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._forget()
        os.register_at_fork(after_in_child=self._forget)
        atexit.register(self._close)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="background", daemon=True
                ).start()
            return self._loop

    def add_closer(self, close: Callable[[], Awaitable[None]]) -> None:
        self._closers.append(close)

    def _close(self) -> None:
        if self._loop is not None:
            closing = asyncio.run_coroutine_threadsafe(self._close_all(), self._loop)
            with suppress(TimeoutError):
                closing.result(CLOSE_WITHIN_S)
            self._loop.call_soon_threadsafe(self._loop.stop)

    async def _close_all(self) -> None:
        for close in self._closers:
            await close()


_background = _BackgroundLoop()


def before_the_end(close: Callable[[], Awaitable[None]]) -> None:
    """Have `close()` awaited on the loop when the process ends."""
    _background.add_closer(close)


def start(coroutine: Coroutine[Any, Any, None]) -> None:
    """Have `coroutine` run on the background loop; nobody waits for it."""
    asyncio.run_coroutine_threadsafe(coroutine, _background.get())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` on the process's background loop and wait for its result.

    What it opens there stays open between calls. Raises what the coroutine raises.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, _background.get())
    try:
        return future.result()
    except BaseException:
        future.cancel()  # the waiting thread was interrupted: nobody wants it any more
        raise
