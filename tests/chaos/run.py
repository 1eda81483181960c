"""One run: fill the world, let the storm loose, wait for the end, judge."""

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.storm import Storm, Workers
from tests.chaos.verdict import broken_promises
from tests.flow.carrier import Account, Carrier
from tests.postgres import postgres_server
from tests.processes import Stack, running_stack

IN_S = 2
CARRIERS_TIMEOUT_S = 10
# Numbers that nobody has, by what happens to who calls them: answered by a polite
# person, busy, not answered, not reached. Talk takes the machine's time, and is no part
# of what is looked at here.
ENDINGS = ("", "0486", "0408", "0404")
SHARES = (10, 35, 30, 25)
AREA_CODES = (202, 206, 212, 303, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713)
LOOK_EVERY_S = 2
# After the last row has ended: callbacks are on their way, tasks at work.
QUIET_WITHIN_S = 60


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    rows: int
    accounts: int
    workers: int
    within_s: float
    calls_per_second: int  # of each account
    # What a second of our waits takes: of leases, of looks for lost calls, of requests
    # to the carrier.
    patience: float
    pause_s: tuple[float, float]  # between two kills: at the least, at the most
    # Of one process in a minute. After more than four the supervisor gives it up.
    deaths: int
    storm_s: float = 1e9  # at most; it is over at the latest when the rows are


@dataclass
class Outcome:
    """What a run has shown."""

    seed: int
    seconds: float
    broken: list[str]
    statuses: dict[str, int] = field(default_factory=dict)
    storm: dict[str, int] = field(default_factory=dict)
    rung: int = 0
    rows: int = 0

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {self.rows} due calls, {self.rung} calls in the"
            f" carrier's book, {self.seconds:.0f} s",
            "  ended   " + _listed(self.statuses),
            "  storm   " + _listed(self.storm),
            f"  broken promises: {len(self.broken)}",
            *(f"  - {words}" for words in self.broken[:50]),
        ]
        return "\n".join(lines)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def run(size: Size, seed: int, var_dir: Path, *, on_postgres: bool) -> Outcome:
    """The whole of it in a data directory of its own."""
    with postgres_server() if on_postgres else nullcontext() as url:
        environment = {
            "PATIENCE": str(size.patience),
            "SIMULATOR_SPEED": "0",
            **({"DATABASE_URL": url} if url else {}),
        }
        with running_stack(var_dir, environment) as stack:
            return _run(stack, size, seed)


def _run(stack: Stack, size: Size, seed: int) -> Outcome:
    carrier, chance = Carrier(stack), random.Random(seed)
    accounts = [carrier.open_account() for _ in range(size.accounts)]
    _tell(stack, "fill", given=_world(accounts, size, chance))
    started = time.monotonic()
    with _workers(stack, size.workers - 1) as workers:
        storm = Storm(
            *(stack, workers, carrier, accounts, seed),
            pause_s=size.pause_s,
            deaths=size.deaths,
            late_s=CARRIERS_TIMEOUT_S * size.patience,
        )
        with storm:
            _tell(stack, "wait", min(size.within_s, size.storm_s))
        # The rest in peace: what is to be settled is settled.
        _tell(stack, "wait", size.within_s - (time.monotonic() - started))
        seconds = time.monotonic() - started
        told, book = _quiet(stack, carrier, accounts)
    return Outcome(
        seed=seed,
        seconds=seconds,
        broken=broken_promises(told["rows"], told["calls"], book),
        statuses=Counter(row["status"] for row in told["rows"]),
        storm={name: count for name, count in storm.told.items() if count},
        rung=len(book),
        rows=len(told["rows"]),
    )


@contextmanager
def _workers(stack: Stack, count: int) -> Iterator[Workers]:
    workers = Workers(stack, count)
    try:
        yield workers
    finally:
        workers.stop()


def _world(accounts: list[Account], size: Size, chance: random.Random) -> dict:
    return {
        "accounts": [
            {
                "sid": account.sid,
                "auth_token": account.auth_token,
                "number": account.numbers[0],
                "calls_per_second": size.calls_per_second,
                # One has few: whoever waits for a line keeps nobody else waiting.
                "lines": 150 if place else 50,
            }
            for place, account in enumerate(accounts)
        ],
        "numbers": _numbers(size.rows, chance),
        "in_s": IN_S,
        "tries_again": 2,  # seconds between two attempts
    }


def _numbers(count: int, chance: random.Random) -> list[str]:
    found: set[str] = set()
    while len(found) < count:
        (ending,) = chance.choices(ENDINGS, SHARES)
        ending = ending or f"{chance.randrange(1000, 10_000)}"
        area, exchange = chance.choice(AREA_CODES), chance.randrange(220, 990)
        if exchange % 100 != 11 and exchange != 555:
            found.add(f"+1{area}{exchange}{ending}")
    numbers = sorted(found)
    chance.shuffle(numbers)
    return numbers


def _tell(stack: Stack, *command: object, given: dict | None = None) -> dict:
    """Ask `tests.chaos.world`, with the stack's environment."""
    process = stack.beside(
        *("-m", "tests.chaos.world", *map(str, command)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    told, _ = process.communicate(json.dumps(given))
    assert process.returncode == 0, f"tests.chaos.world {command} failed"
    return json.loads(told or "{}")


def _quiet(stack: Stack, carrier: Carrier, accounts) -> tuple[dict, list[dict]]:
    """What is told once nothing more happens, and the carrier's book."""
    deadline = time.monotonic() + QUIET_WITHIN_S
    while True:
        told = _tell(stack, "tell")
        book = [entry for account in accounts for entry in carrier.book(account)]
        is_quiet = not broken_promises(told["rows"], told["calls"], book)
        if is_quiet or time.monotonic() > deadline:
            return told, book
        time.sleep(LOOK_EVERY_S)
