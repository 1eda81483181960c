"""A real PgBouncer with the settings of docs/deploy.md, before a test's database."""

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import psycopg
import pytest

from tests.postgres import hand_over_to_nobody
from tests.processes import wait_until
from voiceops.run.children import PROJECT_DIR
from voiceops.run.guard import die_with_parent
from voiceops.run.installation import free_port

READY_WITHIN_S = 60
DOCS = (PROJECT_DIR / "docs" / "deploy.md").read_text()
USER = "voiceops"


def find_pgbouncer() -> str:
    """The program. Without it the test is skipped; in CI it fails."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("no pgbouncer: Debian's package has one")
    return found


def statement_for_role() -> str:
    """What docs/deploy.md has told to the database, for PgBouncer's sake."""
    (statement,) = re.findall(rf"`(ALTER ROLE {USER} [^`]+)`", DOCS)
    return statement


@contextlib.contextmanager
def running_pgbouncer(host: str, database: str, **changes: str) -> Iterator[str]:
    """It leads to the database at the host; its DATABASE_URL. `changes` overrule."""
    program = find_pgbouncer()
    directory = Path(tempfile.mkdtemp(prefix="voiceops-pgbouncer-", dir="/tmp"))
    password, port = secrets.token_urlsafe(16), free_port()
    (directory / "userlist.txt").write_text(f'"{USER}" "{password}"\n')
    settings = _documented()
    settings["databases"] = {USER: f"host={host} dbname={database}"}
    here = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "auth_file": str(directory / "userlist.txt"),
        "unix_socket_dir": "",
    }
    settings["pgbouncer"].update(here, **changes)
    with (directory / "pgbouncer.ini").open("w") as file:
        settings.write(file)
    url = f"postgres://{USER}:{password}@127.0.0.1:{port}/{USER}"
    # It refuses to run as root.
    identity = hand_over_to_nobody(directory) if os.geteuid() == 0 else {}
    process = subprocess.Popen(
        [program, "--quiet", directory / "pgbouncer.ini"],
        preexec_fn=die_with_parent(),
        **identity,
    )
    try:
        wait_until(lambda: _answers(url), READY_WITHIN_S, "PgBouncer answers")
        yield url
    finally:
        process.kill()
        process.wait(READY_WITHIN_S)
        shutil.rmtree(directory)


def _documented() -> ConfigParser:
    (block,) = re.findall(r"^    \[databases\]\n(?:    .*\n)+", DOCS, re.MULTILINE)
    settings = ConfigParser(interpolation=None)
    settings.read_string(textwrap.dedent(block))
    return settings


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
