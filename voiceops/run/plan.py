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
    plan = Plan(first=[], prepare=None, rest=[])
    _settle_broker(installation, names, plan)
    _settle_simulator(installation, names, plan)
    if "prepare" in names:
        plan.prepare = _python(installation, "prepare", "-m", "voiceops.run.prepare")
    plan.rest = [MAKERS[name](installation) for name in MAKERS if name in names]
    return plan


def _settle_broker(
    installation: Installation, names: Collection[str], plan: Plan
) -> None:
    """REDIS_URL: the user's, else our own broker, else that of another terminal."""
    environment = installation.environment
    if environment.get("REDIS_URL") or environment.get("REDIS_URL_FILE"):
        return
    if "broker" not in names:
        installation.find_published("broker", "REDIS_URL")
        if not environment.get("REDIS_URL"):
            raise CannotStart(
                "REDIS_URL is not set and no stack runs its own broker on"
                f" {installation.var_dir}"
            )
        return
    socket_path = socket_path_in(installation.var_dir)
    if socket_path.parent != installation.var_dir:
        plan.scratch_dir = socket_path.parent
    environment["REDIS_URL"] = f"unix://{socket_path}"
    installation.publish("broker", "REDIS_URL")
    plan.first.append(_broker(installation, socket_path))


def _settle_simulator(
    installation: Installation, names: Collection[str], plan: Plan
) -> None:
    """SIMULATOR_URL, likewise; the carrier's API is there unless it is set apart."""
    environment = installation.environment
    if not installation.wants_simulator:
        return
    if not environment.get("SIMULATOR_URL"):
        if "simulator" in names:
            environment["SIMULATOR_URL"] = f"http://127.0.0.1:{free_port()}"
            installation.publish("simulator", "SIMULATOR_URL")
            plan.first.append(_simulator(installation))
        else:
            installation.find_published("simulator", "SIMULATOR_URL")
    if not environment.get("TWILIO_API_BASE_URL"):
        environment["TWILIO_API_BASE_URL"] = environment.get("SIMULATOR_URL", "")


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


def _web(installation: Installation) -> Service:
    """The front of development: no proxy stands before it, so no header is believed."""
    service = _python(
        installation,
        *("web", "-m", "uvicorn", "voiceops.asgi:application"),
        *("--host", installation.host, "--port", str(installation.port)),
        *("--no-access-log", "--no-proxy-headers", "--log-level", "warning"),
        *("--timeout-graceful-shutdown", WEB_GRACE_S),
        # The session takes frames of half that size; more is not even read.
        *("--ws-max-size", "131072", "--ws-per-message-deflate", "false"),
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
        *("worker", "-m", "celery", "-A", "voiceops", "--quiet", "worker"),
        *("--pool", "threads", "--concurrency", WORKER_THREADS),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    )


def _beat(installation: Installation) -> Service:
    schedule = installation.var_dir / "celerybeat-schedule"
    return _python(
        installation,
        *("beat", "-m", "celery", "-A", "voiceops", "--quiet", "beat"),
        *("--schedule", str(schedule), "--pidfile", "", "--loglevel", "INFO"),
    )


MAKERS = {"web": _web, "worker": _worker, "beat": _beat}
