"""The time of every figure for workspaces with 1, 10 and 100 % of the calls.

Each is asked for through all of Django in this process and held against the same counts
straight from the rows, by one GROUP BY in UTC. All times are of CPU.
"""

import io
import logging
import os
import time
from dataclasses import dataclass, field

from scripts.bench.asking import ROUNDS, Measured, answer_alone, best_of, clock

SIZES = {"full": 10_000_000, "": 1_000_000}
CALLS = int(os.environ.get("BENCH_CALLS", SIZES[os.environ.get("BENCH_SIZE", "")]))
SHARES = (1, 10, 100)  # per cent of the calls
DAYS = 365
AGENTS = 10
TALK_EVERY = 1_000  # answered calls; the others have times of replies alone
RAW_ROUNDS = 2
BUDGET_MS = 25
BUDGET_GROWTH = 2
SLACK_MS = 1


@dataclass
class Share:
    """What one workspace's figures took, and the same straight from its rows."""

    calls: int
    raw_ms: float = float("inf")
    again_ms: float = float("inf")  # to count a quarter again, the fullest one
    figures: dict[str, Measured] = field(default_factory=dict)


def run(name: str) -> bool:
    """Print the table of the database `name`; whether all is within its budget."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import override_settings

    from analytics import triggers

    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    answer_alone()
    started = time.perf_counter()
    triggers.remove(connection)  # everything is counted afterwards
    homes = [_furnish(CALLS * share // 100) for share in SHARES]
    triggers.install(connection)
    filled = time.perf_counter()
    call_command("rebuild_rollup", stdout=io.StringIO())
    counted = time.perf_counter()
    _tidy()
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        shares = [_measure(*home) for home in homes]
    print(
        f"Analytics on {name}: {' + '.join(f'{share.calls:,}' for share in shares)}"
        f" calls of a year; best of {ROUNDS}, ms of CPU (filled in"
        f" {filled - started:.0f} s, counted in {counted - filled:.0f} s)"
    )
    return _report(shares)


def _furnish(calls: int):
    """A workspace with so many calls, its program, and what its questions name."""
    import secrets

    from django.test import Client
    from django.utils.timezone import now

    from accounts import services
    from analytics import history
    from telephony.tests.calls import make_agent, make_phone
    from tests.people import make_tenant

    tenant = make_tenant(secrets.token_hex(4))
    owner = tenant.workspace
    phones = [
        make_phone(owner, f"+1415{secrets.randbelow(10**7):07}") for _ in range(2)
    ]
    agents = [make_agent(owner, f"Agent {number}") for number in range(AGENTS)]
    plan = history.Plan(
        owner=owner,
        agents=agents,
        phones=phones,
        calls=calls,
        days=DAYS,
        until=now(),
        zones=("America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata"),
        talk_every=TALK_EVERY,
    )
    history.make(plan)
    token = services.issue_login_token(tenant.user)
    program = Client(headers={"authorization": f"Bearer {token}"})
    return owner, agents[0], phones[0], program, calls


def _tidy() -> None:
    from scripts.bench.crowd import analyze

    analyze()


def _measure(owner, agent, phone, program, calls: int) -> Share:
    share = Share(calls)
    for name, path in _questions(agent, phone).items():
        share.figures[name] = best_of(lambda path=path: program.get(path))
    share.raw_ms = min(_raw_ms(owner) for _ in range(RAW_ROUNDS))
    share.again_ms = min(_again_ms(owner) for _ in range(RAW_ROUNDS))
    return share


def _questions(agent, phone) -> dict[str, str]:
    """The path of each figure, by the name it is shown under."""
    from datetime import timedelta

    from django.utils.timezone import now

    today = now().date()
    year = f"from={today - timedelta(days=DAYS)}&to={today}"
    month = f"from={today - timedelta(days=29)}&to={today}"
    here = "timezone=America/Los_Angeles"
    return {
        "calls by date": f"/api/analytics/calls-by-date?{year}&{here}",
        "calls by date, 30 days": f"/api/analytics/calls-by-date?{month}&{here}",
        "calls by date, Kathmandu": "/api/analytics/calls-by-date"
        f"?{year}&timezone=Asia/Kathmandu",
        "calls by date, an agent": "/api/analytics/calls-by-date"
        f"?{year}&{here}&agent_id={agent.pk}",
        "calls by date, all filters": "/api/analytics/calls-by-date"
        f"?{year}&{here}&agent_id={agent.pk}&phone_id={phone.pk}&direction=incoming",
        "calls by hour": f"/api/analytics/calls-by-hour?{year}&{here}",
        "agents": f"/api/analytics/agent-summary?{year}&{here}",
        "agents, a number": "/api/analytics/agent-summary"
        f"?{year}&{here}&phone_id={phone.pk}",
        "summary and the year before": f"/api/analytics/summary?{year}&{here}",
        "summary, 30 days": f"/api/analytics/summary?{month}&{here}",
        "texts by date": f"/api/analytics/messages-by-date?{year}&{here}",
    }


def _raw_ms(owner) -> float:
    """The year's calls by date straight from the rows."""
    from datetime import timedelta

    from django.db import connection
    from django.db.models import Count, Q, Sum
    from django.utils.timezone import now

    from telephony.models import Call

    calls = Call.objects.for_owner(owner).filter(
        started_at__gte=now() - timedelta(days=DAYS),
        ended_at__isnull=False,
        is_test=False,
    )
    day = "substr(started_at, 1, 10)"
    if connection.vendor == "postgresql":
        day = "started_at::date"
    rows = calls.extra(select={"day": day}).values("day").order_by()
    counted = rows.annotate(
        total=Count("pk"),
        answered=Count("answered_at"),
        failed=Count("pk", filter=Q(status="failed")),
        talk_s=Sum("duration_s"),
        cost=Sum("cost"),
    )
    statement, arguments = counted.query.sql_with_params()
    ms_now = clock()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")
        started = ms_now()
        cursor.execute(statement, arguments)
        assert cursor.fetchall()
        return (ms_now() - started) * 1000


