"""The time of every figure for workspaces with 1, 10 and 100 % of the calls.

Each is asked for through all of Django in this process and held against the same counts
straight from the rows, by one GROUP BY in UTC. All times are of CPU.
"""

import logging
import os
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from scripts.bench.asking import ROUNDS, Measured, answer_alone, best_of, clock

SIZES = {"full": 10_000_000, "": 1_000_000}
CALLS = int(os.environ.get("BENCH_CALLS", SIZES[os.environ.get("BENCH_SIZE", "")]))
SHARES = (1, 10, 100)  # per cent of the calls
WEEKS = 52
DAYS = 7 * WEEKS
LANES = max(1, CALLS // 1_000_000)  # copies of the invented week in each week
AGENTS = 10
TALK_EVERY = 1_000  # answered calls; the others have times of replies alone
TEXT_EVERY = 10  # calls
RAW_ROUNDS = 2
CROWD = 10_000  # or all calls
BUDGET_MS = 25
BUDGET_GROWTH = 2
SLACK_MS = 1


@dataclass
class Share:
    """What one workspace's figures took, and the same straight from its rows."""

    calls: int
    raw_ms: float = float("inf")
    again_ms: float = float("inf")  # a change, in the fullest quarter of a day
    figures: dict[str, Measured] = field(default_factory=dict)


@dataclass
class Home:
    """A workspace, who asks for it, and what their questions name."""

    owner: Any
    browser: Any
    program: Any
    agents: list
    phones: list
    writer: Any


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
    homes = _fill()
    triggers.install(connection)
    filled = time.perf_counter()
    call_command("rebuild_rollup", stdout=sys.stderr)
    counted = time.perf_counter()
    _tidy()
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        shares = [_measure(home) for home in homes]
    crowded_ms = _crowded_ms(homes[-1])
    print(
        f"Analytics on {name}: {' + '.join(f'{share.calls:,}' for share in shares)}"
        f" calls of a year; best of {ROUNDS}, ms of CPU (filled in"
        f" {filled - started:.0f} s, counted in {counted - filled:.0f} s)"
    )
    within = _report(shares)
    print(
        f"  a change in a quarter of an hour with {CROWD:,} calls: {crowded_ms:.1f} ms"
    )
    return within


def _fill() -> list[Home]:
    """A week of calls and texts is invented; the rest of the year are its copies."""
    from analytics import history
    from analytics.models import Change
    from scripts.bench import multiply

    seed, *homes = [_furnish() for _ in (0, *SHARES)]
    plan = _plan(seed, CALLS // (WEEKS * LANES))
    history.make(plan)
    history.make_texts(plan, seed.writer, plan.calls // TEXT_EVERY)
    Change.objects.all().delete()  # the week's days: all are counted
    multiply.fill(
        seed.owner,
        [
            multiply.Home(home.owner, 100 // share, _stand_ins(seed, home))
            for share, home in zip(SHARES, homes, strict=True)
        ],
        weeks=WEEKS,
        lanes=LANES,
    )
    return homes


def _furnish() -> Home:
    import secrets

    from django.test import Client

    from accounts import services
    from agents.models import MessageAgent
    from telephony.tests.calls import make_agent, make_phone
    from tests.people import make_tenant

    tenant = make_tenant(secrets.token_hex(4))
    owner = tenant.workspace
    token = services.issue_login_token(tenant.user)
    return Home(
        owner=owner,
        browser=tenant.client,
        program=Client(headers={"authorization": f"Bearer {token}"}),
        agents=[make_agent(owner, f"Agent {number}") for number in range(AGENTS)],
        phones=[
            make_phone(owner, f"+1415{secrets.randbelow(10**7):07}") for _ in range(2)
        ],
        writer=MessageAgent.unscoped.create(
            owner=owner, name="Writer", instructions="Be brief."
        ),
    )


def _plan(home: Home, calls: int):
    from django.utils.timezone import now

    from analytics import history

    return history.Plan(
        owner=home.owner,
        agents=home.agents,
        phones=home.phones,
        calls=calls,
        days=7,
        until=now(),
        zones=("America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata"),
        talk_every=TALK_EVERY,
    )


def _stand_ins(seed: Home, home: Home) -> dict:
    """What the copies name in the place of what the seed's rows name."""
    from telephony.models import Conversation

    pairs = [(seed.writer, home.writer), *zip(seed.agents, home.agents, strict=True)]
    for theirs, ours in zip(seed.phones, home.phones, strict=True):
        pairs += [(theirs, ours), (theirs.carrier_account, ours.carrier_account)]
    phones = dict(zip(seed.phones, home.phones, strict=True))
    threads = Conversation.unscoped.filter(owner=seed.owner).select_related("phone")
    copies = {
        thread: Conversation(
            owner=home.owner,
            phone=phones[thread.phone],
            address=thread.address,
            status=thread.status,
        )
        for thread in threads
    }
    Conversation.unscoped.bulk_create(copies.values())
    return {theirs.pk: ours.pk for theirs, ours in (*pairs, *copies.items())}


def _tidy() -> None:
    from scripts.bench.crowd import analyze

    analyze()


def _measure(home: Home) -> Share:
    from telephony.models import Call

    share = Share(Call.unscoped.filter(owner=home.owner).count())
    for name, path in _questions(home).items():
        ask = home.program if path.startswith("/api/") else home.browser
        share.figures[name] = best_of(lambda ask=ask, path=path: ask.get(path))
    share.raw_ms = min(_raw_ms(home.owner) for _ in range(RAW_ROUNDS))
    hour = _busy_hour()
    share.again_ms = min(_again_ms(home.owner, hour) for _ in range(ROUNDS))
    return share


def _busy_hour():
    from datetime import timedelta

    from django.utils.timezone import now

    at = now() - timedelta(days=30)
    return at.replace(hour=17, minute=0, second=0, microsecond=0)


def _crowded_ms(home: Home) -> float:
    """What a change costs in a quarter of an hour with so many calls."""
    from datetime import timedelta

    from analytics import rollup
    from telephony.models import Call

    hour = _busy_hour() + timedelta(hours=1)
    calls = Call.unscoped.filter(owner=home.owner).order_by("pk")
    crowd = calls.filter(pk__in=list(calls.values_list("pk", flat=True)[:CROWD]))
    crowd.update(started_at=hour)
    while rollup.fold_some(home.owner.pk):
        pass
    return min(_again_ms(home.owner, hour) for _ in range(ROUNDS))


def _questions(home: Home) -> dict[str, str]:
    """The path of each figure or page, by the name it is shown under."""
    from base64 import b64encode
    from datetime import timedelta

    from django.utils.timezone import now

    from telephony.models import Call

    today = now().date()
    year = f"from={today - timedelta(days=DAYS - 1)}&to={today}"
    month = f"from={today - timedelta(days=29)}&to={today}"
    # The longest way to the first whole month: most buckets of pairs.
    second = (today - timedelta(days=DAYS - 31)).replace(day=2)
    here = "timezone=America/Los_Angeles"
    agent, phone = home.agents[0].pk, home.phones[0].pk
    # Sixty calls are older: the last page but one.
    deep = Call.objects.for_owner(home.owner).order_by("pk")[60].pk
    cursor = b64encode(f"p={deep}".encode()).decode()
    return {
        "calls by date": f"/api/analytics/calls-by-date?{year}&{here}",
        "calls by date, 30 days": f"/api/analytics/calls-by-date?{month}&{here}",
        "calls by date, Kathmandu": "/api/analytics/calls-by-date"
        f"?{year}&timezone=Asia/Kathmandu",
        "calls by date, an agent": "/api/analytics/calls-by-date"
        f"?{year}&{here}&agent_id={agent}",
        "calls by date, all filters": "/api/analytics/calls-by-date"
        f"?{year}&{here}&agent_id={agent}&phone_id={phone}&direction=incoming",
        "calls by hour": f"/api/analytics/calls-by-hour?{year}&{here}",
        "agents": f"/api/analytics/agent-summary?{year}&{here}",
        "agents, from a 2nd": "/api/analytics/agent-summary"
        f"?from={second}&to={today}&{here}",
        "agents, 30 days": f"/api/analytics/agent-summary?{month}&{here}",
        "agents, a number": "/api/analytics/agent-summary"
        f"?{year}&{here}&phone_id={phone}",
        "summary and the year before": f"/api/analytics/summary?{year}&{here}",
        "summary, 30 days": f"/api/analytics/summary?{month}&{here}",
        "texts by date": f"/api/analytics/messages-by-date?{year}&{here}",
        "costs by date": f"/api/analytics/costs?{year}&{here}",
        "costs by agent": f"/api/analytics/costs?{year}&{here}&by=agent",
        "page of costs, a year": f"/costs?{year}&{here}",
        "dashboard, 30 days": f"/?{month}&{here}",
        "dashboard, a year": f"/?{year}&{here}",
        "dashboard, a year, an agent": f"/?{year}&{here}&agent={agent}",
        "list of calls": "/calls",
        "list of calls, deep": f"/calls?before={deep}",
        "API: calls": "/api/calls",
        "API: calls, deep": f"/api/calls?cursor={cursor}",
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


def _again_ms(owner, hour) -> float:
    """What a change costs in the first quarter of that hour."""
    from django.db.models import F

    from analytics import rollup
    from telephony.models import Call

    calls = Call.unscoped.filter(owner=owner, started_at__gte=hour)
    call = calls.order_by("started_at").first()
    Call.unscoped.filter(pk=call.pk).update(duration_s=F("duration_s") + 1)
    ms_now = clock()
    started = ms_now()
    assert rollup.fold_some(owner.pk)
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
