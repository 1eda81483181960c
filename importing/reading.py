"""The earlier system's database; nothing else speaks its protocol."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.errors import PyMongoError

ANSWER_WITHIN_MS = 10_000
READ_WITHIN_MS = 120_000


class Unreachable(Exception):
    """The database does not answer, or not as one should; `str()` has no password."""


class Source:
    """A database that is only read. Close it, or use it by `with`."""

    def __init__(self, uri: str, database: str | None = None):
        try:
            self._client: MongoClient = MongoClient(
                uri,
                appname="voiceops import_mongodb",
                serverSelectionTimeoutMS=ANSWER_WITHIN_MS,
                connectTimeoutMS=ANSWER_WITHIN_MS,
                socketTimeoutMS=READ_WITHIN_MS,
            )
            named = self._client.get_default_database(database or "").name
            self._database = self._client.get_database(
                database or named,
                # What is broken is handed on as it is, to be refused row by row.
                codec_options=CodecOptions(
                    tz_aware=True,
                    unicode_decode_error_handler="surrogateescape",
                    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
                ),
            )
        except (PyMongoError, ValueError) as error:
            raise Unreachable(_told(error)) from None

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_error) -> None:
        self._client.close()

    @property
    def name(self) -> str:
        return self._database.name

    def count(self, collection: str) -> int:
        """How many documents there are, about."""
        try:
            return self._database[collection].estimated_document_count()
        except PyMongoError as error:
            raise Unreachable(_told(error)) from None

    def batches(self, collection: str, size: int) -> Iterator[list[Mapping[str, Any]]]:
        """All documents in the order of their ids, so many at once."""
        try:
            found = self._database[collection].find({}, batch_size=size)
            with found.sort("_id", 1) as documents:
                while batch := list(islice(documents, size)):
                    yield batch
        except PyMongoError as error:
            raise Unreachable(_told(error)) from None


def _told(error: Exception) -> str:
    """What is wrong, in a line; a broken address is not repeated."""
    kind = type(error).__name__
    if kind in {"InvalidURI", "ConfigurationError", "ValueError", "InvalidName"}:
        return f"The address of the database is not right, or names none ({kind})."
    return f"The database does not answer as it should ({kind})."
