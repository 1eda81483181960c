"""The cache that sessions are kept in, beside the database that holds them."""

import logging

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class SessionCache(RedisCache):
    """Pages work while Redis is away: a session that cannot be cached is read again.

    Only writing is forgiven. Reading already is, by Django; a deletion that fails must
    be heard of, or a session that was logged out would live on in the cache.
    """

    def set(self, *args, **kwargs):
        try:
            super().set(*args, **kwargs)
        except RedisError as error:
            logger.warning("a session was not cached: %s", type(error).__name__)
