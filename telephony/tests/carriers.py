"""The carrier for tests: the pocket carrier as a process of its own, on a real socket.

A pytest plugin: the fixtures `carrier_process` and `carrier`.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
import pytest
from django.conf import settings as django_settings

from tests.processes import WITHIN_S
from voiceops.run.guard import die_with_parent

KEY = "the-tests-own-key"
UNREACHABLE = "http://127.0.0.1:9"  # the discard port: nobody listens


@dataclass
class CarrierLogin:
    """An account at the carrier, as its owner knows it."""

    sid: str
    auth_token: str
    numbers: list[str]


@dataclass
class Carrier:
    """The running carrier and what a test does to it."""

    url: str

    @cached_property
    def _client(self) -> httpx.Client:
        """One for all: each would read the machine's certificates."""
        return httpx.Client(base_url=self.url, timeout=WITHIN_S, trust_env=False)

    def open_account(self, count: int = 2, numbers: Sequence[str] = ()) -> CarrierLogin:
        wanted = {"count": count, "numbers": [*numbers]}
        answer = self._control("POST", "/control/accounts", wanted)
        return CarrierLogin(**answer.json())

    def fail(self, login: CarrierLogin, kind: str, **fault) -> None:
        """Let coming REST requests of the account fail; see `simulator.faults`."""
        path = f"/control/accounts/{login.sid}/faults"
        self._control("POST", path, {"kind": kind, **fault})

    def number(self, login: CarrierLogin, number: str) -> dict:
        """The number as Twilio's API shows it."""
        answer = self._client.get(
            f"/2010-04-01/Accounts/{login.sid}/IncomingPhoneNumbers.json",
            params={"PhoneNumber": number},
            auth=(login.sid, login.auth_token),
        )
        return answer.json()["incoming_phone_numbers"][0]

    def update_number(self, login: CarrierLogin, number: str, **fields) -> None:
        sid = self.number(login, number)["sid"]
        self._client.post(
            f"/2010-04-01/Accounts/{login.sid}/IncomingPhoneNumbers/{sid}.json",
            data=fields,
            auth=(login.sid, login.auth_token),
        ).raise_for_status()

    def _control(self, method: str, path: str, body: dict) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = self._client.request(method, path, json=body, headers=headers)
        return answer.raise_for_status()


@pytest.fixture(scope="session")
def carrier_process(tmp_path_factory):
    """One carrier for the session; tests keep apart by opening their own accounts."""
    directory = tmp_path_factory.mktemp("carrier")
    log = directory / "carrier.log"
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator"],
        cwd=django_settings.BASE_DIR,
        env={
            **os.environ,
            "SIMULATOR_KEY": KEY,
            "SIMULATOR_PORT": "0",
            "SIMULATOR_DATABASE": str(directory / "carrier.sqlite3"),
            "SIMULATOR_SPEED": "0",
        },
        stdout=subprocess.PIPE,
        stderr=log.open("wb"),
        text=True,
        preexec_fn=die_with_parent(),
    )
    try:
        yield Carrier(_address(process, log))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WITHIN_S)


def _address(process: subprocess.Popen, log: Path) -> str:
    """What it prints once it listens."""
    for line in process.stdout:
        if found := re.search(r"http://[\d.]+:\d+", line):
            return found.group()
    raise AssertionError("the carrier did not start: " + log.read_text())


@pytest.fixture
def carrier(carrier_process, settings):
    """The carrier, and the application talking to it."""
    settings.TWILIO_API_BASE_URL = carrier_process.url
    return carrier_process
