"""Waiting until something about a shared state has become true."""

import asyncio
from collections.abc import Callable


class Changes:
    """Whoever changes the state calls `tell()`; whoever waits names a condition."""

    def __init__(self):
        self._waiting: list[asyncio.Future] = []

    def tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(
        self, is_true: Callable[[], bool], *, timeout_s: float | None = None
    ) -> bool:
        """Wait for the condition; False if the time went by first."""
        try:
            async with asyncio.timeout(timeout_s):
                while not is_true():
                    future = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
        except TimeoutError:
            return is_true()
        return True
