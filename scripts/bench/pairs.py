"""A webhook against a bare view, under the same server, in paired rounds of one run."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from scripts.bench.world import Server, database_cpu_s, free_port

SIGNATURE = "X-Twilio-Signature"
ROUNDS = 5
REQUESTS_A_ROUND = 600
WARM_UP_REQUESTS = 200
CONCURRENCY = 8
ONE_BY_ONE = 200


@dataclass(frozen=True)
class Request:
    """One request, and what its answer has in it; without `fields` it only asks."""

    path: str
    answered: str
    headers: dict[str, str]
    fields: dict[str, str] | None = None


@dataclass(frozen=True)
class Load:
    rate: float  # requests a second
    cpu_ms: float  # a request, of server and database
    took_ms: list[float]


def serve(application: str, env: dict[str, str]) -> Server:
    port = free_port()
    options = ("--interface", "wsgi", "--workers", "1", "--blocking-threads", "4")
    return Server(
        *("granian", *options, "--host", "127.0.0.1", "--port", str(port)),
        *("--no-access-log", "--log-level", "error", application),
        url=f"http://127.0.0.1:{port}",
        env=env,
    )


async def compare(ours: Server, bare: Server, make: Callable[[], Request]) -> float:
    """Print the comparison; how many times the bare view's CPU ours takes."""
    async with aiohttp.ClientSession() as session:
        for server in (ours, bare):
            await load(session, server, make, WARM_UP_REQUESTS)
        rounds = []
        for _ in range(ROUNDS):
            a = await load(session, ours, make, REQUESTS_A_ROUND)
            b = await load(session, bare, make, REQUESTS_A_ROUND)
            rounds.append((a, b))
        alone = [
            await load(session, server, make, ONE_BY_ONE, at_once=1)
            for server in (ours, bare)
        ]
    rates = statistics.median(a.rate / b.rate for a, b in rounds)
    cpu = statistics.median(a.cpu_ms / b.cpu_ms for a, b in rounds)
    print(f"  median of {ROUNDS} paired rounds, {CONCURRENCY} at once")
    for name, loads, single in zip(
        ("ours", "bare"), zip(*rounds, strict=True), alone, strict=True
    ):
        rate = statistics.median(one.rate for one in loads)
        cpu_ms = statistics.median(one.cpu_ms for one in loads)
        p50, p95 = _percentiles(single.took_ms)
        print(
            f"  {name}  {rate:7.0f} requests/s  {cpu_ms:6.2f} ms CPU a request; "
            f"one at a time {p50:.1f} ms, 95 % within {p95:.1f} ms"
        )
    print(f"  requests a second, ours to bare: {rates:.2f}")
    print(f"  CPU, ours to bare: {cpu:.2f}")
    return cpu


def _percentiles(took_ms: list[float]) -> tuple[float, float]:
    hundredths = statistics.quantiles(took_ms, n=100)
    return hundredths[49], hundredths[94]


async def load(
    session,
    server: Server,
    make: Callable[[], Request],
    count: int,
    at_once=CONCURRENCY,
) -> Load:
    requests = [make() for _ in range(count)]
    took_ms: list[float] = []
    cpu = server.cpu_s() + database_cpu_s()
    started = time.perf_counter()

    async def work():
        while requests:
            request, began = requests.pop(), time.perf_counter()
            async with session.request(
                "POST" if request.fields else "GET",
                server.url + request.path,
                data=request.fields,
                headers=request.headers,
            ) as answer:
                body = await answer.text()
                assert answer.status == 200 and request.answered in body, body
            took_ms.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(work() for _ in range(at_once)))
    elapsed_s = time.perf_counter() - started
    cpu_ms = (server.cpu_s() + database_cpu_s() - cpu) / count * 1000
    return Load(count / elapsed_s, cpu_ms, took_ms)
