"""Several workers count while calls change: nothing is lost or counted twice."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from analytics import rollup
from analytics.figures import Question, by_day
from analytics.models import Series
from analytics.periods import Period
from analytics.tests.histories import utc
from telephony.models import Call
from telephony.tests.calls import make_agent, make_call

pytestmark = pytest.mark.django_db(transaction=True)

NOON = utc("2026-03-07T12:00")
WRITERS, CALLS = 3, 12


def test_workers_at_once_do_no_harm(alice, mallory):
    agents = [make_agent(tenant.workspace) for tenant in (alice, mallory)]

    def write(number):
        try:
            for place in range(CALLS):
                agent = agents[place % 2]
                at = NOON + timedelta(minutes=10 * (place % 4))
                call = make_call(agent.owner, at, agent=agent)
                if place % 3 == number:
                    Call.unscoped.filter(pk=call.pk).update(status="failed")
        finally:
            connection.close()

    def count(number):
        chance = random.Random(number)
        try:
            for _ in range(10):
                rollup.fold(limit_s=chance.random() / 5)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS * 2) as pool:
        work = [pool.submit(write, number) for number in range(WRITERS)]
        work += [pool.submit(count, number) for number in range(WRITERS)]
        for done in work:
            done.result()
    rollup.fold()

    call_command("check_rollup")
    period = Period(NOON.date(), NOON.date(), "UTC")
    for tenant in (alice, mallory):
        (day,) = by_day(Question(tenant.workspace, period), Series.CALLS, "total")
        assert day["total"] == WRITERS * CALLS // 2
