"""Where this installation lives and what its processes are told: the environment."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import environ

from voiceops.run.children import PROJECT_DIR
from voiceops.run.errors import CannotStart
from voiceops.run.keys import ensure_secrets

OFF = {"off", "0", "false", "no", "n", "f"}
# How another terminal finds the embedded broker and simulator of a running stack.
SERVICES_DIR = "services"


@dataclass
class Installation:
    """Settled before anything starts. `environment` is what every child gets."""

    var_dir: Path
    host: str
    port: int
    environment: dict[str, str]
    _locks: list = field(default_factory=list)

    @property
    def is_production(self) -> bool:
        return self.environment.get("ENVIRONMENT") == "production"

    @property
    def wants_simulator(self) -> bool:
        default = "off" if self.is_production else "on"
        return self.environment.get("SIMULATOR", default).lower() not in OFF

    def lock(self, names: Iterable[str]) -> None:
        """Take the processes named for ourselves until we end, however we end.

        Raises CannotStart where another supervisor runs one of them on this data.
        """
        directory = self.var_dir / "locks"
        directory.mkdir(exist_ok=True)
        for name in names:
            file = (directory / name).open("a+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise CannotStart(
                    f"{name} is already running on {self.var_dir} "
                    f"(supervisor: process {file.read().strip() or 'unknown'})"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self._locks.append(file)

    def check_port(self) -> None:
        """Raises CannotStart when somebody listens where the web server should."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise CannotStart(
                    f"cannot listen on {self.host}:{self.port}: {error.strerror}"
                    " (another one: make run PORT=9000)"
                ) from None

    def publish(self, service: str, variable: str) -> None:
        directory = self.var_dir / SERVICES_DIR
        directory.mkdir(exist_ok=True)
        line = f"{variable}={self.environment[variable]}\n"
        (directory / f"{service}.env").write_text(line)

    def find_published(self, service: str, variable: str) -> None:
        """Use the embedded service of a stack that runs on the same data."""
        if not self.environment.get(variable):  # empty counts as not set
            self.environment.pop(variable, None)
        _add_file(self.environment, self.var_dir / SERVICES_DIR / f"{service}.env")


def read_installation() -> Installation:
    """From the environment, `.env` and the secrets file, in this order.

    Outside production the data directory and the secrets are made when missing.
    Everything that we and our children write is for this user's eyes only.
    """
    os.umask(0o077)
    environment = dict(os.environ)
    _add_file(environment, PROJECT_DIR / ".env")
    var_dir = Path(environment.get("VAR_DIR") or PROJECT_DIR / "var").resolve()
    port = _port(environment.get("PORT") or "8000")
    found = Installation(
        var_dir, environment.get("HOST") or "127.0.0.1", port, environment
    )
    try:
        var_dir.mkdir(parents=True, exist_ok=True)
        if not found.is_production:
            ensure_secrets(var_dir / "secrets.env")
        _add_file(environment, var_dir / "secrets.env")
    except OSError as error:
        raise CannotStart(f"cannot use {error.filename}: {error.strerror}") from None
    environment |= {"VAR_DIR": str(var_dir), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    environment.setdefault("DJANGO_SETTINGS_MODULE", "voiceops.settings")
    if not found.is_production:
        environment.setdefault("PUBLIC_BASE_URL", f"http://localhost:{port}")
    return found


def free_port() -> int:
    """A port of the loopback interface that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _port(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 0 < int(text) < 65536:
            return int(text)
    raise CannotStart(f"PORT must be a number from 1 to 65535, not {text!r}")


def _add_file(environment: dict[str, str], path: Path) -> None:
    """Names that the environment lacks, in the syntax that the settings read.

    `NAME` is not missing where a secret's `NAME_FILE` is there.
    """
    if not path.exists():
        return
    file = type("File", (environ.Env,), {"ENVIRON": {}})
    file.read_env(path)
    for name, value in file.ENVIRON.items():
        if not environment.get(f"{name}_FILE"):
            environment.setdefault(name, value)
