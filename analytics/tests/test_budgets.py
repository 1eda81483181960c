"""The budget: what the month has cost, who is told of it, and who may change it."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core import mail
from django.db import connections
from django.utils.timezone import now

from accounts.models import AuditEntry, Membership, Workspace
from analytics import rollup
from analytics.budgets import spending
from analytics.tests.histories import utc
from hooks.models import Delivery
from hooks.tests.conftest import make_endpoint
from telephony.models import Budget, BudgetNotice, Call
from telephony.services import budget_notices, budgets
from telephony.tests.calls import make_agent, make_call
from tests.people import join

pytestmark = pytest.mark.django_db

NOON = utc("2026-03-15T12:00")
TERMS = {"amount": "100", "currency": "USD", "warn_percent": 80}
URL = "/settings/budget"


@pytest.fixture(autouse=True)
def frozen():
    with time_machine.travel(NOON, tick=False):
        yield


def keep(owner, at=NOON, **terms):
    usual = {"currency": "USD", "warn_percent": 80, "stops_outgoing": False}
    terms = usual | {"amount": Decimal(100)} | terms
    return spending.keep(owner, at=at, **terms)


def spend(owner, cost, at=NOON, currency="USD"):
    call = make_call(owner, at, cost=cost, currency=currency)
    rollup.fold()
    return call


def spent_of(owner):
    return Budget.unscoped.get(owner=owner).spent


# A month's first and last moment: whole hours, three quarters; the clock changes in
# it (Berlin and Los Angeles in March, Havana on its first midnight of November).
@pytest.mark.parametrize(
    ("zone", "first", "after"),
    [
        ("UTC", "2026-03-01T00:00", "2026-04-01T00:00"),
        ("Europe/Berlin", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("America/Los_Angeles", "2026-03-01T08:00", "2026-04-01T07:00"),
        ("Asia/Kathmandu", "2026-02-28T18:15", "2026-03-31T18:15"),
        ("Pacific/Kiritimati", "2026-02-28T10:00", "2026-03-31T10:00"),
        ("America/Havana", "2026-11-01T04:00", "2026-12-01T05:00"),
    ],
)
def test_month_is_the_workspaces_own(zone, first, after, alice):
    owner = alice.workspace
    owner.timezone = zone
    owner.save()
    begin, end, moment = utc(first), utc(after), timedelta(microseconds=1)
    middle = begin + timedelta(days=9)
    with time_machine.travel(middle, tick=False):
        keep(owner, at=middle)
        for at, cost in (
            (begin - moment, "1"),
            (begin, "2"),
            (end - moment, "4"),
            (end, "8"),
        ):
            spend(owner, cost, at)

        assert spent_of(owner) == 6
        assert budgets.standing_of(owner, middle).until == end
    assert budgets.standing_of(owner, end - moment).spent == 6
    assert budgets.standing_of(owner, end).spent == 0


def test_cost_that_is_told_late_or_corrected_is_followed(alice):
    owner = alice.workspace
    keep(owner)
    call = spend(owner, None)
    assert spent_of(owner) == 0

    Call.unscoped.filter(pk=call.pk).update(cost="120", currency="USD")
    rollup.fold()
    assert spent_of(owner) == 120

    Call.unscoped.filter(pk=call.pk).update(cost="12")
    rollup.fold()
    assert spent_of(owner) == 12
    owner.refresh_from_db()
    assert owner.budget_state_now == ""


def test_what_is_paid_in_another_currency_is_not_counted(alice):
    keep(alice.workspace)
    spend(alice.workspace, "500", currency="EUR")

    assert spent_of(alice.workspace) == 0
    page = alice.client.get(URL)
    assert page.context["month"]["elsewhere"] == [("EUR", Decimal(500))]


# -- Telling ---------------------------------------------------------------------------


def test_each_threshold_is_told_once_by_mail_and_webhook(alice):
    owner = alice.workspace
    admin = join(alice, "ada", Membership.Role.ADMIN)
    join(alice, "mia", Membership.Role.MEMBER)
    make_endpoint(owner)
    keep(owner, stops_outgoing=True)

    for cost in ("79.99", "0.01", "1", "30", "5"):
        spend(owner, cost)
        for _ in range(2):
            budget_notices.send_due(now())

    subjects = [
        f"80 % of the budget of {owner} for March 2026 is spent",
        f"The budget of {owner} for March 2026 is used up",
    ]
    to = sorted([alice.user.email, admin.user.email])
    assert sorted((message.subject, *message.to) for message in mail.outbox) == sorted(
        (subject, address) for subject in subjects for address in to
    )
    assert "/settings/budget" in mail.outbox[0].body
    told = Delivery.unscoped.order_by("pk").values_list("event", flat=True)
    assert list(told) == ["budget.warning", "budget.reached"]
    assert '"spent": "80.000000"' in Delivery.unscoped.order_by("pk")[0].payload


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_tell_of_a_threshold_once(alice):
    keep(alice.workspace)
    make_call(alice.workspace, NOON, cost="90", currency="USD")

    def work():
        rollup.fold()
        budget_notices.send_due(now())
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    work()

    assert BudgetNotice.unscoped.count() == 1
    assert len(mail.outbox) == 1


def test_budget_that_is_raised_warns_anew_and_no_threshold_twice(alice):
    owner = alice.workspace
    keep(owner)
    spend(owner, "100")
    keep(owner, amount=Decimal(120))
    keep(owner)

    assert sorted(BudgetNotice.unscoped.values_list("event", "threshold")) == [
        ("reached", 100),
        ("warning", 96),
    ]


def test_next_month_begins_at_nothing_and_warns_again(alice):
    owner = alice.workspace
    keep(owner)
    spend(owner, "90")
    later = NOON + timedelta(days=31)

    with time_machine.travel(later, tick=False):
        owner.refresh_from_db()
        assert owner.budget_state_now == ""
        assert budgets.standing_of(owner, later).spent == 0
        spend(owner, "85", later)

    months = BudgetNotice.unscoped.order_by("month").values_list("month", flat=True)
    assert [month.isoformat() for month in months] == ["2026-03-01", "2026-04-01"]


@pytest.mark.parametrize(
    ("cost", "stops", "words"),
    [
        ("10", True, ""),
        ("80", True, "Much of this month’s budget is spent"),
        ("100", False, "Nothing is stopped."),
        ("100", True, "Outgoing calls are held"),
    ],
)
def test_pages_say_so_to_those_who_may_change_it(cost, stops, words, alice):
    member = join(alice, "mia", Membership.Role.MEMBER)
    keep(alice.workspace, stops_outgoing=stops)
    spend(alice.workspace, cost)

    page, theirs = (
        one.client.get("/calls").content.decode() for one in (alice, member)
    )

    assert words in page
    assert (f'href="{URL}"' in page.split("<main")[0]) == bool(words)
    assert f'href="{URL}"' not in theirs.split("<main")[0]


# -- Page and API ----------------------------------------------------------------------


def test_page_sets_changes_and_removes_it(alice):
    owner = alice.workspace
    spend(owner, "60")
    assert "No budget is set" in alice.client.get(URL).content.decode()

    bad = alice.client.post(URL, TERMS | {"amount": "0", "currency": "€"})
    assert bad.status_code == 422
    alice.client.post(URL, TERMS | {"currency": "usd", "stops_outgoing": "on"})
    page = alice.client.get(URL)

    assert page.context["month"]["percent"] == 60
    kept = budgets.find(owner)
    assert (kept.amount, kept.currency, kept.stops_outgoing) == (100, "USD", True)
    assert kept.spent == 60
    assert "60 %" in alice.client.get("/costs").content.decode()
    alice.client.post(f"{URL}/remove")
    assert budgets.find(owner) is None
    log = AuditEntry.unscoped.filter(kind="budget").order_by("pk")
    assert [entry.action for entry in log] == ["created", "deleted"]


def test_api_sets_reads_and_removes_it(alice):
    spend(alice.workspace, "100.5")
    none = alice.api("GET", "/api/budget").json()
    assert (none["is_set"], none["amount"]) == (False, None)

    put = alice.api("PUT", "/api/budget", {"amount": "100", "stops_outgoing": True})

    assert put.json() == alice.api("GET", "/api/budget").json()
    assert put.json() == {
        "amount": "100.00",
        "currency": "USD",
        "warn_percent": 80,
        "stops_outgoing": True,
        "is_set": True,
        "month": "2026-03-01",
        "spent": "100.500000",
        "is_stopped": True,
    }
    for body in (
        {},
        {"amount": "0"},
        {"amount": "1", "currency": "$"},
        {"amount": 1e20},
    ):
        assert alice.api("PUT", "/api/budget", body).status_code == 400
    assert alice.api("DELETE", "/api/budget").status_code == 204
    assert alice.api("GET", "/api/budget").json()["is_set"] is False


def test_who_may_only_read_changes_nothing(alice, mallory):
    keep(alice.workspace)
    member = join(alice, "mia", Membership.Role.MEMBER)

    assert member.client.get(URL).status_code == 200
    assert "Save budget" not in member.client.get(URL).content.decode()
    assert member.client.post(URL, TERMS | {"amount": "5"}).status_code == 403
    assert member.client.post(f"{URL}/remove").status_code == 403
    assert member.api("PUT", "/api/budget", {"amount": "5"}).status_code == 403
    assert mallory.api("GET", "/api/budget").json()["is_set"] is False
    mallory.api("DELETE", "/api/budget")
    assert budgets.find(alice.workspace).amount == 100


def test_may_i_call_explains_the_budget(alice):
    """The page and the API show the rule with the others."""
    owner = Workspace.objects.get(pk=alice.workspace.pk)
    keep(owner, stops_outgoing=True)
    spend(owner, "100")
    agent = make_agent(owner)
    query = f"agent_id={agent.pk}&to=%2B14155550100"

    told = alice.api("GET", f"/api/calling-rules/check?{query}").json()

    (found,) = [one for one in told["findings"] if one["rule"] == "budget"]
    assert (found["verdict"], found["later"]) == ("deferred", "2026-04-01T00:00:00Z")
