"""The overhead of a turn: last word heard to first token out, beside a bare loop.

Both sides stream from the same stub of a model. The bare side is a WebSocket loop over
the model's SDK that stores nothing and checks nothing. A third side is pipecat's text
pipeline, where `BENCH_PIPECAT` names a Python that has `requirements-bench.txt`.
"""

import asyncio
import json
import os
import re
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import websockets
from twilio.request_validator import RequestValidator

from scripts.bench.world import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    Server,
    call_fields,
    free_port,
    furnish,
    servers,
    world,
)

CALLS = 20
TURNS = 15
LEVELS = (1, 50, 200)  # calls at the same time
TURNS_A_LEVEL = 4
LEVEL_THINK_S = 8  # at most: people speak and listen for seconds
WARM_UP_TURNS = 3
FIRST_TOKEN_MS = 50
THINK_S = 0.3
BUDGET_P50_MS, BUDGET_P95_MS = 10, 20
BUDGET_CPU_MS = 40


# A server, and how a call is opened on it.
Sides = dict[str, tuple[Server, Callable[[], Awaitable]]]


@dataclass
class Measured:
    """One side: milliseconds to the first token, CPU a turn, memory a call."""

    first_token_ms: list[float] = field(default_factory=list)
    cpu_ms: float = 0
    memory_mib: float = 0

    def p(self, percent: int) -> float:
        cuts = statistics.quantiles(self.first_token_ms, n=100)
        return cuts[percent - 1] - FIRST_TOKEN_MS


def run() -> bool:
    """Print the comparison; whether it is within the budget."""
    port, stub_port = free_port(), free_port()
    url, stub_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{stub_port}"
    with world(url, llm_url=f"{stub_url}/v1") as env, servers() as running:
        path = f"/webhooks/twilio/voice/{furnish()}"
        ours = _uvicorn("voiceops.asgi:application", port, env)
        bare = _uvicorn("scripts.bench.bare:application", free_port(), env)
        stub = Server(
            *("tests.stub_llm", "--port", str(stub_port), "--mode", "fixed"),
            *("--first-token-ms", str(FIRST_TOKEN_MS), "--tokens-per-second", "200"),
            url=stub_url,
            env=env,
        )
        running += [ours, bare, stub]
        stub.wait_until_up("/control/requests")
        sides: Sides = {
            "ours": (ours, lambda: _our_call(url, path)),
            "bare SDK loop": (bare, lambda: _bare_call(bare.url)),
        }
        if python := os.environ.get("BENCH_PIPECAT"):
            pipecat = _pipecat(python, env)
            running.append(pipecat)
            sides["pipecat"] = (pipecat, lambda: _bare_call(pipecat.url))
        else:
            print("pipecat is left out: BENCH_PIPECAT is not set (docs/benchmarks.md)")
        for server, _ in sides.values():
            server.wait_until_up("/livez")
        is_within = _report(
            {name: asyncio.run(_measure(*side)) for name, side in sides.items()}
        )
        _report_levels(sides)
        return is_within


def _report_levels(sides: Sides) -> None:
    """How either side stands more calls than one process is meant to hold."""
    print(
        f"  Calls at the same time, {TURNS_A_LEVEL} turns each, pauses of up to"
        f" {LEVEL_THINK_S} s, ms"
    )
    for calls in LEVELS:
        for name, (server, open_call) in sides.items():
            side = asyncio.run(
                _measure(
                    *(server, open_call),
                    calls=calls,
                    turns=TURNS_A_LEVEL,
                    think_s=LEVEL_THINK_S,
                )
            )
            print(
                f"  {calls:5} {name:14} p50 {side.p(50):6.1f}  p95 {side.p(95):6.1f}"
                f"  CPU a turn {side.cpu_ms:5.1f}"
                f"  memory a call {side.memory_mib:.2f} MiB"
            )


def _uvicorn(application: str, port: int, env: dict[str, str], **more) -> Server:
    return Server(
        *("uvicorn", application, "--port", str(port), "--no-access-log"),
        *("--log-level", "warning", "--ws-per-message-deflate", "false"),
        url=f"http://127.0.0.1:{port}",
        env=env,
        **more,
    )


