"""What can be made to go wrong with an account's REST requests, on purpose.

Kinds: `429`, `500`, `close` (the connection, unanswered), `delay` (answer late); and
these, after the request was carried out: `answer-lost` (the connection is closed
unanswered), `500-after`, `garbled` (201, and no JSON), `cut` (half an answer),
`answer-late`.

Status callbacks: `lost`, `twice`, `reversed` (all of them when the call has ended, the
last first), `late` (each by `delay_s`), or `` for as they should be. Those of texts are
spoiled likewise.

Texts that are sent from now on are not delivered if `undelivered` says why, by Twilio's
error code; 0 for as it should be.
"""

import time
from collections import defaultdict, deque
from dataclasses import dataclass

KINDS = {
    *("429", "500", "close", "delay"),
    *("answer-lost", "answer-late", "500-after", "garbled", "cut"),
}
MISCHIEFS = {"", "lost", "twice", "reversed", "late"}
SETTINGS = {"clear", "calls_per_second", "callbacks", "undelivered"}
MAX_CODE = 99_999
MAX_COUNT, MAX_DELAY_S = 10_000, 120


class BadFault(Exception):
    """No such fault; says why."""


@dataclass(frozen=True)
class Fault:
    kind: str
    delay_s: float = 0
    method: str = ""  # only requests of this method; empty for all


@dataclass(frozen=True)
class Mischief:
    """What is done to the status callbacks of a call."""

    kind: str = ""
    delay_s: float = 0


class Faults:
    """Kept in memory: a restart of the carrier makes it healthy again."""

    def __init__(self):
        self._coming: dict[str, deque[Fault]] = defaultdict(deque)
        self._calls_per_second: dict[str, float] = {}
        self._last_call_at: dict[str, float] = {}
        self._mischief: dict[str, Mischief] = {}
        self._undelivered: dict[str, int] = {}

    def add(self, account_sid: str, given: object) -> None:
        """Read `{kind, count?, delay_s?, method?}`, `{calls_per_second}`,
        `{callbacks, delay_s?}`, `{undelivered}`, or `{clear: true}`. Raises BadFault.
        """
        if not isinstance(given, dict):
            raise BadFault("a fault is a JSON object")
        if given.get("clear") is True:
            self._coming.pop(account_sid, None)
            self._calls_per_second.pop(account_sid, None)
            self._mischief.pop(account_sid, None)
            self._undelivered.pop(account_sid, None)
        if "undelivered" in given:
            code = _number(given, "undelivered", 0, MAX_CODE)
            self._undelivered[account_sid] = int(code)
        if "callbacks" in given:
            self._mischief[account_sid] = _mischief(given)
        if "calls_per_second" in given:
            rate = _number(given, "calls_per_second", 0, 1000)
            self._calls_per_second[account_sid] = rate
        if "kind" in given:
            fault, count = _read(given)
            self._coming[account_sid].extend([fault] * count)
        elif not given.keys() & SETTINGS:
            raise BadFault(f"nothing to do: give kind or {', '.join(sorted(SETTINGS))}")

    def take(self, account_sid: str, method: str) -> Fault | None:
        """The next fault, if it is meant for a request of this method."""
        coming = self._coming.get(account_sid)
        if not coming or coming[0].method not in ("", method):
            return None
        return coming.popleft()

    def mischief(self, account_sid: str) -> Mischief:
        """What is done to the callbacks of a call that begins now."""
        return self._mischief.get(account_sid, Mischief())

    def undelivered(self, account_sid: str) -> int:
        """Why a text of the account does not arrive, as an error code; 0: it does."""
        return self._undelivered.get(account_sid, 0)

    def is_too_fast(self, account_sid: str) -> bool:
        """Whether one more call now exceeds the account's rate (0 = no limit)."""
        rate = self._calls_per_second.get(account_sid, 0)
        now = time.monotonic()
        if rate and now - self._last_call_at.get(account_sid, -1e9) < 1 / rate:
            return True
        self._last_call_at[account_sid] = now
        return False


def _read(given: dict) -> tuple[Fault, int]:
    kind = str(given["kind"])
    if kind not in KINDS:
        raise BadFault(f"kind is one of {', '.join(sorted(KINDS))}")
    method = str(given.get("method", "")).upper()
    if method not in ("", "GET", "POST"):
        raise BadFault("method is GET or POST")
    delay_s = _number(given, "delay_s", 0, MAX_DELAY_S)
    count = int(_number(given, "count", 1, MAX_COUNT, default=1))
    return Fault(kind, delay_s, method), count


def _mischief(given: dict) -> Mischief:
    kind = given["callbacks"]
    if kind not in MISCHIEFS:
        raise BadFault(f"callbacks is one of {', '.join(sorted(MISCHIEFS))}")
    return Mischief(kind, _number(given, "delay_s", 0, MAX_DELAY_S))


def _number(given: dict, name: str, least: float, most: float, default=0) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadFault(f"{name} must be a number")
    if not least <= value <= most:
        raise BadFault(f"{name} must be from {least} to {most}")
    return value
