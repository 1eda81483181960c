"""The time of list pages, in a small workspace and in a big one among others.

Lists are found by key, so their time must not depend on the number of rows; a search
that no index serves looks at a bounded number of them. Each page is asked for through
all of Django in this process; what the database takes is measured apart and held
against the bare query: the newest calls by key, and nothing else. All times are of CPU.
"""

import logging
import os
import time
from base64 import b64encode
from dataclasses import dataclass, field

from scripts.bench.asking import ROUNDS, Measured, answer_alone, best_of, clock

SMALL = (1_000, 0)
# In the tenant, and in all others together; `BENCH_CALLS=10000,100000` for a quick run.
BIG = tuple(map(int, os.environ.get("BENCH_CALLS", "100000,1000000").split(",")))
CROWD = 10  # workspaces

BUDGET_STATEMENTS = 6  # and one more to find where a search stops
WITH_A_SEARCH = {"calls of a week"}
BUDGET_QUERY_MS = 5
BUDGET_SEARCH_MS = 100  # one page of a search that no index serves
BUDGET_FIGURES_MS = 25  # the dashboard reads a week's calls
BUDGET_GROWTH = 1.5
SLACK_MS = 1  # a small workspace has pages that are not full


@dataclass
class Size:
    bare_ms: float = float("inf")
    pages: dict[str, Measured] = field(default_factory=dict)


def run(name: str) -> bool:
    """Print the table of the database `name`; whether all is within its budget."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import override_settings

    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    answer_alone()
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        started = time.perf_counter()
        small = _measure(*SMALL)
        middle = time.perf_counter()
        big = _measure(*BIG)
    print(
        f"Lists on {name}: {SMALL[0]:,} calls of {sum(SMALL):,}, then {BIG[0]:,} of"
        f" {sum(BIG):,}; best of {ROUNDS}, ms of CPU"
        f" (took {middle - started:.0f} and {time.perf_counter() - middle:.0f} s)"
    )
    return _report(small, big)


def _measure(own: int, others: int) -> Size:
    """Fill in a new workspace with its crowd, and look at each of its pages."""
    from scripts.bench.crowd import fill, open_workspaces

    owners, client, api = open_workspaces(CROWD)
    fill(owners, [own, *[others // CROWD] * CROWD])
    measured = Size()
    for name, path in _pages(owners[0]).items():
        ask = api if path.startswith("/api/") else client
        measured.pages[name] = best_of(lambda ask=ask, path=path: ask.get(path))
        measured.bare_ms = min(measured.bare_ms, _bare_ms(owners[0][0]))
    return measured


def _bare_ms(owner) -> float:
    """The newest calls by key, as the database gives them: no rows of models."""
    from django.db import connection

    from telephony.models import Call

    query = Call.objects.for_owner(owner).order_by("-pk")[:51].query
    statement = query.get_compiler(connection=connection).as_sql()
    now = clock()
    with connection.cursor() as cursor:
        started = now()
        cursor.execute(*statement)
        assert cursor.fetchall()
        return (now() - started) * 1000


def _report(small: Size, big: Size) -> bool:
    print(
        f"  {'page':28}{'statements':>11}{'page':>8}{'big/small':>11}"
        f"{'database':>10}{'big/small':>11}{'to bare':>9}{'slowest':>9}"
    )
    over = []
    for name, at_big in big.pages.items():
        at_small = small.pages[name]
        print(
            f"  {name:28}{at_big.statements:11}{at_big.page_ms:8.1f}"
            f"{at_big.page_ms / at_small.page_ms:11.2f}{at_big.database_ms:10.2f}"
            f"{at_big.database_ms / at_small.database_ms:11.2f}"
            f"{at_big.database_ms / big.bare_ms:9.1f}{at_big.slowest_ms:9.2f}"
        )
        if not _is_within(name, at_small, at_big):
            over.append(name)
    print(
        f"  the bare query: {big.bare_ms:.2f} ms, big to small"
        f" {big.bare_ms / small.bare_ms:.2f}"
    )
    print(
        f"  budget: {BUDGET_STATEMENTS} statements in a list, the slowest"
        f" {BUDGET_QUERY_MS} ms ({BUDGET_SEARCH_MS} in a search,"
        f" {BUDGET_FIGURES_MS} for figures), growth {BUDGET_GROWTH};"
        f" over: {', '.join(over) or 'none'}"
    )
    return not over


def _is_within(name: str, small: Measured, big: Measured) -> bool:
    if name == "dashboard":
        return big.slowest_ms <= BUDGET_FIGURES_MS
    if " by " in name:
        return big.slowest_ms <= BUDGET_SEARCH_MS
    grown_ms = big.database_ms - BUDGET_GROWTH * small.database_ms
    return (
        big.slowest_ms <= BUDGET_QUERY_MS
        and grown_ms <= SLACK_MS
        and big.statements <= BUDGET_STATEMENTS + (name in WITH_A_SEARCH)
    )


def _pages(tenant) -> dict[str, str]:
    """The path of each page, by the name it is shown under."""
    from datetime import timedelta

    from django.utils.timezone import now

    from scripts.bench.crowd import RARE_WORDS
    from telephony.models import Call

    owner, agent, phone = tenant
    # Sixty calls are older: the last page but one.
    deep = Call.objects.for_owner(owner).order_by("pk")[60].pk
    cursor = b64encode(f"p={deep}".encode()).decode()
    first, last = (f"{now() - timedelta(days=days):%Y-%m-%d}" for days in (200, 193))
    return {
        "calls": "/calls",
        "calls, deep": f"/calls?before={deep}",
        "calls of an agent": f"/calls?agent={agent.pk}",
        "calls of a number of ours": f"/calls?phone={phone.pk}",
        "calls of a week": f"/calls?from={first}&to={last}",
        "calls by status": "/calls?status=busy",
        "calls by status, none": "/calls?status=canceled",
        "calls by digits": "/calls?number=0000001",
        "calls by digits, none": "/calls?number=99999999",
        "calls by common words": "/calls?q=appointment",
        "calls by rare words": f"/calls?q={RARE_WORDS}",
        "calls by words, none": "/calls?q=zebra",
        "live calls": "/live",
        "dashboard": "/",
        "agents": "/voice-agents",
        "numbers": "/numbers",
        "prompts": "/prompts",
        "API: calls": "/api/calls",
        "API: calls, deep": f"/api/calls?cursor={cursor}",
        "API: calls by status, none": "/api/calls?status=canceled",
        "API: calls by words, none": "/api/calls?q=zebra",
        "API: active calls": "/api/calls/active",
    }
