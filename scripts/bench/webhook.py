"""The voice webhook against a bare view, under the same server in the same run."""

import asyncio
import secrets
import statistics
import time

import aiohttp
from twilio.request_validator import RequestValidator

from scripts.bench.world import (
    AUTH_TOKEN,
    Server,
    call_fields,
    database_cpu_s,
    free_port,
    furnish,
    servers,
    world,
)
from tests.postgres import postgres_server

PUBLIC_URL = "https://voice.example.com"
ROUNDS = 5
REQUESTS_A_ROUND = 600
WARM_UP_REQUESTS = 200
CONCURRENCY = 8
BUDGET, AMBITION = 1.7, 1.25


def run() -> bool:
    """Print the comparison; whether it is within the budget."""
    with (
        postgres_server() as database_url,
        world(PUBLIC_URL, database_url=database_url) as env,
        servers() as running,
    ):
        token = furnish()
        ours = _serve("voiceops.wsgi:application", env)
        bare = _serve("scripts.bench.bare:application", env | {"BENCH_BARE": "webhook"})
        running += [ours, bare]
        for server in running:
            server.wait_until_up("/livez")
        return asyncio.run(_compare(ours, bare, f"/webhooks/twilio/voice/{token}"))


def _serve(application: str, env: dict[str, str]) -> Server:
    port = free_port()
    options = ("--interface", "wsgi", "--workers", "1", "--blocking-threads", "4")
    return Server(
        *("granian", *options, "--host", "127.0.0.1", "--port", str(port)),
        *("--no-access-log", "--log-level", "error", application),
        url=f"http://127.0.0.1:{port}",
        env=env,
    )


async def _compare(ours: Server, bare: Server, path: str) -> bool:
    async with aiohttp.ClientSession() as session:
        for server in (ours, bare):
            await _load(session, server, path, WARM_UP_REQUESTS)
        rounds = []
        for _ in range(ROUNDS):
            a = await _load(session, ours, path, REQUESTS_A_ROUND)
            b = await _load(session, bare, path, REQUESTS_A_ROUND)
            rounds.append((a, b))
    rates = statistics.median(a[0] / b[0] for a, b in rounds)
    cpu = statistics.median(a[1] / b[1] for a, b in rounds)
    ours_rate, ours_ms = map(
        statistics.median, zip(*(a for a, _ in rounds), strict=True)
    )
    bare_rate, bare_ms = map(
        statistics.median, zip(*(b for _, b in rounds), strict=True)
    )
    print(f"Voice webhook: granian WSGI, PostgreSQL, median of {ROUNDS} paired rounds")
    print(f"  ours  {ours_rate:7.0f} requests/s  {ours_ms:6.2f} ms CPU a request")
    print(f"  bare  {bare_rate:7.0f} requests/s  {bare_ms:6.2f} ms CPU a request")
    print(f"  requests a second, ours to bare: {rates:.2f}")
    print(f"  CPU, ours to bare: {cpu:.2f}   budget {BUDGET}, ambition {AMBITION}")
    return cpu <= BUDGET


async def _load(session, server: Server, path: str, count: int) -> tuple[float, float]:
    """Requests a second; CPU milliseconds a request of server and database."""
    requests = [_signed(path) for _ in range(count)]
    cpu = server.cpu_s() + database_cpu_s()
    started = time.perf_counter()

    async def work():
        while requests:
            fields, signature = requests.pop()
            async with session.post(
                server.url + path,
                data=fields,
                headers={"X-Twilio-Signature": signature},
            ) as answer:
                body = await answer.text()
                assert answer.status == 200 and "<Connect" in body, body

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    elapsed = time.perf_counter() - started
    return count / elapsed, (server.cpu_s() + database_cpu_s() - cpu) / count * 1000


def _signed(path: str) -> tuple[dict[str, str], str]:
    fields = call_fields("CA" + secrets.token_hex(16))
    validator = RequestValidator(AUTH_TOKEN)
    return fields, validator.compute_signature(PUBLIC_URL + path, fields)
