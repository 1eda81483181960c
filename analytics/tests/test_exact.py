"""Every figure, for any calls, zone and filters, against plain Python over the rows."""

import json
import random
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics import figures, rollup
from analytics.figures import Question
from analytics.models import Change, Series
from analytics.periods import Period
from analytics.tests.histories import (
    Home,
    costs_of,
    costs_of_text,
    counted,
    moments,
    money,
    random_call,
    random_text,
    talk_s,
    times,
    utc,
)
from telephony.models import Call, CallCost, Message, TextCost, Turn

pytestmark = pytest.mark.django_db

PARTS = ("carrier", "model", "analysis", "other", "texts_carrier", "texts_model")

# Whole hours, 30 and 45 minutes; days of 23, 23.5, 24, 24.5 and 25 hours; the clock
# changed at midnight, at one and at two; both ends of the world.
PLACES = (
    ("UTC", "2026-02-27"),
    ("America/Los_Angeles", "2026-03-07"),
    ("America/Los_Angeles", "2026-10-31"),
    ("Europe/Berlin", "2026-03-28"),
    ("Asia/Kolkata", "2026-12-30"),
    ("Asia/Kathmandu", "2026-05-30"),
    ("Pacific/Chatham", "2026-04-03"),
    ("Australia/Lord_Howe", "2026-10-02"),
    ("Atlantic/Azores", "2026-10-24"),
    ("America/Havana", "2026-10-31"),
    ("America/St_Johns", "2026-03-07"),
    ("Pacific/Kiritimati", "2026-01-30"),
    ("Pacific/Pago_Pago", "2026-01-30"),
)


@pytest.fixture
def home(alice, mallory):
    """Alice's, and a neighbour whose calls are nobody else's."""
    home = Home(alice.workspace)
    other, chance = Home(mallory.workspace, "+1415555015"), random.Random(1)
    for at, _ in zip(moments(utc("2026-03-07"), 3, chance), range(5), strict=False):
        random_call(other, at, chance)
        random_text(other, at, chance)
    return home


@pytest.mark.parametrize(("zone", "around"), PLACES)
def test_every_endpoint_says_what_plain_python_counts(zone, around, home, alice):
    chance = random.Random(f"{zone} {around}")
    start = utc(around) - timedelta(days=1)
    for at, _ in zip(moments(start, 6, chance), range(40), strict=False):
        random_call(home, at, chance)
        random_text(home, at, chance)
    rollup.fold()
    first = utc(around).date()

    for query in queries(home, chance, first, zone):
        hold(alice, home, query)


def test_months_are_read_whole_only_where_nothing_was_counted_after(home, alice):
    chance = random.Random(5)
    for at, _ in zip(moments(utc("2026-03-01"), 3, chance), range(30), strict=False):
        random_call(home, at, chance)
        random_text(home, at, chance)
    rollup.fold()

    months = {"from": date(2026, 1, 20), "timezone": "America/Los_Angeles"}
    for filters in ({}, {"agent_id": home.agents[0].pk}):
        for day in (1, 2, 3, 4):  # the last calls of UTC are on the evening of the 3rd
            hold(alice, home, months | {"to": date(2026, 3, day)} | filters)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), place=st.sampled_from(PLACES))
def test_figures_follow_whatever_happens_to_calls(seed, place, home, alice):
    """Corrected, ended late, erased, counted again at any time: they stay right."""
    zone, around = place
    chance = random.Random(seed)
    start = utc(around) - timedelta(days=1)
    happenings = [happen for happen in HAPPENINGS for _ in range(3)]
    chance.shuffle(happenings)
    with transaction.atomic():
        for at, happen in zip(moments(start, 5, chance), happenings, strict=False):
            happen(home, at, chance)
            if chance.random() < 0.3:
                rollup.fold()
        rollup.fold()

        call_command("check_rollup", workspace=home.owner.pk)
        for query in queries(home, chance, utc(around).date(), zone):
            hold(alice, home, query)
        transaction.set_rollback(True)  # the next example begins as this one did


