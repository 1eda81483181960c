"""What runs, in which order, and with which command line."""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from voiceops.run.broker import broker_command, socket_path_in
from voiceops.run.children import Service
from voiceops.run.errors import CannotStart
from voiceops.run.installation import Installation, free_port
from voiceops.run.probes import answers_ok, answers_ping

NAMES = ("broker", "simulator", "prepare", "web", "worker", "beat")
WORKER_THREADS = "4"
# Below the supervisor's grace: open event streams would hold the web server longer.
WEB_GRACE_S = "5"


@dataclass
class Plan:
    """`first` must be ready before `prepare` runs once; then come `rest`."""

    first: list[Service]
    prepare: Service | None
    rest: list[Service]
    scratch_dir: Path | None = None  # holds the broker's socket; ours to remove


def make_plan(installation: Installation, names: Collection[str]) -> Plan:
    """Settle addresses, then command lines. Raises CannotStart without a broker."""
    environment = installation.environment
    first, scratch_dir, published = [], None, []
    if "broker" in names and not environment.get("REDIS_URL"):
        socket_path = socket_path_in(installation.var_dir)
        if socket_path.parent != installation.var_dir:
            scratch_dir = socket_path.parent
        environment["REDIS_URL"] = f"unix://{socket_path}"
        published.append("REDIS_URL")
        first.append(_broker(installation, socket_path))
    if (
        "simulator" in names
        and installation.wants_simulator
        and not environment.get("SIMULATOR_URL")
    ):
        environment["SIMULATOR_URL"] = f"http://127.0.0.1:{free_port()}"
        published.append("SIMULATOR_URL")
        first.append(_simulator(installation))
    installation.find_published()
    if not environment.get("REDIS_URL"):
        raise CannotStart(
            f"REDIS_URL is not set and no stack runs its own broker on"
            f" {installation.var_dir}"
        )
    if installation.wants_simulator and environment.get("SIMULATOR_URL"):
        environment.setdefault("TWILIO_API_BASE_URL", environment["SIMULATOR_URL"])
    installation.publish(published)
    return Plan(
        first,
        _prepare(installation) if "prepare" in names else None,
        [MAKERS[name](installation) for name in MAKERS if name in names],
        scratch_dir,
    )


def _python(installation: Installation, name: str, *arguments: str) -> Service:
    return Service(name, [sys.executable, *arguments], installation.environment)


def _broker(installation: Installation, socket_path: Path) -> Service:
    return Service(
        "broker",
        broker_command(socket_path, installation.var_dir / "valkey"),
        installation.environment,
        answers_ping(socket_path),
    )


def _simulator(installation: Installation) -> Service:
    port = urlsplit(installation.environment["SIMULATOR_URL"]).port
    service = _python(installation, "simulator", "-m", "simulator")
    service.environment = {
        **installation.environment,
        "SIMULATOR_HOST": "127.0.0.1",
        "SIMULATOR_PORT": str(port),
        "SIMULATOR_DATABASE": str(installation.var_dir / "simulator.sqlite3"),
    }
    service.is_ready = answers_ok(port, "/healthz", name=f"127.0.0.1:{port}")
    return service


def _prepare(installation: Installation) -> Service:
    return _python(installation, "prepare", "-m", "voiceops.run.prepare")


def _web(installation: Installation) -> Service:
    """The front of development: no proxy stands before it, so no header is believed."""
    service = _python(
        installation,
        *("web", "-m", "uvicorn", "voiceops.asgi:application"),
        *("--host", installation.host, "--port", str(installation.port)),
        *("--no-access-log", "--no-proxy-headers", "--log-level", "warning"),
        *("--timeout-graceful-shutdown", WEB_GRACE_S),
    )
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    service.is_ready = answers_ok(
        installation.port,
        "/livez",
        host=everywhere.get(installation.host, installation.host),
        name=urlsplit(installation.environment.get("PUBLIC_BASE_URL", "")).netloc,
    )
    return service


def _worker(installation: Installation) -> Service:
    return _python(
        installation,
        *("worker", "-m", "celery", "-A", "voiceops", "worker"),
        *("--pool", "threads", "--concurrency", WORKER_THREADS),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    )


def _beat(installation: Installation) -> Service:
    schedule = installation.var_dir / "celerybeat-schedule"
    return _python(
        installation,
        *("beat", "-m", "celery", "-A", "voiceops", "beat"),
        *("--schedule", str(schedule), "--pidfile", "", "--loglevel", "INFO"),
    )


MAKERS = {"web": _web, "worker": _worker, "beat": _beat}
