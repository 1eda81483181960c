"""PostgreSQL: by its own programs, which must be of the server's version."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import Conninfo

from voiceops.backups.manifest import BadBackup

FILE = "voiceops.dump"
SCHEMA = "public"
EMPTIED = f"DROP SCHEMA {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};\n"
AS_ANYBODY = ("--no-owner", "--no-privileges")


def dump(connection: BaseDatabaseWrapper, directory: Path) -> dict[str, int]:
    """Dump the database to FILE; the rows of each table at that very moment."""
    with _connect(connection) as live:
        live.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        (snapshot,) = live.execute("SELECT pg_export_snapshot()").fetchone()
        options = ["--format=custom", f"--snapshot={snapshot}", *AS_ANYBODY]
        command = [_program(connection, "pg_dump"), *options, "--file", FILE]
        made = subprocess.run(
            command, cwd=directory, env=_environment(connection), stderr=subprocess.PIPE
        )
        if made.returncode != 0:
            raise BadBackup(f"pg_dump: {_last_line(made.stderr)}")
        return _count(live)


def load(connection: BaseDatabaseWrapper, file: Path) -> None:
    """All of it in one transaction, in place of whatever was there before.

    The programs give us one only for what the dump names; tables of a newer release
    would stay, and hold up what they point at.
    """
    psql = [_program(connection, "psql"), "--no-psqlrc", "--quiet", "--no-align"]
    with subprocess.Popen(
        [*psql, "--set=ON_ERROR_STOP=1", f"--output={os.devnull}"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(connection, PGOPTIONS="-c client_min_messages=warning"),
    ) as target:
        said = b""
        with suppress(BrokenPipeError):  # it has ended: its words are below
            target.stdin.write(f"BEGIN; {EMPTIED}".encode())
            target.stdin.flush()
            script = subprocess.run(
                [_program(connection, "pg_restore"), *AS_ANYBODY, "--file=-", file],
                stdout=target.stdin,
                stderr=subprocess.PIPE,
            )
            said = script.stderr
            if script.returncode == 0:  # else its end is that of the transaction
                target.stdin.write(b"COMMIT;\n")
        _, own_words = target.communicate()
    if target.returncode != 0 or script.returncode != 0:
        raise BadBackup(f"nothing was restored: {_last_line(own_words or said)}")


def count(connection: BaseDatabaseWrapper) -> dict[str, int]:
    with _connect(connection) as live:
        return _count(live)


def version(connection: BaseDatabaseWrapper) -> str:
    with _connect(connection) as live:
        return live.info.parameter_status("server_version").split()[0]


def _connect(connection: BaseDatabaseWrapper) -> psycopg.Connection:
    """Beside Django's connection, and without its limit for statements."""
    return psycopg.connect(**_parameters(connection))


def _count(live: psycopg.Connection) -> dict[str, int]:
    names = live.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [SCHEMA]
    ).fetchall()
    return {
        name: live.execute(f'SELECT count(*) FROM {SCHEMA}."{name}"').fetchone()[0]
        for (name,) in names
    }


def _parameters(connection: BaseDatabaseWrapper) -> dict[str, object]:
    """What libpq is to be told, of what Django tells psycopg."""
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    given = connection.get_connection_params()
    return {name: given[name] for name in known & given.keys() - {"options"}}


def _environment(connection: BaseDatabaseWrapper, **more: str) -> dict[str, str]:
    """For the programs: a password on a command line is everybody's to read."""
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in Conninfo.get_defaults()
        if option.envvar
    }
    given = _parameters(connection)
    own = {variables[name]: str(given[name]) for name in given.keys() & variables}
    return {**os.environ, **own, **more}


def _program(connection: BaseDatabaseWrapper, name: str) -> str:
    """The program of the server's version; Debian keeps several side by side."""
    major = version(connection).partition(".")[0]
    debians = Path(f"/usr/lib/postgresql/{major}/bin") / name
    found = str(debians) if debians.exists() else shutil.which(name)
    told = subprocess.run([found, "--version"], capture_output=True) if found else None
    its = re.search(rb"(\d+)(\.|\w)*", told.stdout) if told else None
    if its is None or its[1].decode() != major:
        there = (
            f"the one on the PATH is of {its[1].decode()}" if its else "none is here"
        )
        raise BadBackup(
            f"{name} of PostgreSQL {major} is needed, and {there}: install"
            f" postgresql-client-{major}, or put its directory first into PATH."
        )
    return found


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it gave no reason"