# -- What happens ----------------------------------------------------------------------


def begin(home, at, chance):
    random_call(home, at, chance)
    random_text(home, at, chance)


def correct(home, at, chance):
    of_one(home, Call).update(
        status=chance.choice(["failed", "completed"]), duration_s=chance.randrange(99)
    )
    of_one(home, Message).update(status="delivered", segments=9)


def move(home, at, chance):
    of_one(home, Call).update(started_at=at, agent=home.agents[0])


def end(home, at, chance):
    of_one(home, Call).update(ended_at=at, status="completed")


def open_again(home, at, chance):
    of_one(home, Call).update(ended_at=None, status="in-progress")


def say_late(home, at, chance):
    Turn.unscoped.filter(call__in=of_one(home, Call)).update(reply_ms=440)


def price(home, at, chance):
    """Told late, or corrected, a text's too."""
    for call in of_one(home, Call):  # none where all are erased
        CallCost.unscoped.update_or_create(
            owner=home.owner,
            call=call,
            part="carrier",
            defaults={"amount": Decimal(chance.randrange(9)), "currency": "EUR"},
        )
        Call.unscoped.filter(pk=call.pk).update(cost=1, currency="EUR")
    texts = of_one(home, Message)
    texts.update(cost=Decimal("2.5"), currency="USD")
    TextCost.unscoped.filter(owner=home.owner).update(amount=2, currency="USD")


def erase(home, at, chance):
    of_one(home, Call).delete()
    of_one(home, Message).delete()


def count_all_again(home, at, chance):
    for series in ("calls", "texts"):
        Change.objects.create(
            series=series, owner_id=home.owner.pk, at=at, is_whole_day=True
        )


HAPPENINGS = (
    *(begin, begin, begin, correct, move, end, open_again),
    *(say_late, price, erase, count_all_again),
)