def _again_ms(owner) -> float:
    """What a change costs: its quarter of an hour is counted again."""
    from datetime import timedelta

    from django.utils.timezone import now

    from analytics import rollup

    at = (now() - timedelta(days=30)).replace(hour=17)
    ms_now = clock()
    started = ms_now()
    keys = rollup.count_again("calls", owner.pk, at.date(), {17 * 4})
    rollup.sum_month("calls", owner.pk, at.date().replace(day=1), keys)
    return (ms_now() - started) * 1000


def _report(shares: list[Share]) -> bool:
    least, most = shares[0], shares[-1]
    titles = "".join(f"{f'{share} %':>9}" for share in SHARES)
    print(
        f"  {'figure, whole answer':30}{titles}{'100:1':>8}{'slowest':>9}"
        f"{'raw:ours':>10}"
    )
    over = []
    for name, at_most in most.figures.items():
        at_least = least.figures[name]
        times = "".join(f"{share.figures[name].page_ms:9.1f}" for share in shares)
        print(
            f"  {name:30}{times}{at_most.page_ms / at_least.page_ms:8.2f}"
            f"{at_most.slowest_ms:9.2f}{most.raw_ms / at_most.page_ms:10.0f}"
        )
        if not _is_within(at_least, at_most):
            over.append(name)
    for title, name in (("GROUP BY of the rows", "raw_ms"), ("a change", "again_ms")):
        times = "".join(f"{getattr(share, name):9.1f}" for share in shares)
        print(f"  {title:30}{times}")
    print(
        f"  budget: the slowest statement {BUDGET_MS} ms, growth {BUDGET_GROWTH};"
        f" over: {', '.join(over) or 'none'}"
    )
    return not over


def _is_within(at_least: Measured, at_most: Measured) -> bool:
    grown_ms = at_most.page_ms - BUDGET_GROWTH * at_least.page_ms
    return at_most.slowest_ms <= BUDGET_MS and grown_ms <= SLACK_MS
