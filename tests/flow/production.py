"""Everything twice behind the front, by the commands of docker-compose.yml.

With a pocket carrier, which talks to the front over TLS, and a model, as in `demo`:
production that may have a simulator.
"""

import contextlib
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.deployment import Deployment, running_deployment
from tests.flow.model import Model
from tests.processes import wait_until
from voiceops.run.children import PROJECT_DIR
from voiceops.run.guard import die_with_parent

TWICE = {"web": 2, "live": 2, "worker": 2, "beat": 2}
SPEED = "0.25"  # of the people who call: a quarter of a person's waits
LISTENS_WITHIN_S = 60


@dataclass
class Production:
    deployment: Deployment
    url: str
    simulator: tuple[str, str]  # its address, and the key of its control API

    @property
    def certificates(self) -> ssl.SSLContext:
        """By which the front is known."""
        return ssl.create_default_context(cafile=certificate_of(self.deployment))

    def open_sockets(self, name: str) -> int:
        """How many connections a copy of web or live has."""
        process = psutil.Process(self.deployment.processes[name].pid)
        port = self.deployment.ports[name]
        return sum(
            connection.status == psutil.CONN_ESTABLISHED
            and connection.laddr.port == port
            for connection in process.net_connections("tcp")
        )


def certificate_of(deployment: Deployment) -> Path:
    authority = Path("caddy", "pki", "authorities", "local", "root.crt")
    return deployment.directory / "front" / authority


@contextlib.contextmanager
def running_production(directory: Path, model: Model) -> Iterator[Production]:
    deployment = Deployment(directory, host="localhost", scale=TWICE)
    url = f"https://localhost:{deployment.ports['https']}"
    address = f"http://127.0.0.1:{deployment.take_port('simulator')}"
    simulator = (address, secrets.token_urlsafe(32))
    deployment.given |= {
        "ENVIRONMENT": "demo",
        "PUBLIC_BASE_URL": url,
        "REQUIRE_EMAIL_VERIFICATION": "off",
        "EMAIL_URL_FILE": "",
        "EMAIL_URL": "consolemail://",
        "SIMULATOR_URL": simulator[0],
        "SIMULATOR_KEY": simulator[1],
        **model.environment,
    }
    with running_deployment(deployment), _running_simulator(deployment, simulator):
        yield Production(deployment, url, simulator)


@contextlib.contextmanager
def _running_simulator(
    deployment: Deployment, simulator: tuple[str, str]
) -> Iterator[None]:
    url, key = simulator
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator"],
        cwd=PROJECT_DIR,
        env={
            **os.environ,
            "SIMULATOR_PORT": url.rpartition(":")[2],
            "SIMULATOR_KEY": key,
            "SIMULATOR_DATABASE": str(deployment.directory / "simulator.sqlite3"),
            "SIMULATOR_SPEED": SPEED,
            "SSL_CERT_FILE": str(certificate_of(deployment)),
        },
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent(),
    )
    try:
        wait_until(lambda: _is_up(url), LISTENS_WITHIN_S, "the carrier answers")
        yield
    finally:
        process.terminate()
        process.wait()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False
