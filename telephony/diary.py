"""What a live session writes down, in order, beside the conversation."""

import asyncio
import logging
from collections.abc import Callable
from weakref import WeakValueDictionary

from django.db import Error as DatabaseError

from voiceops.threads import in_thread

RETRY_AFTER_S = (0.2, 1, 3)
FINISH_WITHIN_S = 10  # when the call is over
CATCH_UP_WITHIN_S = 2  # a caller waits

logger = logging.getLogger(__name__)


class Diary:
    """Writes one entry after the other, in database threads.

    A database that fails is tried again, then the entry is given up and logged: the
    caller's conversation goes on without it.
    """

    def __init__(self, call_id) -> None:
        self._call_id = call_id
        self._entries: asyncio.Queue[tuple[Callable, tuple]] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        _latest[call_id] = self

    def add(self, function: Callable, *args) -> None:
        """Have `function(*args)` called when its turn comes."""
        self._entries.put_nowait((function, args))

    async def written(self, timeout_s: float = FINISH_WITHIN_S) -> bool:
        """Wait until everything is written or given up; False if that takes longer."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._entries.join()
        except TimeoutError:
            logger.error("call %s: not all was written in time", self._call_id)
            return False
        return True

    async def close(self) -> None:
        await self.written()
        self._writer.cancel()

    async def _write(self) -> None:
        while True:
            function, args = await self._entries.get()
            try:
                await self._try(function, args)
            except Exception:  # one entry that cannot be written is not the last one
                logger.exception("call %s: not written", self._call_id)
            finally:
                self._entries.task_done()

    async def _try(self, function: Callable, args: tuple) -> None:
        for delay_s in RETRY_AFTER_S:
            try:
                return await in_thread(function, *args)
            except DatabaseError as error:
                name = type(error).__name__
                logger.warning("call %s: write failed: %s", self._call_id, name)
            await asyncio.sleep(delay_s)
        return await in_thread(function, *args)


_latest: WeakValueDictionary[object, Diary] = WeakValueDictionary()


async def catch_up(call_id) -> None:
    """Wait for what an earlier session of the call, in this process, has yet to write.

    In another process it is dead, or has had the time of the carrier's two requests.
    """
    if earlier := _latest.get(call_id):
        await earlier.written(CATCH_UP_WITHIN_S)
