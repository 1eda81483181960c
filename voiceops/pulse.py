"""What workers and beat say of themselves in Redis, for operators to look at.

It decides nothing: what is due stands in rows, and `/readyz` has its own heartbeat.
"""

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

import redis
from celery.signals import (
    after_task_publish,
    beat_init,
    task_postrun,
    task_prerun,
)
from django.conf import settings

QUEUE = "celery"  # Celery's default, the only one
WORKERS, BEAT = "pulse:workers", "pulse:beat"
SLOW = "pulse:slow:"  # and the day
TELL_EVERY_S = 5
SLOW_S = 1
DEAD_AFTER_S = 3600  # a worker of which nothing is heard for so long is left out
KEPT_FOR_S = 2 * 24 * 3600
CONNECT_TIMEOUT_S, TIMEOUT_S = 1, 1

logger = logging.getLogger(__name__)


def client() -> redis.Redis:
    """Where the broker's queue stands as well. It waits a second at most."""
    return _client(settings.REDIS_URL)


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        decode_responses=True,
    )


# -- Told by workers and beat ----------------------------------------------------------

_told_at: dict[str, float] = {}
_begun_at: dict[str, float] = {}


def keep() -> None:
    """Tell from now on, if this process becomes a worker or beat."""

    def begun(task_id=None, task=None, **kwargs):
        _begun_at[task_id] = time.monotonic()
        _now_and_then(WORKERS, lambda: _note_worker(task.request.hostname))

    def ended(task_id=None, task=None, **kwargs):
        elapsed_s = time.monotonic() - _begun_at.pop(task_id, time.monotonic())
        if elapsed_s >= SLOW_S:
            _tell(lambda: _note_slow(task.name, elapsed_s))

    def is_beat(**kwargs):
        after_task_publish.connect(rung, weak=False)

    def rung(**kwargs):
        _now_and_then(BEAT, lambda: client().set(BEAT, time.time()))

    task_prerun.connect(begun, weak=False)
    task_postrun.connect(ended, weak=False)
    beat_init.connect(is_beat, weak=False)


def _now_and_then(what: str, tell: Callable) -> None:
    if time.monotonic() - _told_at.get(what, -TELL_EVERY_S) >= TELL_EVERY_S:
        _told_at[what] = time.monotonic()
        _tell(tell)


def _tell(tell: Callable) -> None:
    if not settings.REDIS_URL:
        return
    try:
        tell()
    except redis.RedisError as error:
        logger.warning("not told to operators: %s", type(error).__name__)


def _note_worker(name: str | None) -> None:
    client().hset(WORKERS, name or socket.gethostname(), time.time())


def _note_slow(name: str, elapsed_s: float) -> None:
    """The longest run of each task in a day."""
    key = SLOW + _today()
    with client().pipeline() as pipe:
        pipe.zadd(key, {name: round(elapsed_s, 1)}, gt=True)
        pipe.expire(key, KEPT_FOR_S)
        pipe.execute()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


# -- Read by operators -----------------------------------------------------------------


@dataclass(frozen=True)
class Pulse:
    """`problem`: why nothing is known; empty if Redis has answered."""

    problem: str = ""
    queued: int = 0
    beat_at: datetime | None = None
    workers: dict[str, datetime] = field(default_factory=dict)
    slow: list[tuple[str, float]] = field(default_factory=list)


def read() -> Pulse:
    """How things stand, in two seconds at most, also where Redis is away."""
    if not settings.REDIS_URL:
        return Pulse("REDIS_URL")
    try:
        with client().pipeline(transaction=False) as pipe:
            pipe.llen(QUEUE).get(BEAT).hgetall(WORKERS)
            pipe.zrevrange(SLOW + _today(), 0, 14, withscores=True)
            queued, beat, workers, slow = pipe.execute()
    except redis.RedisError as error:
        return Pulse(type(error).__name__)
    seen = {name: _moment(at) for name, at in workers.items()}
    since = datetime.fromtimestamp(time.time() - DEAD_AFTER_S, UTC)
    return Pulse(
        queued=queued,
        beat_at=_moment(beat) if beat else None,
        workers={name: at for name, at in sorted(seen.items()) if at > since},
        slow=slow,
    )


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
