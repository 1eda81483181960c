"""Work that mostly waits for somebody else: many pieces at once in one thread.

A task that waits half a minute for a slow answer would hold a worker's thread as long,
and a few of them would hold up everything else that the worker does.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from celery.signals import worker_shutting_down

from voiceops.threads import in_thread

POLL_S = 1  # how often it looks for more while something is under way
LONGEST_RUN_S = 120  # then the next ring of the bell goes on

logger = logging.getLogger(__name__)

Piece = TypeVar("Piece")

_is_ending = threading.Event()


@worker_shutting_down.connect
def take_no_more(**kwargs: Any) -> None:
    """The worker is told to end, and waits for what is under way."""
    _is_ending.set()


class Pump(Generic[Piece]):
    """`claim(room)` takes up to `room` pieces, `work(piece)` does one.

    `run` brings a coroutine to its end. One run at a time in a process: another one
    leaves at once, for the first goes on looking.
    """

    def __init__(
        self,
        *,
        claim: Callable[[int], list[Piece]],
        work: Callable[[Piece], Awaitable[None]],
        at_once: int,
        run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
    ) -> None:
        self._claim = claim
        self._work = work
        self._at_once = at_once
        self._run = run
        self._is_running = threading.Lock()

    def run(self) -> None:
        """Work until nothing is due, or the worker is to end."""
        if not self._is_running.acquire(blocking=False):
            return
        try:
            self._run(self._pump())
        finally:
            self._is_running.release()

    async def _pump(self) -> None:
        until = time.monotonic() + LONGEST_RUN_S
        busy: set[asyncio.Task] = set()
        try:
            while True:
                room = self._at_once - len(busy)
                if room and time.monotonic() < until and not _is_ending.is_set():
                    pieces = await in_thread(self._claim, room)
                    busy |= {asyncio.create_task(self._do(piece)) for piece in pieces}
                if not busy:
                    return
                _done, busy = await asyncio.wait(
                    busy, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            for task in busy:
                task.cancel()

    async def _do(self, piece: Piece) -> None:
        try:
            await self._work(piece)
        except Exception:  # the other pieces have a right to be done too
            logger.exception("a piece of work failed")
