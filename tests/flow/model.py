"""The language model of the flow tests: the stub as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.processes import wait_until
from voiceops.run.children import PROJECT_DIR
from voiceops.run.guard import die_with_parent
from voiceops.run.installation import free_port

STARTED_WITHIN_S, CONTROL_WITHIN_S = 60, 60


@dataclass
class Model:
    """A model endpoint somewhere; what it says is planned by the test."""

    address: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LLM_BASE_URL": f"{self.address}/v1",
            "LLM_API_KEY": "the-stub-takes-any",
            "LLM_MODEL": "stub",
        }

    def plan(self, **changes) -> None:
        """Start a new plan, a `tests.stub_llm.Plan`, and forget what was asked."""
        httpx.post(
            f"{self.address}/control", json=changes, timeout=CONTROL_WITHIN_S
        ).raise_for_status()
        self.forget()

    def forget(self) -> None:
        """What was asked: it is kept otherwise."""
        httpx.delete(
            f"{self.address}/control/requests", timeout=CONTROL_WITHIN_S
        ).raise_for_status()

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.address}/v1/models").is_success
        except httpx.TransportError:
            return False


@contextmanager
def running_model() -> Iterator[Model]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stub_llm", "--port", str(port)],
        cwd=PROJECT_DIR,
        preexec_fn=die_with_parent(),
    )
    model = Model(f"http://127.0.0.1:{port}")
    try:
        wait_until(model.is_up, STARTED_WITHIN_S, "the model answers")
        yield model
    finally:
        process.kill()  # it may be stalling an answer for a minute, as planned
        process.wait()
