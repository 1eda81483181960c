"""How often somebody may ask: counters that all processes share, a window a minute.

The windows are the clock's minutes, so a counter is one key that is only ever
incremented: no two processes can read and write past each other. In exchange somebody
can spend two windows' worth around the turn of a minute.
"""

import hashlib
import logging
import time
from dataclasses import dataclass

from django.core.cache import cache
from redis.exceptions import RedisError

WINDOW_S = 60

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Usage:
    """What is left of a limit: `remaining` requests within the next `reset_s`."""

    limit: int
    remaining: int
    reset_s: int
    is_allowed: bool


def count(scope: str, who: object, limit: int) -> Usage:
    """Count one request of `who`; at most `limit` a minute are allowed.

    Without the broker nobody is counted: an API that is down protects nobody.
    """
    window, passed_s = divmod(int(time.time()), WINDOW_S)
    name = hashlib.sha256(str(who).encode()).hexdigest()[:32]
    try:
        used = _increment(f"limit:{scope}:{name}:{window}")
    except RedisError:
        logger.warning("requests are not limited: the broker does not answer")
        used = 0
    return Usage(
        limit=limit,
        remaining=max(limit - used, 0),
        reset_s=WINDOW_S - passed_s,
        is_allowed=used <= limit,
    )


def _increment(key: str) -> int:
    try:
        return cache.incr(key)
    except ValueError:  # nobody has asked in this window yet
        # Twice the window: it must not expire between two commands of its last second.
        cache.add(key, 0, timeout=2 * WINDOW_S)
        return cache.incr(key)


def rate_limit_middleware(get_response):
    """Tell every client of the API how much it may still ask.

    The three fields of draft-ietf-httpapi-ratelimit-headers-06; later drafts fold them
    into one structured field that hardly any client reads yet.
    """

    def middleware(request):
        response = get_response(request)
        usage = getattr(request, "rate_limit", None)
        if usage is not None:
            response["RateLimit-Limit"] = usage.limit
            response["RateLimit-Remaining"] = usage.remaining
            response["RateLimit-Reset"] = usage.reset_s
        return response

    return middleware
