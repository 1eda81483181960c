"""Backups of both databases: everything comes back, or nothing is touched."""

import os
import signal
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.utils import ConnectionHandler

from telephony.tests.calls import make_call
from tests.postgres import PACKAGE_DIR
from voiceops import backups
from voiceops.backups import making, manifest, postgres

pytestmark = pytest.mark.django_db(transaction=True)
EMPTY = "voiceops_restored"


@pytest.fixture(autouse=True)
def programs_of_the_server(monkeypatch):
    """pg_dump and its like, of the wheel that our PostgreSQL is from."""
    binaries = PACKAGE_DIR / "pginstall" / "bin"
    monkeypatch.setenv("PATH", f"{binaries}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def empty(tmp_path):
    """A connection to a database of the same kind, with nothing in it."""
    with _empty_database(tmp_path) as name:
        settings = {**connection.settings_dict, "NAME": name}
        options = {k: v for k, v in settings["OPTIONS"].items() if k != "pool"}
        handler = ConnectionHandler({"default": {**settings, "OPTIONS": options}})
        yield handler["default"]
        handler.close_all()


@contextmanager
def _empty_database(tmp_path):
    if connection.vendor == "sqlite":
        yield str(tmp_path / "empty.sqlite3")
        return
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {EMPTY}")
    yield EMPTY
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {EMPTY}")


def content(database):
    """Every row of every table, as text."""
    with database.cursor() as cursor:
        found = {}
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found[table] = sorted(map(str, cursor.fetchall()))
        return found


def test_everything_comes_back_into_an_empty_database(alice, mallory, empty, tmp_path):
    make_call(owner=alice.workspace)
    before = content(connection)

    made = backups.make(connection, tmp_path / "backups")
    restored = backups.restore(empty, made, replace=False)

    assert content(empty) == content(connection) == before
    assert before["accounts_workspace"] and before["telephony_call"]
    assert restored.manifest.rows == {name: len(rows) for name, rows in before.items()}
    assert (restored.is_behind, restored.is_sealed) == (False, False)
    assert made.stat().st_mode & 0o077 == 0
    assert list((tmp_path / "backups").iterdir()) == [made]


def test_database_that_holds_something_is_replaced_only_by_force(
    alice, empty, tmp_path
):
    made = backups.make(connection, tmp_path)
    backups.restore(empty, made, replace=False)
    with empty.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET name = 'somebody else'")
        cursor.execute("CREATE TABLE of_a_newer_release (id integer PRIMARY KEY)")

    with pytest.raises(backups.BadBackup, match=r"^The database is not empty"):
        backups.restore(empty, made, replace=False)
    backups.restore(empty, made, replace=True)

    assert content(empty) == content(connection)


def test_damaged_backup_is_refused_before_anything_changes(alice, empty, tmp_path):
    made = backups.make(connection, tmp_path)
    file = made / manifest.Manifest.read(made).file
    whole = file.read_bytes()
    file.write_bytes(whole[:-1000] + bytes([whole[-1000] ^ 1]) + whole[-999:])

    with pytest.raises(backups.BadBackup, match="is damaged"):
        backups.restore(empty, made, replace=True)

    assert content(empty) == {}


def test_restoring_that_fails_takes_everything_back(
    alice, empty, tmp_path, monkeypatch
):
    made = backups.make(connection, tmp_path)
    backups.restore(empty, made, replace=False)
    file = made / manifest.Manifest.read(made).file
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    monkeypatch.setattr(manifest, "checksum", lambda path: _claimed(made))

    with pytest.raises(backups.ERRORS):
        backups.restore(empty, made, replace=True)

    assert content(empty) == content(connection)


def _claimed(made):
    return manifest.Manifest.read(made).sha256


def test_backup_that_is_killed_leaves_nothing_under_its_name(tmp_path):
    child = os.fork()
    if child == 0:  # killed when the data is written and the manifest is not
        making.MigrationRecorder = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        try:
            backups.make(connection, tmp_path)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL

    (left,) = tmp_path.iterdir()

    assert left.name.endswith(".unfinished")
    with pytest.raises(CommandError, match="is no backup"):
        call_command("restore", str(left))


def test_other_keys_are_told_when_they_do_not_open_the_secrets(
    alice, empty, tmp_path, settings
):
    made = backups.make(connection, tmp_path)
    settings.FIELD_ENCRYPTION_KEYS = ["YW5vdGhlci1rZXktb2YtdGhpcnR5LXR3by1ieXRlcyE="]

    assert backups.restore(empty, made, replace=False).is_sealed


def test_programs_of_another_version_are_refused(monkeypatch, tmp_path):
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "version", lambda connection: "99.1")

    with pytest.raises(backups.BadBackup) as refused:
        postgres._program(connection, "pg_dump")
    program.unlink()
    with pytest.raises(backups.BadBackup, match="and none is here"):
        postgres._program(connection, "pg_dump")

    assert str(refused.value).startswith(
        "pg_dump of PostgreSQL 99 is needed, and the one on the PATH is of 9: install"
    )
