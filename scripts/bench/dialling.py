"""Calls that are due: how fast they go out, how soon, and who waits for whom.

Real workers, a real beat, PostgreSQL, and a carrier that answers after 150 ms. The bare
side is an asyncio loop that knows nothing but the request (`scripts.bench.loop`).
"""

import datetime
import os
import secrets
import statistics
import subprocess
import sys
import time

import httpx

from scripts.bench.world import ROOT, Server, free_port, world_of_stores

PUBLIC_URL = "https://voice.example.com"
CALLS = int(os.environ.get("BENCH_CALLS", "10000"))
FUTURE_CALLS = int(os.environ.get("BENCH_FUTURE_CALLS", "1000000"))
ROUNDS = 3
LOOPS_CALLS = 3000
ACCOUNTS = 20
WORKERS = 4
SINGLE_CALLS = 5
LEAD_S = 3
AT_A_SECOND = 10_000  # no pacing
UP_WITHIN_S, DONE_WITHIN_S = 300, 900
PACES = (1, 100)  # calls a second of A's account
FAR_AWAY = 6_000_000  # numbers that A does not call
WAIT_WITHIN_S = 60
TICKS = 5
DAY_S = 24 * 3600
FILLED_AT_ONCE = 50_000
BUDGET, AMBITION = 0.30, 0.60
BUDGET_FIRST_S = 2.0


def run() -> bool:
    """Print what was measured; whether it is within the budgets."""
    with world_of_stores(PUBLIC_URL) as (env, running):
        carrier = _carrier(env)
        running.append(carrier)
        carrier.wait_until_up("/book")
        env["TWILIO_API_BASE_URL"] = os.environ["TWILIO_API_BASE_URL"] = carrier.url
        agents = _furnish()
        celery = [_celery(env, "worker") for _ in range(WORKERS)]
        celery.append(_celery(env, "beat"))
        running += celery
        bench = Bench(carrier, agents, env["DATABASE_URL"])
        bench.warm_up()
        is_soon = bench.first_dial()
        is_fast = bench.throughput()
        bench.fairness()
        for process in celery:
            process.stop()
        bench.tick()
        return is_soon and is_fast


def _carrier(env: dict[str, str]) -> Server:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    return Server("scripts.bench.carrier", str(port), url=url, env=env)


def _celery(env: dict[str, str], kind: str) -> Server:
    options = {
        "worker": ("--pool", "threads", "--concurrency", "4", "--without-gossip"),
        "beat": ("--schedule", f"{env['VAR_DIR']}/beat", "--pidfile", ""),
    }[kind]
    return Server(
        *("celery", "-A", "voiceops", "--quiet", kind, *options),
        *("--loglevel", "WARNING"),
        url="",
        env=env,
    )


def _furnish() -> list:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return [_make_agent(AT_A_SECOND) for _ in range(ACCOUNTS)]


def _make_agent(calls_per_second: int):
    from accounts.models import Workspace
    from agents.models import VoiceAgent
    from telephony.models import CallingRules, CarrierAccount, Phone

    owner = Workspace.objects.create(name="Bench")
    CallingRules.unscoped.create(
        owner=owner,
        window_start=datetime.time(),
        window_end=datetime.time(),
        countries=["US"],
        calls_a_day=1_000_000,
        calls_a_month=1_000_000,
    )
    account = CarrierAccount.unscoped.create(
        owner=owner,
        label="Bench",
        account_sid=f"AC{secrets.token_hex(16)}",
        auth_token=secrets.token_hex(16),
        calls_per_second=calls_per_second,
        max_concurrent_calls=100_000,
    )
    phone = Phone.unscoped.create(
        owner=owner,
        carrier_account=account,
        number=f"+1415{secrets.randbelow(700) + 200}{secrets.randbelow(10_000):04}",
    )
    return VoiceAgent.unscoped.create(
        owner=owner,
        phone=phone,
        name="Bench",
        is_active=True,
        direction="outgoing",
        greeting="Hello, this is an automated assistant.",
        instructions="You remind people of their appointments.",
    )


def _schedule(agents: list, count: int, *, in_s: float, numbers_from: int = 0) -> float:
    """Rows that fall due together, in turn for each agent; when they do."""
    from django.utils.timezone import now

    from telephony.models import ScheduledCall

    at = now() + datetime.timedelta(seconds=in_s)
    rows = (
        ScheduledCall(
            owner_id=agent.owner_id,
            agent=agent,
            to_number=_number(numbers_from + place),
            scheduled_for=at,
            due_at=at,
            next_attempt_at=at,
        )
        for place in range(count)
        for agent in (agents[place % len(agents)],)
    )
    ScheduledCall.unscoped.bulk_create(rows, batch_size=2000)
    return at.timestamp()


def _number(place: int) -> str:
    return f"+1212{place // 10_000 % 700 + 220}{place % 10_000:04}"


