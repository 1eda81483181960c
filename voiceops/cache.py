"""The cache that sessions are kept in, beside the database that holds them."""

import hashlib
import json
import logging
from typing import Any

from cryptography.fernet import InvalidToken
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from voiceops import encryption

logger = logging.getLogger(__name__)


class Sealed:
    """How a session is written into Redis: as JSON, encrypted."""

    def dumps(self, value: Any) -> str:
        return encryption.encrypt(json.dumps(value))

    def loads(self, stored: bytes) -> Any:
        """None, as for what is not there, if the key is gone that it was under."""
        try:
            return json.loads(encryption.decrypt(stored.decode()))
        except InvalidToken:
            return None


class SessionCache(RedisCache):
    """Redis learns neither what is in a session nor the key that opens it.

    Pages work while Redis is away: a session that cannot be cached is read again. Only
    writing is forgiven. Reading already is, by Django; a deletion that fails must be
    heard of, or a session that was logged out would live on in the cache.
    """

    def __init__(self, server, params):
        options = params.get("OPTIONS", {}) | {"serializer": Sealed}
        super().__init__(server, params | {"OPTIONS": options})

    def make_key(self, key, version=None):
        return super().make_key(hashlib.sha256(key.encode()).hexdigest(), version)

    def set(self, *args, **kwargs):
        try:
            super().set(*args, **kwargs)
        except RedisError as error:
            logger.warning("a session was not cached: %s", type(error).__name__)
