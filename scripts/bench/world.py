"""What both sides of a benchmark stand on: data, servers as processes, their CPU."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.postgres import postgres_server
from voiceops.run.broker import broker_command, socket_path_in
from voiceops.run.guard import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
UP_WITHIN_S = 30
STOP_WITHIN_S = 10
AUTH_TOKEN = secrets.token_hex(16)
ACCOUNT_SID = "AC" + secrets.token_hex(16)
NUMBER = "+14155550100"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server in a process of its own; `cpu_s()` is what it and its children used."""

    def __init__(
        self, *command: str, url: str, env: dict[str, str], python: str = sys.executable
    ):
        self.url = url
        self._process = subprocess.Popen(
            [python, "-m", *command],
            cwd=ROOT,
            env=os.environ | env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if "BENCH_LOGS" not in os.environ else None,
        )

    def wait_until_up(self, path: str) -> None:
        deadline = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(self.url + path, timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None:
                    raise SystemExit(f"a server ended: {self._process.args}") from None
                time.sleep(0.05)
        raise SystemExit(f"a server did not come up: {self._process.args}")

    def cpu_s(self) -> float:
        processes = [psutil.Process(self._process.pid)]
        processes += processes[0].children(recursive=True)
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    def memory_mib(self) -> float:
        return psutil.Process(self._process.pid).memory_info().rss / 2**20

    def stop(self) -> None:
        if self._process.poll() is not None:
            return
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for child in psutil.wait_procs(children, timeout=1)[1]:
            child.kill()


def database_cpu_s() -> float:
    """CPU of our PostgreSQL, the backends that have ended included; 0 for SQLite."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return 0.0
    leaders = [
        process
        for process in psutil.process_iter(["name", "ppid"])
        if process.info["name"] == "postgres" and process.info["ppid"] == os.getpid()
    ]
    # A leader's own times hold those of the children that it has waited for.
    alive = [child for leader in leaders for child in leader.children()]
    return sum(sum(process.cpu_times()[:2]) for process in alive) + sum(
        sum(leader.cpu_times()[:4]) for leader in leaders
    )


@contextmanager
def servers() -> Iterator[list[Server]]:
    """A list to put servers in; they are stopped at the end."""
    running: list[Server] = []
    try:
        yield running
    finally:
        for server in running:
            server.stop()


@contextmanager
def world(
    public_url: str, *, llm_url: str = "", database_url: str = ""
) -> Iterator[dict[str, str]]:
    """What the servers of a benchmark get as their environment, and we ours.

    Without a `database_url` the database is SQLite in a folder of its own.
    """
    folder = tempfile.mkdtemp(prefix="voiceops-bench-")
    env = {
        "VAR_DIR": folder,
        "DATABASE_URL": database_url or f"sqlite:///{folder}/bench.sqlite3",
        "PUBLIC_BASE_URL": public_url,
        "RATE_LIMITS": "off",
        "SIMULATOR": "off",
        "LLM_BASE_URL": llm_url,
        "LLM_API_KEY": "bench" if llm_url else "",
        "LLM_MODEL": "fixed",
        "DJANGO_SETTINGS_MODULE": "voiceops.settings",
        "LOG_FORMAT": "json",
    }
    os.environ.update(env)
    try:
        yield env
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _broker() -> Iterator[str]:
    """A broker for the time of the `with`; its REDIS_URL."""
    with tempfile.TemporaryDirectory(prefix="voiceops-bench-") as folder:
        path = socket_path_in(Path(folder))
        server = subprocess.Popen(
            broker_command(path, Path(folder) / "data"),
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent(),
        )
        try:
            yield f"unix://{path}"
        finally:
            server.kill()
            server.wait()


@contextmanager
def world_of_stores(public_url: str) -> Iterator[tuple[dict[str, str], list[Server]]]:
    """A world with PostgreSQL and a broker: its environment; servers to be ended."""
    with (
        postgres_server() as database_url,
        _broker() as redis_url,
        world(public_url, database_url=database_url) as env,
        servers() as running,
    ):
        env["REDIS_URL"] = os.environ["REDIS_URL"] = redis_url
        yield env, running


def on_each_database(
    name: str, run: Callable[[str], bool]
) -> dict[str, Callable[[], bool]]:
    """Benchmarks by their names: `run` with a world on SQLite, and on PostgreSQL."""

    def on_sqlite() -> bool:
        with world("http://localhost"):
            return run("SQLite")

    def on_postgres() -> bool:
        with (
            postgres_server() as database_url,
            world("http://localhost", database_url=database_url),
        ):
            return run("PostgreSQL")

    return {f"{name}-sqlite": on_sqlite, f"{name}-postgres": on_postgres}


def furnish() -> str:
    """Migrate and make the number with its agent; return the number's webhook token."""
    import django

    django.setup()
    from django.core.management import call_command

    from accounts.models import User
    from accounts.services import open_personal_workspace
    from agents.models import VoiceAgent
    from telephony.models import CarrierAccount, Phone

    call_command("migrate", verbosity=0)
    user = User.objects.create_user(f"{secrets.token_hex(4)}@example.com")
    owner = open_personal_workspace(user)
    account = CarrierAccount.unscoped.create(
        owner=owner, label="Bench", account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN
    )
    phone = Phone.unscoped.create(
        owner=owner, carrier_account=account, number=NUMBER, carrier_sid="PN0"
    )
    VoiceAgent.unscoped.create(
        owner=owner,
        name="Bench",
        phone=phone,
        is_active=True,
        greeting="Hello, this is an automated assistant.",
        instructions="You answer the phone of a dentist. " * 20,
    )
    return phone.webhook_token


def call_fields(call_sid: str) -> dict[str, str]:
    """What the carrier sends when a call comes in."""
    return {
        "CallSid": call_sid,
        "AccountSid": ACCOUNT_SID,
        "From": "+16285550123",
        "To": NUMBER,
        "Caller": "+16285550123",
        "Called": NUMBER,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
        "FromCountry": "US",
        "ToCountry": "US",
    }