class Bench:
    def __init__(self, carrier: Server, agents: list, database_url: str):
        self.agents = agents
        # One for all: a client reads all certificates, while the workers want to work.
        self.carrier = httpx.Client(base_url=carrier.url)
        self.database_url = database_url

    def book(self, **query: str) -> list[tuple[float, str]]:
        return self.carrier.get("/book", params=query).json()

    def wait_for(self, count: int, within_s: float = DONE_WITHIN_S) -> list:
        deadline = time.monotonic() + within_s
        while (asked := int(self.carrier.get("/count").text)) < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"{asked} of {count} calls within {within_s} s")
            time.sleep(0.3)
        return self.book()

    def forget(self) -> None:
        """Nobody is on the telephone any more, nothing is left to dial."""
        from django.utils.timezone import now

        from telephony.models import Call, ScheduledCall

        time.sleep(1)
        # First the rows: an ended call whose row is in flight is followed by a tick.
        ScheduledCall.unscoped.exclude(status="completed").update(
            status="completed", next_attempt_at=None
        )
        Call.unscoped.filter(ended_at=None).update(status="completed", ended_at=now())
        self.carrier.delete("/book")

    def warm_up(self) -> None:
        _schedule(self.agents, 100, in_s=0)
        self.wait_for(100, UP_WITHIN_S)
        self.forget()

    def first_dial(self) -> bool:
        late = []
        for _ in range(SINGLE_CALLS):
            due = _schedule(
                self.agents[:1], 1, in_s=LEAD_S + secrets.randbelow(10) / 10
            )
            ((asked, _),) = self.wait_for(1)
            late.append(asked - due)
            self.forget()
        print(
            f"First dial after its time: median {statistics.median(late):.2f} s, latest"
            f" {max(late):.2f} s   budget {BUDGET_FIRST_S} s"
        )
        return max(late) <= BUDGET_FIRST_S

    def throughput(self) -> bool:
        """In turn with the loop: the machine has other work, and both have the same."""
        loops, rates = [], []
        for _ in range(ROUNDS):
            loops.append(self._loop())
            count = CALLS // ROUNDS
            due = _schedule(self.agents, count, in_s=LEAD_S)
            book = self.wait_for(count)
            assert len({number for _, number in book}) == len(book) == count
            rates.append(count / (max(asked for asked, _ in book) - due))
            self.forget()
        ratio = statistics.median(a / b for a, b in zip(rates, loops, strict=True))
        print(
            f"{CALLS} calls due in {ROUNDS} rounds, {ACCOUNTS} accounts, {WORKERS}"
            f" workers: {statistics.median(rates):.0f} calls/s,"
            f" bare loop {statistics.median(loops):.0f} calls/s\n"
            f"  ours to the loop: {ratio:.2f}   budget {BUDGET}, ambition {AMBITION}"
        )
        return ratio >= BUDGET

    def _loop(self) -> float:
        command = [sys.executable, "-m", "scripts.bench.loop", _dsn(self.database_url)]
        told = subprocess.run(
            [*command, str(self.carrier.base_url), str(LOOPS_CALLS)],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        self.carrier.delete("/book")
        return float(told.stdout)

    def fairness(self) -> None:
        """B's single call falls due while A's thousands are being dialled."""
        for pace in PACES:
            a, b = _make_agent(pace), _make_agent(1)
            _schedule([a], CALLS, in_s=0)
            self.wait_for(3)
            waits = [self._wait_of(b, turn) for turn in range(SINGLE_CALLS)]
            print(
                f"B's single call while A has {CALLS} due, at {pace} a second: median"
                f" {statistics.median(waits):.2f} s, longest {max(waits):.2f} s"
            )
            self.forget()

    def _wait_of(self, agent, turn: int) -> float:
        place = FAR_AWAY + turn
        due = _schedule([agent], 1, in_s=0, numbers_from=place)
        deadline = time.monotonic() + WAIT_WITHIN_S
        while not (asked := self.book(number=_number(place))):
            assert time.monotonic() < deadline, "B's call is not dialled"
            time.sleep(0.1)
        return asked[0][0] - due

    def tick(self) -> None:
        """Nobody else is at work: how long one tick takes, by what is in the table."""
        idle_ms = statistics.median(_tick_ms() for _ in range(TICKS))
        self._fill_future()
        future_ms = statistics.median(_tick_ms() for _ in range(TICKS))
        _schedule(self.agents, CALLS, in_s=0)
        due_ms = [_tick_ms() for _ in range(2)]
        print(
            f"A tick: {idle_ms:.0f} ms; with {FUTURE_CALLS} future calls"
            f" {future_ms:.0f} ms; with {CALLS} due besides, which it claims:"
            f" {due_ms[0]:.0f} ms, and the next {due_ms[1]:.0f} ms"
        )

    def _fill_future(self) -> None:
        """A call of tomorrow, copied so many times, each a second after the other."""
        from django.db import connection

        from telephony.models import ScheduledCall

        _schedule(self.agents[:1], 1, in_s=DAY_S)
        pattern = ScheduledCall.unscoped.latest("due_at")
        columns = [field.column for field in ScheduledCall._meta.local_fields]
        moved = {"due_at", "next_attempt_at", "scheduled_for"}
        values = [
            "gen_random_uuid()"
            if column == "id"
            else f"{column} + step * interval '1 second'"
            if column in moved
            else column
            for column in columns
        ]
        table = ScheduledCall._meta.db_table
        with connection.cursor() as cursor:
            for first in range(0, FUTURE_CALLS, FILLED_AT_ONCE):
                cursor.execute(
                    f"INSERT INTO {table} ({', '.join(columns)})"
                    f" SELECT {', '.join(values)} FROM {table},"
                    " generate_series(%s, %s) AS step WHERE id = %s",
                    [first + 1, first + FILLED_AT_ONCE, pattern.pk],
                )
            cursor.execute(f"ANALYZE {table}")


def _tick_ms() -> float:
    from django.utils.timezone import now

    from telephony.services import due_calls

    started = time.perf_counter()
    due_calls.tick(now())
    return (time.perf_counter() - started) * 1000


def _dsn(database_url: str) -> str:
    host = database_url.partition("host=")[2]
    return f"host={host} user=postgres dbname=postgres"
