"""SQLite: its own online backup, page by page, while everything runs."""

import sqlite3
from contextlib import closing
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

FILE = "voiceops.sqlite3"
BUSY_TIMEOUT_S = 60


def dump(connection: BaseDatabaseWrapper, directory: Path) -> dict[str, int]:
    """Copy the database to FILE; the rows of each of its tables."""
    with closing(_open(connection)) as live, closing(_copy(directory)) as copy:
        live.backup(copy)
        # One file, that opens where nothing may be written.
        copy.execute("PRAGMA journal_mode=DELETE")
        return _count(copy)


def load(connection: BaseDatabaseWrapper, file: Path) -> None:
    """All of it in one transaction, whatever was there before."""
    source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    with closing(source), closing(_open(connection)) as live:
        source.backup(live)


def count(connection: BaseDatabaseWrapper) -> dict[str, int]:
    with closing(_open(connection)) as live:
        return _count(live)


def version(connection: BaseDatabaseWrapper) -> str:
    return sqlite3.sqlite_version


def _open(connection: BaseDatabaseWrapper) -> sqlite3.Connection:
    """Beside Django's connection, which may be in a transaction."""
    return sqlite3.connect(connection.settings_dict["NAME"], timeout=BUSY_TIMEOUT_S)


def _copy(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(directory / FILE)


def _count(database: sqlite3.Connection) -> dict[str, int]:
    names = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    return {
        name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        for (name,) in names
    }
