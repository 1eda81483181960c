from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.commands import migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK = 0x766F6963656F7073  # any number that nobody else takes: "voiceops"
# Whoever waits for a table's lock makes everybody else wait behind it.
LOCK_TIMEOUT = "10s"


class Command(migrate.Command):
    """Django's own, one at a time: several machines may start the same release."""

    def handle(self, *args, **options):
        with _alone(connections[options["database"]]):
            super().handle(*args, **options)


@contextmanager
def _alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Waits for another one to end. On SQLite, which is one machine, does nothing."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # to wait, and for long migrations
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
            cursor.execute("RESET lock_timeout")
            cursor.execute("RESET statement_timeout")
