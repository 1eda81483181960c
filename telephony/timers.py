"""Alarms of one call, by name: setting one again moves it."""

import asyncio
from collections.abc import Callable


class Timers:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._handles

    def set(self, name: str, after_s: float, callback: Callable, *args) -> None:
        self.cancel(name)

        def ring() -> None:
            del self._handles[name]
            callback(*args)

        self._handles[name] = self._loop.call_later(max(0, after_s), ring)

    def cancel(self, name: str) -> None:
        if handle := self._handles.pop(name, None):
            handle.cancel()

    def cancel_all(self) -> None:
        for name in list(self._handles):
            self.cancel(name)
