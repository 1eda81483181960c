"""Bells: a word, to whoever waits for it in any process, that something has changed.

Redis carries them and nothing that matters: a bell says where to look, what is there
stands in the database. A bell may get lost with its process, and ring for nothing.
While Redis is away everybody who waits is rung every two seconds, and looks by
themselves; who cannot reach it rings when it can.
"""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic

import redis.asyncio as redis
from django.conf import settings
from redis.exceptions import RedisError

from voiceops import loops

PREFIX = "voiceops:bells:"
ANYTHING = ""  # the word that says: look at all of it
MOST_UNSENT = 1000  # bells of this process; more are dropped
MOST_WORDS = 100  # that one listener has not looked at; more become ANYTHING
DEAF_S = 2  # between two rings by ourselves, and two tries to reach Redis
QUIET_S = 1  # after which Redis is asked whether it is still there
CONNECT_TIMEOUT_S, TIMEOUT_S = 1, 1

logger = logging.getLogger(__name__)


# -- Ringing ---------------------------------------------------------------------------

_unsent: set[tuple[str, str]] = set()
_has_ringer = False
_quiet_until = 0.0


def ring(channel: str, word: str = ANYTHING) -> None:
    """Ring in every process. Never waits and never fails; the same bell once."""
    global _has_ringer
    if not settings.REDIS_URL or len(_unsent) >= MOST_UNSENT:
        return
    _unsent.add((channel, word))
    if not _has_ringer:
        _has_ringer = True
        loops.start(_ring_unsent())


async def _ring_unsent() -> None:
    """All bells that wait by now, together: many cost little more than one."""
    global _has_ringer, _quiet_until
    while (wait_s := _quiet_until - monotonic()) > 0:
        await asyncio.sleep(wait_s)
    _has_ringer = False  # first: whose bell comes too late for us starts another
    bells = list(_unsent)
    _unsent.difference_update(bells)
    publisher = _publisher(settings.REDIS_URL)
    try:
        async with publisher.pipeline(transaction=False) as pipeline:
            for channel, word in bells:
                pipeline.publish(PREFIX + channel, word)
            await pipeline.execute()
    except (RedisError, OSError) as error:
        if monotonic() > _quiet_until:
            logger.warning("bells are rung later: %s", type(error).__name__)
            _quiet_until = monotonic() + DEAF_S
        for channel, word in bells:
            ring(channel, word)


@lru_cache
def _publisher(url: str) -> redis.Redis:
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=2,
        timeout=TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
    )
    return redis.Redis(connection_pool=pool)


async def _close_publisher() -> None:
    if settings.REDIS_URL and _publisher.cache_info().currsize:
        await _publisher(settings.REDIS_URL).aclose(close_connection_pool=True)


def _begin_anew() -> None:
    """In a forked child, which has neither our loop nor our connections."""
    global _has_ringer
    _has_ringer = False
    _publisher.cache_clear()


os.register_at_fork(after_in_child=_begin_anew)
loops.before_the_end(_close_publisher)


# -- Listening -------------------------------------------------------------------------


class Bell:
    """What one listener has been rung for; rings that are not looked at are one."""

    def __init__(self) -> None:
        self._has_rung = asyncio.Event()
        self._words: set[str] = set()

    def ring(self, word: str) -> None:
        is_full = len(self._words) >= MOST_WORDS
        self._words = {ANYTHING} if is_full else self._words | {word}
        self._has_rung.set()

    async def wait(self) -> set[str]:
        """The words that it has been rung for since the last wait."""
        await self._has_rung.wait()
        self._has_rung.clear()
        words, self._words = self._words, set()
        return words


class Belfry:
    """All listeners of an event loop, on one connection to Redis."""

    def __init__(self) -> None:
        self._bells: dict[str, set[Bell]] = {}
        self._hearing: asyncio.Task | None = None

    @contextmanager
    def listening(self, channel: str) -> Iterator[Bell]:
        """A bell for the channel; it rings at once, for what came before."""
        bell = Bell()
        bell.ring(ANYTHING)
        self._bells.setdefault(channel, set()).add(bell)
        if self._hearing is None:
            self._hearing = asyncio.create_task(self._hear())
        try:
            yield bell
        finally:
            self._leave(channel, bell)

    def _leave(self, channel: str, bell: Bell) -> None:
        self._bells[channel].discard(bell)
        if not self._bells[channel]:
            del self._bells[channel]
        if not self._bells and self._hearing:
            self._hearing.cancel()
            self._hearing = None

    async def _hear(self) -> None:
        was_deaf = not settings.REDIS_URL
        while True:
            began = monotonic()
            if settings.REDIS_URL:
                try:
                    await self._hear_until_it_breaks()
                except Exception as error:  # whatever it is: nobody may stay deaf
                    if not was_deaf:
                        kind = type(error).__name__
                        logger.warning("no bell is heard (%s)", kind)
                        was_deaf = True
            self.ring_all()
            # A try that waits in vain is a part of the pause: wishes lapse meanwhile.
            await asyncio.sleep(max(0, DEAF_S - (monotonic() - began)))

    async def _hear_until_it_breaks(self) -> None:
        client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
        )
        async with client, client.pubsub() as ear:
            await ear.psubscribe(f"{PREFIX}*")
            self.ring_all()  # for what was missed until now
            while True:
                message = await ear.get_message(timeout=QUIET_S)
                if message is None:
                    await client.ping()
                elif message["type"] == "pmessage":
                    channel = message["channel"].decode().removeprefix(PREFIX)
                    self._ring(channel, message["data"].decode())

    def _ring(self, channel: str, word: str) -> None:
        for bell in self._bells.get(channel, ()):
            bell.ring(word)

    def ring_all(self) -> None:
        for channel in self._bells:
            self._ring(channel, ANYTHING)


belfry = Belfry()
