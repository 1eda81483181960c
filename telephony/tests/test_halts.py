"""Workspaces from which nothing goes out, and features that are switched off."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from accounts import halts, switches
from accounts.models import AuditEntry, User, Workspace
from accounts.switches import Feature
from agents.models import VoiceAgent
from telephony.models import Call, Message, ScheduledCall
from telephony.services import (
    answering,
    asking,
    campaign_turns,
    campaigns,
    due_calls,
    sending,
    testing,
)
from telephony.tests import test_due_calls
from telephony.tests.campaigns import list_of, make_ready
from telephony.tests.outgoing import calls_at, open_call
from telephony.tests.test_due_calls import make_due, ring, state
from telephony.tests.texting import (
    TEXTER,
    conversation_of,
    make_texting_number,
    sent_to,
    text_in,
    work,
)

pytestmark = pytest.mark.django_db(transaction=True)
Status = ScheduledCall.Status
SUSPENDED = "This workspace is suspended."
OFF = "Outgoing calls are switched off for the moment."

bell, quiet_number = test_due_calls.bell, test_due_calls.quiet_number


@pytest.fixture
def root(db):
    return User.objects.create_superuser("root@example.com", "pw")


def suspend(number, root):
    assert halts.suspend(owner_of(number), reason="Fraud", by=root, at=now())
    if number.agent is not None:
        number.agent = VoiceAgent.unscoped.get(pk=number.agent.pk)  # as pages read it


def owner_of(number):
    return Workspace.objects.get(pk=number.phone.owner_id)


def dial_now(bell):
    ScheduledCall.unscoped.update(next_attempt_at=now())
    ring(bell)


# -- Calls -----------------------------------------------------------------------------


def test_call_for_now_is_refused_and_says_why(quiet_number, carrier, root):
    suspend(quiet_number, root)

    call = open_call(quiet_number)

    assert (call.status, call.end_reason) == (Call.Status.CANCELED, "refused")
    assert (call.decision["decided_by"], call.end_detail) == ("halt", SUSPENDED)
    assert calls_at(carrier, quiet_number) == []


def test_call_that_was_opened_before_is_not_asked_for(quiet_number, carrier, root):
    call = open_call(quiet_number)
    suspend(quiet_number, root)

    assert asking.place(call.pk) is False

    assert calls_at(carrier, quiet_number) == []
    assert Call.unscoped.get().placement == Call.Placement.OPENED


def test_scheduled_call_is_held_and_dialled_when_the_workspace_goes_on(
    quiet_number, bell, carrier, root
):
    row = make_due(quiet_number)
    suspend(quiet_number, root)

    ring(bell)

    assert state(row) == Status.PENDING
    assert row.detail == SUSPENDED
    assert now() < row.next_attempt_at < now() + timedelta(minutes=11)
    assert calls_at(carrier, quiet_number) == []

    halts.resume(owner_of(quiet_number), reason="It was none", by=root)
    dial_now(bell)

    assert len(calls_at(carrier, quiet_number)) == 1


def test_scheduled_call_that_was_held_too_long_says_why_it_expired(
    quiet_number, bell, root
):
    row = make_due(quiet_number)
    suspend(quiet_number, root)
    ring(bell)

    ScheduledCall.unscoped.update(due_at=now() - timedelta(days=1))
    dial_now(bell)

    assert state(row) == Status.EXPIRED
    assert row.detail == "Its time went by while nothing was to go out."


def test_switch_stops_the_calls_of_all_or_of_one(quiet_number, bell, carrier, root):
    row, owner = make_due(quiet_number), owner_of(quiet_number)
    for whose in (None, owner):
        switches.switch_off(Feature.CALLS, whose, reason="Storm", by=root)
        dial_now(bell)
        assert state(row) == Status.PENDING
        assert row.detail == OFF
        switches.switch_on(Feature.CALLS, whose, reason="Over", by=root)
    other = Workspace.objects.create(name="Another")
    switches.switch_off(Feature.CALLS, other, reason="Theirs alone", by=root)
    assert calls_at(carrier, quiet_number) == []

    dial_now(bell)

    assert len(calls_at(carrier, quiet_number)) == 1


def test_running_campaign_waits_and_says_for_what(quiet_number, bell, carrier, root):
    campaign = make_ready(quiet_number, list_of("+16285550111,Ada"))
    campaign = campaigns.start(campaign, by=None)
    switches.switch_off(Feature.CAMPAIGNS, None, reason="Storm", by=root)

    campaign_turns.tick(now())
    ring(bell)

    wait = campaign_turns.wait_of(campaign, now())
    assert wait.words == "Campaigns are switched off for the moment."
    assert calls_at(carrier, quiet_number, "+16285550111") == []

    switches.switch_on(Feature.CAMPAIGNS, None, reason="Over", by=root)
    campaign_turns.tick(now())
    ring(bell)

    assert len(calls_at(carrier, quiet_number, "+16285550111")) == 1


def test_contact_that_was_lent_before_waits_for_its_turn_again(
    quiet_number, bell, carrier, root
):
    campaign = make_ready(quiet_number, list_of("+16285550111,Ada"))
    campaigns.start(campaign, by=None)
    assert campaign_turns.advance(campaign.pk, now()) == 1
    switches.switch_off(Feature.CAMPAIGNS, None, reason="Storm", by=root)

    ring(bell)

    row = ScheduledCall.unscoped.get()
    assert (row.status, row.next_attempt_at) == (Status.PENDING, None)
    assert calls_at(carrier, quiet_number, "+16285550111") == []


def test_workspace_has_no_more_calls_at_once_than_operators_allow(quiet_number):
    Workspace.objects.update(most_calls_at_once=1)
    quiet_number.agent = VoiceAgent.unscoped.get(pk=quiet_number.agent.pk)

    first = open_call(quiet_number, "+16285550121")
    second = open_call(quiet_number, "+16285550122")

    assert first.placement == Call.Placement.OPENED
    assert second.decision["decided_by"] == "calls_at_once"
    assert second.end_detail == (
        "The workspace has all 1 calls that it may have at once."
    )


def test_nobody_calls_in_and_hears_why(number, root):
    suspend(number, root)

    answer, call = number.ring()

    assert "this number takes no calls at the moment" in answer.content.decode()
    assert "<Hangup" in answer.content.decode()
    assert (call.agent, call.end_reason) == (None, "suspended")


def test_call_that_goes_on_goes_on(number, root):
    number.agent.transport = VoiceAgent.Transport.GATHER
    number.agent.save()
    _answer, call = number.ring()
    suspend(number, root)

    path = reverse("webhooks:gather", args=[call.pk]) + "?after=1"
    answer = number.post(path, number.of_call(call, SpeechResult="Are you open?"))

    assert "<Gather" in answer.content.decode()


def test_no_test_call_is_made(number, root, settings):
    settings.SIMULATOR, settings.SIMULATOR_URL = True, "http://127.0.0.1:9"
    suspend(number, root)

    with pytest.raises(testing.CallNotStarted, match=SUSPENDED):
        testing.open_test_call(number.agent)


# -- Texts -----------------------------------------------------------------------------


@pytest.fixture
def texting_number(carrier, settings, db):
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    return make_texting_number(carrier)


def test_no_text_is_taken(texting_number, root):
    suspend(texting_number, root)

    with pytest.raises(sending.Stopped, match=SUSPENDED):
        sending.send(texting_number.phone, TEXTER, body="Hi", by=None, at=now())


def test_text_that_waits_is_not_sent_and_says_why(texting_number, carrier, root):
    text = sending.send(texting_number.phone, TEXTER, body="Hi", by=None, at=now())
    switches.switch_off(Feature.TEXTS, None, reason="Storm", by=root)

    sending.send_waiting(text.conversation_id)

    text.refresh_from_db()
    assert (text.status, text.error_detail) == (
        Message.Status.BLOCKED,
        "Outgoing texts are switched off for the moment.",
    )
    assert sent_to(carrier, texting_number) == []


def test_text_that_comes_in_is_kept_and_not_answered(texting_number, carrier, root):
    suspend(texting_number, root)

    text_in(texting_number, "Are you open?")
    work()

    conversation = conversation_of(texting_number)
    assert conversation.unread_count == 1
    assert sent_to(carrier, texting_number) == []


def test_agent_answers_again_when_the_workspace_goes_on(texting_number, carrier, root):
    suspend(texting_number, root)
    halts.resume(owner_of(texting_number), reason="It was none", by=root)

    text_in(texting_number, "Are you open?")
    answering.pump.run()
    work()

    assert len(sent_to(carrier, texting_number)) == 1


# -- What is written of it -------------------------------------------------------------


def test_suspending_and_resuming_are_done_once_and_written_down(number, root):
    owner = owner_of(number)

    done = [halts.suspend(owner, reason="Fraud", by=root, at=now()) for _ in "12"]
    undone = [halts.resume(owner, reason="It was none", by=root) for _ in "12"]

    assert (done, undone) == ([True, False], [True, False])
    entries = AuditEntry.unscoped.order_by("pk").values_list("action", "changes")
    assert list(entries) == [
        ("suspended", {"reason": [None, "Fraud"]}),
        ("resumed", {"reason": [None, "It was none"]}),
    ]


def test_what_is_off_is_looked_up_seldom(root, django_assert_num_queries):
    switches.forget()
    owner_id = uuid.uuid4()

    with django_assert_num_queries(1):
        assert not any(switches.is_off(Feature.CALLS, owner_id) for _ in range(10))


def test_what_another_process_switches_is_known_soon(root, monkeypatch):
    monkeypatch.setattr(switches, "KEPT_FOR_S", 0)
    switches.forget()
    assert not switches.is_off(Feature.CALLS)

    switches.SwitchedOff.objects.create(feature=Feature.CALLS, reason="Elsewhere")

    assert switches.is_off(Feature.CALLS)
    assert due_calls.tick(now()) == 0
