"""The dashboard: what to do next, what goes on now."""

import pytest

from agents.models import VoiceAgent
from analytics import rollup
from analytics.services import onboarding_steps
from telephony.models import Call, CarrierAccount, Phone
from telephony.tests.calls import (
    make_agent,
    make_call,
    make_live_call,
    make_phone,
    make_turn,
)

pytestmark = pytest.mark.django_db


def states(owner):
    return [step.state for step in onboarding_steps(owner)]


def test_steps_follow_what_the_workspace_has(alice, mallory):
    owner = alice.workspace
    make_phone(mallory.workspace, "+14155550199")
    make_call(mallory.workspace, agent=make_agent(mallory.workspace), is_test=True)
    make_call(mallory.workspace)

    seen = [states(owner)]
    make_agent(owner)
    seen.append(states(owner))
    make_phone(owner)
    seen.append(states(owner))
    make_call(owner, is_test=True)
    seen.append(states(owner))
    make_call(owner)
    seen.append(states(owner))

    assert seen == [
        ["current", "todo", "todo", "todo", "todo"],
        ["done", "current", "todo", "todo", "todo"],
        ["done", "current", "done", "done", "todo"],
        ["done", "done", "done", "done", "current"],
        ["done", "done", "done", "done", "done"],
    ]


def test_steps_come_back_when_their_rows_are_put_away(alice):
    make_agent(alice.workspace)
    make_phone(alice.workspace)
    for model in (VoiceAgent, Phone, CarrierAccount):
        model.unscoped.get().put_away()

    assert states(alice.workspace) == ["current", "todo", "todo", "todo", "todo"]


def test_checklist_links_to_what_is_next_and_goes_when_all_is_done(alice):
    before = alice.client.get("/").content.decode()
    make_phone(alice.workspace)
    make_call(alice.workspace, agent=make_agent(alice.workspace))
    make_call(alice.workspace, is_test=True)
    after = alice.client.get("/").content.decode()

    assert "0 of 5 done" in before
    assert 'href="/voice-agents/new"' in before
    assert "Get your first agent live" not in after


def test_tiles_say_the_figures_in_words(alice):
    make_call(alice.workspace, duration_s=3_725)
    make_call(alice.workspace, answered_at=None, duration_s=0)
    rollup.fold()

    shown = alice.client.get("/").content.decode()

    assert "1 h 2 min" in shown
    assert "50 %" in shown
    assert "times in UTC" in shown


def test_recent_and_live_calls_are_the_workspaces_own(alice, mallory):
    calls = [make_call(alice.workspace) for _ in range(9)]
    live = make_live_call(alice.workspace)
    make_live_call(mallory.workspace)

    page = alice.client.get("/")

    shown = page.content.decode().split("Recent calls")[-1]
    recent = [call.pk for call in page.context["recent_calls"]]
    assert recent == [live.pk, *(call.pk for call in reversed(calls[2:]))]
    assert list(page.context["live_calls"]) == [live]
    assert page.context["live_count"] == 1
    assert shown.count('href="/calls/') == 8


def test_live_card_refreshes_by_itself(alice):
    make_live_call(alice.workspace, from_number="+14155550177")

    shown = alice.client.get("/dashboard/live").content.decode()

    assert 'hx-get="/dashboard/live"' in shown
    assert "+1 415-555-0177" in shown
    assert "<html" not in shown


def test_dashboard_costs_the_same_few_statements(
    alice, settings, django_assert_max_num_queries
):
    settings.USERSESSIONS_TRACK_ACTIVITY = False
    for _ in range(10):
        make_turn(make_live_call(alice.workspace), 1, "Yes", reply_ms=5)
        make_turn(make_call(alice.workspace), 1, "Yes", reply_ms=5)
    rollup.fold()
    alice.client.get("/")

    with django_assert_max_num_queries(22):
        alice.client.get("/")

    assert Call.unscoped.count() == 20