def of_one(home, model):
    """The middle one, as rows to change."""
    rows = model.unscoped.filter(owner=home.owner).order_by("pk")
    found = list(rows.values_list("pk", flat=True))
    return rows.model.unscoped.filter(pk__in=found[len(found) // 2 :][:1])


# -- Questions, and their answers by Python --------------------------------------------


def queries(home, chance, first, zone):
    plain = {"from": first, "to": first + timedelta(days=3), "timezone": zone}
    one_day = {"from": first, "to": first, "timezone": zone}
    filters = {
        "agent_id": home.agents[0].pk,
        "phone_id": home.phones[0].pk,
        "direction": chance.choice(["incoming", "outgoing"]),
    }
    some = dict(chance.sample(sorted(filters.items()), 2))
    return [plain, one_day | some, plain | dict([chance.choice([*filters.items()])])]


def hold(alice, home, query):
    """Ask every endpoint, and compare."""
    calls = [call for call in wanted(home, Call, query) if counted(call)]
    days = days_of(query)
    assert ask(alice, "calls-by-date", query) == [
        {
            "date": day.isoformat(),
            "total": len(of_day),
            "answered": sum(call.answered_at is not None for call in of_day),
            "failed": sum(call.status == "failed" for call in of_day),
            "minutes": round(talk_s(of_day) / 60, 2),
            **money(map(costs_of, of_day)),
        }
        for day in days
        for of_day in [[call for call in calls if local(call, query).date() == day]]
    ]
    assert ask(alice, "calls-by-hour", query) == [
        {
            "hour": hour,
            "total": len(of_hour),
            "answered": sum(call.answered_at is not None for call in of_hour),
        }
        for hour in range(24)
        for of_hour in [[call for call in calls if local(call, query).hour == hour]]
    ]
    agents = [a for a in home.agents if query.get("agent_id") in (None, a.pk)]
    rows = [of_agent(a, [c for c in calls if c.agent_id == a.pk]) for a in agents]
    assert ask(alice, "agent-summary", query) == sorted(
        rows, key=lambda row: (-row["total"], row["name"])
    )
    asked = Question(
        alice.workspace,
        Period(query["from"], query["to"], query["timezone"]),
        query.get("agent_id"),
        query.get("phone_id"),
        query.get("direction", ""),
    )
    hold_charts(asked, query, calls, days)
    summary = ask(alice, "summary", query)
    assert summary["calls"]["total"] == len(calls)
    assert summary["calls"]["minutes"] == round(talk_s(calls) / 60, 2)
    assert summary["reply_ms"] == times(replies_of(calls))
    for name, value in (("statuses", "status"), ("end_reasons", "end_reason")):
        found = Counter(getattr(call, value) for call in calls)
        found.pop("", None)
        assert {row["name"]: row["total"] for row in summary[name]} == found
    parts = sum((costs_of(call) for call in calls), Counter())
    told = {
        (row["part"], row["currency"]): row["amount"]
        for row in summary["spend"]
        if row["part"] != "texts"
    }
    assert told == {key: f"{amount:.6f}" for key, amount in parts.items() if amount}
    if "agent_id" in query:
        assert summary["versions"] == [
            {
                "version": version,
                **times(replies_of(of_version)),
                "calls": len(of_version),
                "answered": sum(c.answered_at is not None for c in of_version),
                "costs": money(map(costs_of, of_version))["costs"],
            }
            for version in (None, 1, 2)
            if (of_version := [c for c in calls if c.prompt_version == version])
        ]
    hold_texts(alice, home, query, summary)
    hold_costs(alice, home, query, calls)


def hold_costs(alice, home, query, calls):
    """In all, and by day, agent and number."""
    texts = [] if "agent_id" in query else wanted(home, Message, query)
    sides = (calls, texts)
    assert ask(alice, "costs", query | {"by": "date"}) == [
        row | {"date": day.isoformat()}
        for day in days_of(query)
        for row in spent(
            *([r for r in rows if local(r, query).date() == day] for rows in sides)
        )
    ]
    assert ask(alice, "costs", query | {"by": "total"}) == spent(*sides)
    for by, names in (("agent", "agent_id"), ("phone", "phone_id")):
        told = [
            row | {names: key and str(key)}
            for key in {getattr(row, names) for row in (*calls, *texts)}
            for row in spent(
                *([r for r in rows if getattr(r, names) == key] for rows in sides)
            )
        ]
        found = ask(alice, "costs", query | {"by": by})
        amounts = [Decimal(row["amount"]) for row in found]
        assert amounts == sorted(amounts, reverse=True)
        nameless = [row | {"name": ""} for row in found]
        assert sorted(nameless, key=str) == sorted(told, key=str)


def spent(calls, texts):
    """A row for each currency, the one with the most first."""
    parts = Counter()
    for costs in (*map(costs_of, calls), *map(costs_of_text, texts)):
        parts.update(costs)
    in_each = {}
    for (part, currency), amount in parts.items():
        if amount:
            in_each.setdefault(currency, {})[part] = amount
    answered, minutes = [c for c in calls if c.answered_at], Decimal(talk_s(calls)) / 60
    ordered = sorted(in_each, key=lambda name: (-sum(in_each[name].values()), name))
    return [
        {
            **{"date": None, "agent_id": None, "phone_id": None, "name": ""},
            "currency": currency,
            "amount": f"{sum(known.values()):.6f}",
            **{part: f"{known.get(part, 0):.6f}" for part in PARTS},
            "calls": len(calls),
            "answered": len(answered),
            "minutes": round(talk_s(calls) / 60, 2),
            "texts": len(texts),
            "average_call": f"{of_calls / len(answered):.6f}" if answered else None,
            "average_minute": f"{of_calls / minutes:.6f}" if minutes else None,
        }
        for currency in ordered or [""]
        for known in [in_each.get(currency, {})]
        for of_calls in [
            sum((known[p] for p in known if not p.startswith("texts")), Decimal(0))
        ]
    ]


def hold_charts(asked, query, calls, days):
    """What the dashboard charts and no endpoint tells."""
    hours = Counter(
        24 * local(call, query).weekday() + local(call, query).hour for call in calls
    )
    line = figures.timelines(asked, "total")["total"]
    assert line.by_hour_of_week() == [hours[hour] for hour in range(168)]
    agents = {call.agent_id for call in calls} - {None}
    assert figures.by_day_of_agents(asked, agents) == {
        agent: [
            sum(c.agent_id == agent and local(c, query).date() == day for c in calls)
            for day in days
        ]
        for agent in agents
    }
    outcomes = [
        tally.get("outcomes", {})
        for tally in figures.by_day(asked, Series.CALLS, "outcomes")
    ]
    assert outcomes == [
        Counter(
            call.after_call.outcome
            for call in calls
            if local(call, query).date() == day
            and hasattr(call, "after_call")
            and call.after_call.outcome
        )
        for day in days
    ]


def hold_texts(alice, home, query, summary):
    query = {name: value for name, value in query.items() if name != "agent_id"}
    texts = wanted(home, Message, query)
    asked = ask(alice, "messages-by-date", query)
    assert asked == [
        {
            "date": day.isoformat(),
            "total": len(of_day),
            "incoming": sum(text.is_incoming for text in of_day),
            "outgoing": sum(not text.is_incoming for text in of_day),
            "delivered": sum(text.status in Message.ARRIVED for text in of_day),
            "failed": sum(text.status in Message.NOT_SENT for text in of_day),
            "segments": sum(text.segments for text in of_day),
            **money({t.currency: t.cost} for t in of_day if t.cost is not None),
        }
        for day in days_of(query)
        for of_day in [[text for text in texts if local(text, query).date() == day]]
    ]
    if summary["texts"] is not None:
        assert summary["texts"] == {
            name: sum(row[name] for row in asked) for name in summary["texts"]
        }


def ask(alice, name, query):
    answer = alice.api("GET", f"/api/analytics/{name}?{urlencode(query)}")
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def days_of(query):
    length = (query["to"] - query["from"]).days + 1
    return [query["from"] + timedelta(days=n) for n in range(length)]


def local(row, query):
    at = row.started_at if isinstance(row, Call) else row.created_at
    return at.astimezone(ZoneInfo(query["timezone"]))


def wanted(home, model, query):
    related = ("after_call",) if model is Call else ("conversation",)
    rows = model.unscoped.filter(owner=home.owner).select_related(*related)
    return [
        row
        for row in rows
        if query["from"] <= local(row, query).date() <= query["to"]
        and query.get("agent_id") in (None, row.agent_id)
        and query.get("phone_id") in (None, row.phone_id)
        and query.get("direction") in (None, row.direction)
    ]


def of_agent(agent, calls):
    answered = [call for call in calls if call.answered_at]
    last = max((call.started_at for call in calls), default=None)
    return {
        "agent_id": str(agent.pk),
        "name": agent.name,
        "total": len(calls),
        "incoming": sum(call.direction == "incoming" for call in calls),
        "outgoing": sum(call.direction == "outgoing" for call in calls),
        "answered": len(answered),
        "answer_rate": round(len(answered) / len(calls), 4) if calls else None,
        "average_duration_s": round(talk_s(answered) / len(answered))
        if answered
        else None,
        "minutes": round(talk_s(calls) / 60, 2),
        "last_call_at": last and last.isoformat().replace("+00:00", "Z"),
        "reply_p50_ms": times(replies_of(calls))["p50"],
        "reply_p95_ms": times(replies_of(calls))["p95"],
        **money(map(costs_of, calls)),
    }


def replies_of(calls):
    rows = Turn.unscoped.filter(call__in=list(calls), reply_ms__isnull=False)
    return list(rows.values_list("reply_ms", flat=True))