def _pipecat(python: str, env: dict[str, str]) -> Server:
    quiet = {"LOGURU_LEVEL": "WARNING"}
    application = "scripts.bench.pipecat_side:application"
    return _uvicorn(application, free_port(), env | quiet, python=python)


def _report(sides: dict[str, Measured]) -> bool:
    ours, bare = sides["ours"], sides["bare SDK loop"]
    print(f"Turn overhead, {CALLS} calls in one process, {TURNS} turns each, ms")
    for name, side in sides.items():
        print(
            f"  {name:14} p50 {side.p(50):5.1f}  p95 {side.p(95):5.1f}"
            f"  CPU a turn {side.cpu_ms:5.1f}  memory a call {side.memory_mib:.2f} MiB"
        )
    print(f"  p50 over the bare loop: {ours.p(50) - bare.p(50):+.1f} ms")
    print(f"  CPU a turn, ours to bare: {ours.cpu_ms / bare.cpu_ms:.2f}")
    print(
        f"  budget p50 {BUDGET_P50_MS}, p95 {BUDGET_P95_MS}, CPU {BUDGET_CPU_MS} ms;"
        " ambition 4, 8, 20"
    )
    within = ours.p(50) <= BUDGET_P50_MS and ours.p(95) <= BUDGET_P95_MS
    return within and ours.cpu_ms <= BUDGET_CPU_MS


async def _measure(
    server: Server,
    open_call,
    *,
    calls: int = CALLS,
    turns: int = TURNS,
    think_s: float = THINK_S,
) -> Measured:
    measured = Measured()
    memory = server.memory_mib()
    sockets = [await open_call() for _ in range(calls)]
    try:
        await asyncio.gather(*(_talk(s, WARM_UP_TURNS, [], think_s) for s in sockets))
        cpu = server.cpu_s()
        talks = (_talk(s, turns, measured.first_token_ms, think_s) for s in sockets)
        await asyncio.gather(*talks)
        measured.cpu_ms = (server.cpu_s() - cpu) / (calls * turns) * 1000
        measured.memory_mib = (server.memory_mib() - memory) / calls
    finally:
        await asyncio.gather(*(socket.close() for socket in sockets))
    return measured


async def _talk(
    socket, turns: int, first_token_ms: list[float], think_s: float = THINK_S
) -> None:
    for number in range(turns):
        # Callers do not speak in chorus.
        await asyncio.sleep(secrets.randbelow(1000) / 1000 * think_s)
        prompt = {"type": "prompt", "voicePrompt": f"Question {number}?", "last": True}
        started = time.perf_counter()
        await socket.send(json.dumps(prompt))
        first = None
        while True:
            frame = json.loads(await asyncio.wait_for(socket.recv(), 20))
            if frame["type"] != "text":
                raise SystemExit(f"not a reply: {frame}")
            if first is None and frame["token"]:
                first = (time.perf_counter() - started) * 1000
                first_token_ms.append(first)
            if frame["last"]:
                break


async def _our_call(url: str, path: str):
    """Ring, follow the document to the relay's address, and be set up."""
    fields = call_fields("CA" + secrets.token_hex(16))
    validator = RequestValidator(AUTH_TOKEN)
    headers = {"X-Twilio-Signature": validator.compute_signature(url + path, fields)}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + path, data=fields, headers=headers) as answer,
    ):
        document = await answer.text()
    relay = re.search(r'ConversationRelay[^>]* url="([^"]+)"', document)[1]
    signature = validator.compute_signature(relay, {})
    socket = await websockets.connect(
        relay, additional_headers={"X-Twilio-Signature": signature}
    )
    setup = {
        "type": "setup",
        "sessionId": "VX" + secrets.token_hex(16),
        "accountSid": ACCOUNT_SID,
        "callSid": fields["CallSid"],
        "from": fields["From"],
        "to": fields["To"],
        "direction": "inbound",
    }
    await socket.send(json.dumps(setup))
    return socket


async def _bare_call(url: str):
    return await websockets.connect(f"ws://{urlsplit(url).netloc}/relay")
