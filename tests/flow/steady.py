"""One request after the other through the front, for as long as something breaks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx

PAUSE_S = 0.25
Request = tuple[str, str, dict | None]  # method, path, JSON


class Steady:
    """Makes some requests in turn, from a thread; `failed` is what went wrong."""

    def __init__(self, client: httpx.Client, *requests: Request):
        self._client, self._requests = client, requests
        self._is_over = threading.Event()
        self.asked = 0
        self.failed: list[str] = []

    @contextmanager
    def asking(self) -> Iterator["Steady"]:
        thread = threading.Thread(target=self._ask_on)
        thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            thread.join()

    def fresh(self) -> tuple[int, list[str]]:
        """How many were asked since this was asked last, and which of them failed."""
        asked, failed = self.asked, self.failed
        self.asked, self.failed = 0, []
        return asked, failed

    def _ask_on(self) -> None:
        while not self._is_over.wait(PAUSE_S):
            for method, path, body in self._requests:
                told = self._ask(method, path, body)
                self.asked += 1
                if told != HTTPStatus.OK:
                    self.failed.append(f"{method} {path} {told}")

    def _ask(self, method: str, path: str, body: dict | None) -> int | str:
        try:
            return self._client.request(method, path, json=body).status_code
        except httpx.HTTPError as error:
            return type(error).__name__
