"""The whole stack as real processes, for flow and browser tests.

with running_stack(tmp_path / "var") as stack:
    httpx.get(f"{stack.url}/livez")
    stack.kill("worker")
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from voiceops.run.children import PROJECT_DIR
from voiceops.run.guard import die_with_parent
from voiceops.run.installation import free_port
from voiceops.run.plan import NAMES

T = TypeVar("T")

READY_WITHIN_S = 180
WITHIN_S = 60  # for all that is soon done, on a machine that does much besides
FIRST_POLL_S, LONGEST_POLL_S, POLLED_LATER_BY = 0.02, 0.25, 1.25
DATABASE_NAME = "voiceops.sqlite3"
PREPARED = ("--only", ",".join(name for name in NAMES if name != "prepare"))

# Set, so that neither a developer's `.env` nor the shell can lead a test to somebody's
# database, carrier or model: an empty value means the default.
NEUTRAL = {
    "ENVIRONMENT": "development",
    "DJANGO_SETTINGS_MODULE": "voiceops.settings",
    "HOST": "127.0.0.1",
    "REDIS_URL": "",
    "SIMULATOR": "on",
    "SIMULATOR_URL": "",
    "TWILIO_API_BASE_URL": "",
    "LLM_BASE_URL": "",
    "LLM_API_KEY": "",
    "LLM_MODEL": "",
    "LLM_FALLBACK_BASE_URL": "",
    "LLM_FALLBACK_API_KEY": "",
    "LLM_FALLBACK_MODEL": "",
    "SENTRY_DSN": "",
    "LOG_FORMAT": "console",
    "RATE_LIMITS": "off",
    "PATIENCE": "1",
    "EMAIL_URL": "consolemail://",
}
# They come from the secrets file, which is read only where the environment is silent.
FROM_SECRETS_FILE = (
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "SIMULATOR_KEY",
    "SIMULATOR_ACCOUNT_SID",
    "SIMULATOR_AUTH_TOKEN",
    "DEMO_PASSWORD",
)

# What in a command line tells which process it is.
MARKS = {
    "broker": "valkey-server",
    "simulator": "-m simulator",
    "web": "uvicorn voiceops.asgi",
    "worker": "celery -A voiceops --quiet worker",
    "beat": "celery -A voiceops --quiet beat",
}


def wait_until(condition: Callable[[], T], within_s: float, what: str) -> T:
    """Poll for what is true; raises AssertionError naming `what` when time is over.

    Seldomer and seldomer: to ask is often more work than what is waited for.
    """
    deadline = time.monotonic() + within_s
    pause_s = FIRST_POLL_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(pause_s)
        pause_s = min(pause_s * POLLED_LATER_BY, LONGEST_POLL_S)
    return found


def _as_from_a_terminal() -> Callable[[], None]:
    """It heeds a hang-up also where these tests are started by nohup."""
    tie = die_with_parent()

    def prepare() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        if tie is not None:
            tie()

    return prepare


@dataclass
class Stack:
    """One supervisor with its children, on a data directory and a port of its own."""

    var_dir: Path
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)
    supervisor: subprocess.Popen | None = None
    sessions: set[int] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.var_dir.with_name(f"{self.var_dir.name}.log")

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def secrets(self) -> dict[str, str]:
        lines = (self.var_dir / "secrets.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def simulator(self) -> tuple[str, str]:
        """Its address and the key of its control API."""
        published = (self.var_dir / "services" / "simulator.env").read_text()
        url = published.removeprefix("SIMULATOR_URL=").strip()
        return url, self.secrets["SIMULATOR_KEY"]

    def start(self, *arguments: str) -> None:
        self.var_dir.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [sys.executable, "-m", "voiceops.run", *arguments],
                cwd=PROJECT_DIR,
                env=self._full_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_as_from_a_terminal(),
            )
        self.sessions.add(self.supervisor.pid)

    def beside(self, *command: str, **options) -> subprocess.Popen:
        """Another command with the stack's environment, as `make manage` runs it."""
        return subprocess.Popen(
            [sys.executable, "-m", "voiceops.run", "--", sys.executable, *command],
            cwd=PROJECT_DIR,
            env=self._full_environment(),
            preexec_fn=die_with_parent(),
            **options,
        )

    def wait_until_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Until /readyz is 200: database, broker and worker answer.

        Raises AssertionError, with what the stack printed, when that does not come.
        """
        with self._explained():
            wait_until(self.is_ready_or_gone, within_s, "the stack is ready")
            assert self.supervisor.poll() is None, "the supervisor ended"

    def is_ready_or_gone(self) -> bool:
        return self.supervisor.poll() is not None or self.is_ready()

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def pid(self, name: str) -> int | None:
        """The process of that name (a key of MARKS), or None while it is away."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if MARKS[name] in " ".join(process.cmdline()):
                    return process.pid
        return None

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to one process; the id that it had.

        Worker and beat are away for a moment after their broker was.
        """
        pid = wait_until(lambda: self.pid(name), WITHIN_S, f"{name} runs")
        os.kill(pid, number)
        return pid

    @contextlib.contextmanager
    def unattended(self) -> Iterator[None]:
        """Whoever dies meanwhile stays dead: the supervisor is stopped."""
        self.supervisor.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.supervisor.send_signal(signal.SIGCONT)

    def processes(self) -> list[psutil.Process]:
        """Every process of our sessions, also one that lost its parent."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and assert that no process is left; the supervisor's exit status."""
        if self.supervisor.poll() is None:
            self.supervisor.send_signal(number)
        status = self.supervisor.wait(timeout=WITHIN_S)
        self.assert_nothing_left()
        return status

    def assert_nothing_left(self, within_s: float = 20) -> None:
        with self._explained():
            wait_until(lambda: not self.processes(), within_s, "no process is left")

    def sweep(self) -> None:
        """Whatever a failed test left behind."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            is_in_session = os.getsid(process.pid) in self.sessions
            return is_in_session and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ProcessLookupError):
            return False

    def _full_environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in FROM_SECRETS_FILE
        }
        return {
            **inherited,
            **NEUTRAL,
            "VAR_DIR": str(self.var_dir),
            "PORT": str(self.port),
            "PUBLIC_BASE_URL": self.url,
            "DATABASE_URL": f"sqlite:///{self.var_dir / DATABASE_NAME}",
            **self.environment,
        }

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            tail = "\n".join(self.log.splitlines()[-60:])
            raise AssertionError(f"{error}; the stack said:\n{tail}") from None


@contextlib.contextmanager
def running_stack(
    var_dir: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """Started and ready; stopped afterwards, and nothing may be left.

    It finds the tables made, and no demo is put into them: both take longer than the
    rest of a first start.
    """
    stack, arguments = Stack(var_dir, environment=environment or {}), ()
    if "DATABASE_URL" not in stack.environment:
        from tests.tables import empty_tables  # which starts processes as we do

        var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(empty_tables(), var_dir / DATABASE_NAME)
        arguments = PREPARED
    try:
        stack.start(*arguments)
        stack.wait_until_ready()
        yield stack
        if stack.supervisor.poll() is None:
            stack.stop()
    finally:
        stack.sweep()
