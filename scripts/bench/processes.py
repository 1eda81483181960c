"""The voice webhook and a list with one, two and four web processes.

Each process is a server of its own, and requests go to them in turn, as a front sends
them. More processes than cores tell little: what they add is threads that wait.
"""

import asyncio
import itertools
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from scripts.bench.pairs import Load, Request, load, serve
from scripts.bench.webhook import PUBLIC_URL, call_to
from scripts.bench.world import Server, furnish, world_of_stores

COUNTS = (1, 2, 4)
ROUNDS = 5
REQUESTS = {"voice webhook": 600, "list of calls": 60}
WARM_UP_REQUESTS = 50
CALLS = 1000
BUDGET_CPU = 1.25  # of a request with two processes, to that with one


@dataclass
class Several:
    """Servers that are asked in turn, like one."""

    servers: list[Server]

    def __post_init__(self):
        self._turns = itertools.cycle(self.servers)

    @property
    def url(self) -> str:
        return next(self._turns).url

    def cpu_s(self) -> float:
        return sum(server.cpu_s() for server in self.servers)


@dataclass
class Measured:
    """What was asked of so many processes, a load each round."""

    loads: dict[int, list[Load]] = field(
        default_factory=lambda: {count: [] for count in COUNTS}
    )

    def median(self, count: int, of: Callable[[Load], float]) -> float:
        return statistics.median(map(of, self.loads[count]))

    def ratio(self, count: int, of: Callable[[Load], float]) -> float:
        """To one process, in the same round."""
        pairs = zip(self.loads[count], self.loads[1], strict=True)
        return statistics.median(of(several) / of(one) for several, one in pairs)


def run() -> bool:
    """Print the table; whether two processes take no more CPU a request than one."""
    with world_of_stores(PUBLIC_URL) as (env, running):
        path = f"/webhooks/twilio/voice/{furnish()}"
        cookie = _visitor()
        made = {
            "voice webhook": lambda: call_to(path),
            "list of calls": lambda: Request(
                "/calls", "+1 415-000-", {"Cookie": cookie}
            ),
        }
        running += [serve("voiceops.wsgi:application", env) for _ in range(max(COUNTS))]
        for server in running:
            server.wait_until_up("/livez")
        measured = asyncio.run(_measure(running, made))
        return _report(measured)


def _visitor() -> str:
    """The cookie of somebody whose workspace has calls."""
    from django.conf import settings

    from scripts.bench.crowd import fill, open_workspaces

    homes, client, _ = open_workspaces(0)
    fill(homes, [CALLS])
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


async def _measure(running: list[Server], made) -> dict[str, Measured]:
    measured = {what: Measured() for what in made}
    async with aiohttp.ClientSession() as session:
        for server, make in itertools.product(running, made.values()):
            await load(session, server, make, WARM_UP_REQUESTS)
        for _ in range(ROUNDS):
            for what, make in made.items():
                for count in COUNTS:
                    several = Several(running[:count])
                    told = await load(session, several, make, REQUESTS[what])
                    measured[what].loads[count].append(told)
    return measured


def _report(measured: dict[str, Measured]) -> bool:
    cores = len(os.sched_getaffinity(0))
    print(f"Web processes: granian WSGI, PostgreSQL, Redis, {cores} cores")
    for what, told in measured.items():
        for count in COUNTS:
            rate = told.median(count, lambda one: one.rate)
            cpu_ms = told.median(count, lambda one: one.cpu_ms)
            print(
                f"  {what}, {count} of them  {rate:7.0f} requests/s"
                f"  {cpu_ms:6.2f} ms CPU a request; to one:"
                f" {told.ratio(count, lambda one: one.rate):.2f} requests/s,"
                f" {told.ratio(count, lambda one: one.cpu_ms):.2f} CPU"
            )
    cpu = max(told.ratio(2, lambda one: one.cpu_ms) for told in measured.values())
    print(f"  budget {BUDGET_CPU} of CPU a request, with two")
    return cpu <= BUDGET_CPU
