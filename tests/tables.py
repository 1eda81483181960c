"""Databases with tables, made once and emptied quickly: else it outlasts most tests."""

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import psycopg
from django.apps import apps
from django.db import OperationalError, connection, transaction

from tests.processes import NEUTRAL
from voiceops.run.children import PROJECT_DIR

KEPT_IN = PROJECT_DIR / ".pytest_cache" / "tables"
# In the database server of a test run, for `CREATE DATABASE … TEMPLATE`.
TEMPLATE = "migrated"
# Filled by `migrate` itself, and by nobody else.
NOT_EMPTIED = {"django_content_type", "auth_permission"}
TRIES = 3


@cache
def empty_tables() -> Path:
    """An SQLite database as `migrate` makes it, kept until a migration is another."""
    kept = KEPT_IN / f"{_stamp()}.sqlite3"
    KEPT_IN.mkdir(parents=True, exist_ok=True)
    with (KEPT_IN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes want the same now
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=KEPT_IN) as scratch:
                made = Path(scratch) / kept.name
                _migrate(f"sqlite:///{made}", scratch)
                made.replace(kept)
    return kept


def make_template(url: str, scratch: Path) -> None:
    """A database `TEMPLATE` with all tables, beside the one of the `url`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    _migrate(url.replace("@/postgres?", f"@/{TEMPLATE}?"), scratch)


def empty_again() -> None:
    """Delete all that a test has committed.

    In place of `flush`, which asks every table and makes every permission and every
    trigger anew: most tests write to a handful of tables.
    """
    for _ in range(TRIES - 1):
        with suppress(OperationalError):  # a late callback wanted the same rows
            return _empty()
    return _empty()


def _empty() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        while filled := _filled(cursor):  # triggers note what was deleted
            for table in filled:
                cursor.execute(f"DELETE FROM {table}")


def _filled(cursor) -> list[str]:
    models = apps.get_models(include_auto_created=True)
    tables = {model._meta.db_table for model in models} - NOT_EMPTIED
    cursor.execute(
        " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})"
            for table in sorted(tables)
        )
    )
    return [table for (table,) in cursor.fetchall()]


def _migrate(url: str, scratch: str | Path) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=PROJECT_DIR,
        env={**os.environ, **NEUTRAL, "VAR_DIR": str(scratch), "DATABASE_URL": url},
        check=True,
    )


def _stamp() -> str:
    """Of all that decides what the tables are: our migrations, and others' versions."""
    sources = [*PROJECT_DIR.glob("*/migrations/*.py"), PROJECT_DIR / "requirements.txt"]
    stamp = hashlib.sha256()
    for source in sorted(sources):
        stamp.update(f"{source.name}\n".encode() + source.read_bytes())
    return stamp.hexdigest()[:16]
