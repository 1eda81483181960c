"""Databases whose tables are made: that takes longer than most of what tests do."""

import hashlib
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import psycopg

from tests.processes import NEUTRAL
from voiceops.run.children import PROJECT_DIR

KEPT_IN = PROJECT_DIR / ".pytest_cache" / "tables"
# In the database server of a test run, for `CREATE DATABASE … TEMPLATE`.
TEMPLATE = "migrated"


@cache
def empty_tables() -> Path:
    """An SQLite database as `migrate` makes it, kept until a migration is another."""
    kept = KEPT_IN / f"{_stamp()}.sqlite3"
    if not kept.exists():
        KEPT_IN.mkdir(parents=True, exist_ok=True)
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
