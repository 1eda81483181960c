"""Invented calls: the same again, marked, counted, and no start-up's burden."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Workspace
from agents.models import MessageAgent
from analytics import history, rollup
from analytics.tests.histories import Home, utc
from telephony import samples
from telephony.models import Call, CallCost, Conversation, Message, Turn

pytestmark = pytest.mark.django_db

UNTIL = utc("2026-03-07T12:00")


@pytest.fixture
def plan(alice):
    home = Home(alice.workspace)
    return history.Plan(
        owner=home.owner,
        agents=home.agents,
        phones=home.phones,
        calls=60,
        days=10,
        until=UNTIL,
        zones=("America/Los_Angeles", "Asia/Kolkata"),
    )


def calls(owner):
    return Call.unscoped.filter(owner=owner).order_by("pk")


def test_the_same_plan_makes_the_same_calls(plan):
    columns = ("pk", "started_at", "status", "agent", "from_number", "cost")
    history.make(plan)
    first = list(calls(plan.owner).values_list(*columns))
    said = list(Turn.unscoped.order_by("pk").values_list("text", "reply_ms"))
    Call.unscoped.all().delete()

    history.make(plan)

    assert len(first) == 60
    assert list(calls(plan.owner).values_list(*columns)) == first
    assert list(Turn.unscoped.order_by("pk").values_list("text", "reply_ms")) == said


def test_invented_calls_say_so_and_are_over(plan):
    history.make(plan)

    earliest = UNTIL - timedelta(days=11)
    for call in calls(plan.owner):
        assert call.is_demo and call.model_label == samples.MODEL_LABEL
        assert call.sid.startswith(history.SID_PREFIX)
        assert earliest < call.started_at < call.ended_at < UNTIL
        assert (call.answered_at is None) == (call.duration_s == 0)
        theirs = call.to_number if call.direction == "outgoing" else call.from_number
        assert theirs[5:8] == "555" and "0100" <= theirs[8:] <= "0199"
        parts = CallCost.unscoped.filter(call=call).values_list("amount", flat=True)
        assert (call.cost or 0) == sum(parts)


def test_invented_calls_are_counted(plan, alice):
    history.make(plan)
    rollup.fold()
    call_command("check_rollup")

    query = "from=2026-02-20&to=2026-03-08&timezone=UTC"
    found = alice.api("GET", f"/api/analytics/summary?{query}").json()

    assert found["calls"]["total"] == 60
    assert found["reply_ms"]["count"] > 60


def test_invented_texts_wait_for_nobody(plan, alice):
    agent = MessageAgent.unscoped.first()
    history.make_texts(plan, agent, 20)
    rollup.fold()

    query = "from=2026-02-20&to=2026-03-08&timezone=UTC"
    days = alice.api("GET", f"/api/analytics/messages-by-date?{query}").json()

    assert sum(day["total"] for day in days) == Message.unscoped.count() == 20
    assert set(Conversation.unscoped.values_list("status", "unread_count")) == {
        ("closed", 0)
    }
    for conversation in Conversation.unscoped.exclude(last_message=None):
        assert conversation.last_message.direction == "outgoing"


def test_nobody_is_invented_twice(plan):
    agent = MessageAgent.unscoped.first()

    history.make_texts(plan, agent, 8 * len(plan.numbers))  # 5 texts a conversation

    assert Conversation.unscoped.count() == len(plan.numbers)


def test_the_command_makes_a_workspaces_history_once(alice, mallory):
    for _ in range(2):
        call_command("make_history", workspace=alice.workspace.pk, calls=7, days=3)

    assert calls(alice.workspace).count() == 7
    assert calls(mallory.workspace).count() == 0


def test_the_command_without_a_demo_workspace_does_nothing(db):
    call_command("make_history")

    assert Call.unscoped.count() == 0


@pytest.mark.parametrize("pk", ["x", "01930000-0000-7000-8000-000000000000"])
def test_the_command_refuses_an_unknown_workspace(pk, db):
    with pytest.raises(CommandError, match="no such workspace"):
        call_command("make_history", workspace=pk)


def test_the_command_refuses_an_unknown_zone(alice):
    pk = Workspace.objects.get().pk

    with pytest.raises(CommandError, match="Mars"):
        call_command("make_history", workspace=pk, zone=["Mars/Olympus"])
