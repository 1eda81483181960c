"""Identifiers: time-ordered UUIDs for rows, unguessable tokens for addresses."""

import secrets
import uuid
from datetime import UTC, datetime

from uuid_utils.compat import uuid7 as _uuid7

TOKEN_BYTES = 24


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): sorting by it is sorting by time of creation."""
    return _uuid7()


def opaque_token() -> str:
    """A URL-safe token of 192 random bits, for addresses that nobody may guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def earliest_uuid7(at: datetime) -> uuid.UUID:
    """The least UUID version 7 of the millisecond `at`.

    Rows made from then on have greater ids, so an index on the id finds them.
    """
    milliseconds = int(at.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62)


def made_at(uuid7: uuid.UUID) -> datetime:
    """The millisecond in which that UUID version 7 was made."""
    return datetime.fromtimestamp((uuid7.int >> 80) / 1000, tz=UTC)
