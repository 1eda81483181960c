"""Running campaigns: how they lend, dial, pause, stop and end."""

import threading
import uuid
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core import mail
from django.db import connections
from django.utils.timezone import now

from accounts.models import Membership
from agents.models import VoiceAgent
from telephony import tasks
from telephony.models import (
    Call,
    CallingRules,
    Campaign,
    CampaignEvent,
    CarrierAccount,
    DialledDay,
)
from telephony.models import Contact as Known
from telephony.models import ScheduledCall as Contact
from telephony.services import (
    asking,
    campaign_notices,
    campaign_results,
    campaign_turns,
    campaigns,
    contacts,
    due_calls,
    pacing,
    scheduled,
)
from telephony.tests.campaigns import list_of, long_list, make_ready
from telephony.tests.conftest import make_number
from telephony.tests.outgoing import (
    BUSY,
    CALLEE,
    NOT_REACHED,
    allow_always,
    calls_at,
    make_placing_number,
)
from tests.people import make_tenant
from tests.processes import WITHIN_S, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Status, Placement = Campaign.Status, Call.Placement


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(asking, "PAUSES_S", ())


@pytest.fixture
def bell(monkeypatch):
    """The batches that a tick sends to the workers, kept instead."""
    batches = []
    monkeypatch.setattr(tasks.dial_batch, "delay", batches.append)
    return batches


@pytest.fixture
def quiet_number(carrier, settings, db):
    """Its calls are placed, and no callback ever finds us."""
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    return make_placing_number(carrier)


@pytest.fixture
def number(db):
    number = make_number(direction=VoiceAgent.Direction.BOTH)
    allow_always(number.phone.owner)
    return number


def start(number, text, **fields):
    return campaigns.start(make_ready(number, text, **fields), by=None)


def ring(bell, at=None):
    """One bell: what campaigns lend is dialled."""
    campaign_turns.tick(at or now())
    dial(bell, at)


def dial(bell, at=None):
    due_calls.tick(at or now())
    while bell:
        due_calls.dial_batch(uuid.UUID(bell.pop(0)))


def tally(campaign):
    return campaigns.counts(campaign)


def status_of(campaign):
    campaign.refresh_from_db()
    return campaign.status


def log_of(campaign):
    events = CampaignEvent.unscoped.filter(campaign=campaign).order_by("pk")
    return [event.sentence for event in events]


def lent(campaign):
    return Contact.unscoped.filter(campaign=campaign).lent().count()


def end(row, status, reason, at=None):
    """An attempt of a contact that was asked for and is over."""
    Contact.unscoped.filter(pk=row.pk).update(
        attempts_made=1, status=status, next_attempt_at=None, updated_at=at or now()
    )
    return Call.unscoped.create(
        owner_id=row.owner_id,
        agent_id=row.agent_id,
        scheduled_call=row,
        attempt=1,
        direction="outgoing",
        status=status,
        end_reason=reason,
        placement=Placement.PLACED,
        asked_at=at or now(),
        ended_at=at or now(),
        to_number=row.to_number,
    )


# -- The whole way ---------------------------------------------------------------------


def test_campaign_is_dialled_to_its_end_and_tells_the_results(live, carrier, bell):
    number = make_placing_number(carrier)
    text = list_of(f"{CALLEE},Ada", f"{BUSY},Bob", f"{NOT_REACHED},Cy")
    campaign = start(number, text, max_attempts=1)

    def is_over():
        ring(bell)
        return status_of(campaign) == Status.COMPLETED

    wait_until(is_over, WITHIN_S, "the campaign is over")
    live.wait_until_idle()

    assert tally(campaign) == {"completed": 1, "busy": 1, "failed": 1}
    assert len(calls_at(carrier, number)) == 1
    assert log_of(campaign)[-2:] == [
        "VoiceOps started it, with 3 contacts.",
        "All contacts have been called.",
    ]
    heading, *rows = campaign_results.rows(campaign)
    told = [dict(zip(heading, row, strict=True)) for row in rows]
    assert [(row["line"], row["status"], row["attempts"]) for row in told] == [
        (2, "completed", 1),
        (3, "busy", 1),
        (4, "failed", 1),
    ]
    assert told[0]["last_call_id"] == Call.unscoped.get(to_number=CALLEE).pk
    assert [row["patient_name"] for row in told] == ["Ada", "Bob", "Cy"]


def test_retry_waits_for_its_time_and_its_turn(live, carrier, bell):
    number = make_placing_number(carrier)
    campaign = start(number, list_of(f"{BUSY},Bob"), max_attempts=2)
    ring(bell)
    wait_until(
        lambda: tally(campaign) == {"pending": 1} and Call.unscoped.get().has_ended,
        WITHIN_S,
        "it was busy",
    )

    (row,) = Contact.unscoped.filter(campaign=campaign)
    assert row.due_at == Call.unscoped.get().ended_at + timedelta(minutes=30)
    assert row.next_attempt_at is None
    ring(bell, row.due_at - timedelta(seconds=1))
    assert Call.unscoped.count() == 1
    assert status_of(campaign) == Status.RUNNING
    campaign_turns.tick(row.due_at)
    row.refresh_from_db()
    assert row.next_attempt_at is not None


# -- Lending ---------------------------------------------------------------------------


def test_campaign_lends_no_more_than_can_be_dialled(number):
    campaign = start(number, long_list(50))

    campaign_turns.tick(now())
    campaign_turns.tick(now())

    # One call a second, until the next bell but one.
    assert lent(campaign) == 2 * due_calls.TICK_S


def test_campaign_lends_no_more_than_there_are_lines(number):
    account = number.account
    account.calls_per_second, account.max_concurrent_calls = 100, 5
    account.save()

    campaign = start(number, long_list(50))
    campaign_turns.tick(now())

    assert lent(campaign) == 4  # one is kept for calls that come in


def test_two_campaigns_of_an_account_share_its_rate(number):
    first, second = start(number, long_list(50)), start(number, long_list(50))

    campaign_turns.tick(now())

    assert lent(first) + lent(second) == 2 * due_calls.TICK_S


def test_contacts_where_it_is_night_wait_for_their_day_and_hold_up_nobody(number):
    CarrierAccount.unscoped.update(calls_per_second=10)
    rules = {"window_start": time(8), "window_end": time(21)}
    CallingRules.unscoped.update(**rules)
    rows = [f"+1628555{place:04},Ada" for place in range(20)]  # Los Angeles
    rows += [f"+1212555{place:04},Eve" for place in range(3)]  # New York
    campaign = start(number, list_of(*rows))
    at = datetime(2130, 1, 9, 13, 30, tzinfo=UTC)  # 8:30 in New York, 5:30 there
    Contact.unscoped.update(due_at=at)

    campaign_turns.tick(at)

    due = Contact.unscoped.filter(campaign=campaign).lent()
    assert {row.variables["patient_name"] for row in due} == {"Eve"}
    west = Contact.unscoped.filter(campaign=campaign).waiting()
    assert {row.due_at for row in west} == {datetime(2130, 1, 9, 16, tzinfo=UTC)}
    assert "Next time: " in west[0].detail


def test_contact_waits_for_the_day_where_it_is_unless_the_list_says_otherwise(number):
    CallingRules.unscoped.update(window_start=time(8), window_end=time(21))
    here, listed = "+12125550100", "+12125550101"  # New York
    for known in (here, listed):
        contact = Known(
            owner=number.phone.owner, number=known, timezone="Pacific/Honolulu"
        )
        contacts.save(contact, at=now())
    rows = (f"{here},Ada,", f"{listed},Eve,America/New_York")
    campaign = start(number, list_of(*rows, heading="to,patient_name,timezone"))
    at = datetime(2130, 1, 9, 17, tzinfo=UTC)  # 12:00 in New York, 7:00 in Honolulu
    Contact.unscoped.update(due_at=at)

    campaign_turns.tick(at)

    (due,) = Contact.unscoped.filter(campaign=campaign).lent()
    (waiting,) = Contact.unscoped.filter(campaign=campaign).waiting()
    assert (due.to_number, waiting.to_number) == (listed, here)
    assert waiting.due_at == datetime(2130, 1, 9, 18, tzinfo=UTC)


def test_nothing_is_lent_beyond_the_days_calls(number):
    allow_always(number.phone.owner, calls_a_day=2)
    campaign = start(number, long_list(5))

    campaign_turns.tick(now())
    assert lent(campaign) == 2
    DialledDay.unscoped.create(owner=campaign.owner, day=now().date(), calls=2)
    Contact.unscoped.filter(campaign=campaign).lent().update(status="completed")
    campaign_turns.tick(now())

    assert lent(campaign) == 0
    wait = campaign_turns.wait_of(campaign, now())
    assert wait.words == "All 2 calls that may be placed have been placed."
    assert wait.until > now()


# -- Pausing ---------------------------------------------------------------------------


def test_pause_takes_back_what_was_lent_and_resume_goes_on(quiet_number, bell, carrier):
    campaign = start(quiet_number, list_of(f"{CALLEE},Ada"))
    campaign_turns.tick(now())

    campaigns.pause(campaign, by=None)
    dial(bell)
    assert (lent(campaign), Call.unscoped.count()) == (0, 0)

    campaigns.resume(campaign, by=None)
    ring(bell)
    assert len(calls_at(carrier, quiet_number)) == 1


def test_contact_that_was_claimed_before_the_pause_is_not_asked_for(
    quiet_number, bell, carrier
):
    campaign = start(quiet_number, list_of(f"{CALLEE},Ada"))
    campaign_turns.tick(now())
    due_calls.tick(now())
    assert tally(campaign) == {"dialing": 1}

    campaigns.pause(campaign, by=None)
    due_calls.dial_batch(uuid.UUID(bell.pop()))

    assert calls_at(carrier, quiet_number) == []
    (row,) = Contact.unscoped.filter(campaign=campaign)
    assert (row.status, row.next_attempt_at) == ("pending", None)


def test_call_that_was_opened_before_the_pause_is_not_asked_for(
    quiet_number, bell, carrier, monkeypatch
):
    campaign = start(quiet_number, list_of(f"{CALLEE},Ada"))
    campaign_turns.tick(now())
    take_turns = pacing.take_turns

    def pause_first(*given):
        campaigns.pause(campaign, by=None)
        return take_turns(*given)

    with monkeypatch.context() as patch:
        patch.setattr(pacing, "take_turns", pause_first)
        dial(bell)

    assert calls_at(carrier, quiet_number) == []
    (call,) = Call.unscoped.all()
    assert (call.status, call.placement) == ("canceled", Placement.NOT_PLACED)
    (row,) = Contact.unscoped.filter(campaign=campaign)
    assert (row.status, row.next_attempt_at) == ("pending", None)

    campaigns.resume(campaign, by=None)
    ring(bell)
    assert len(calls_at(carrier, quiet_number)) == 1


def test_no_call_is_asked_for_after_the_pause_is_stored(
    quiet_number, bell, carrier, monkeypatch
):
    """While sixteen are dialled side by side, somebody pauses."""
    quiet_number.account.max_concurrent_calls = 50
    quiet_number.account.save()
    campaign = start(quiet_number, long_list(16))
    campaign_turns.tick(now())
    due_calls.tick(now())
    stored_at, asked_at = [], []
    request_of = asking._request_of
    some_were_asked = threading.Event()

    def note(call):
        asked_at.append(call.asked_at)
        if len(asked_at) >= 3:
            some_were_asked.set()
        return request_of(call)

    def pause():
        some_were_asked.wait(WITHIN_S)
        campaigns.pause(campaign, by=None)
        stored_at.append(now())
        connections.close_all()

    monkeypatch.setattr(asking, "_request_of", note)
    pausing = threading.Thread(target=pause)
    pausing.start()
    while bell:
        due_calls.dial_batch(uuid.UUID(bell.pop(0)))
    pausing.join()

    assert len(asked_at) >= 3
    assert all(at <= stored_at[0] for at in asked_at)
    asked = Call.unscoped.filter(placement=Placement.PLACED).count()
    assert asked == len(asked_at)
    rows = Contact.unscoped.filter(campaign=campaign, status="pending")
    assert rows.count() == 16 - asked


def test_reader_sees_no_contact_of_a_paused_campaign_as_due(number):
    campaign = start(number, long_list(10))
    campaign_turns.tick(now())
    campaigns.pause(campaign, by=None)

    assert not Contact.unscoped.due(now() + timedelta(days=30)).exists()


def test_canceled_contact_that_is_being_dialled_is_canceled(quiet_number, bell):
    campaign = start(quiet_number, list_of(f"{CALLEE},Ada"))
    campaign_turns.tick(now())
    due_calls.tick(now())

    campaigns.cancel(campaign, by=None)
    due_calls.dial_batch(uuid.UUID(bell.pop()))

    assert tally(campaign) == {"canceled": 1}


# -- Stopping by itself ----------------------------------------------------------------


def rows_of(campaign):
    return list(Contact.unscoped.filter(campaign=campaign).order_by("line"))


@pytest.mark.parametrize(("failed", "stops"), [(5, True), (4, False)])
def test_half_of_the_latest_calls_failing_stops_it(number, failed, stops):
    campaign = start(number, long_list(20))
    for place, row in enumerate(rows_of(campaign)[:10]):
        is_failed = place < failed
        reason = "not_reached" if is_failed else "caller_hung_up"
        end(row, "failed" if is_failed else "completed", reason)

    campaign_turns.tick(now())

    campaign.refresh_from_db()
    assert campaign.status == (Status.PAUSED if stops else Status.RUNNING)
    if stops:
        assert campaign.pause_reason.startswith("5 of the 10 calls")
        assert log_of(campaign)[-1].startswith("It was paused by itself: 5 of the 10")
        assert lent(campaign) == 0


@pytest.mark.parametrize("reason", ["busy", "no_answer"])
def test_people_who_do_not_answer_are_no_failure(number, reason):
    campaign = start(number, long_list(20))
    for row in rows_of(campaign)[:15]:
        end(row, reason.replace("_", "-"), reason)

    campaign_turns.tick(now())

    assert status_of(campaign) == Status.RUNNING


def test_few_calls_and_old_calls_stop_nothing(number):
    campaign = start(number, long_list(30))
    Campaign.unscoped.update(running_since=now() - timedelta(hours=1))
    rows = rows_of(campaign)
    for row in rows[:9]:
        end(row, "failed", "rejected")
    for row in rows[9:20]:
        end(row, "failed", "rejected", at=now() - timedelta(seconds=130))

    campaign_turns.tick(now())

    assert status_of(campaign) == Status.RUNNING


def test_after_resuming_only_new_calls_count(number):
    campaign = start(number, long_list(30))
    for row in rows_of(campaign)[:10]:
        end(row, "failed", "rejected")
    campaign_turns.tick(now())
    assert status_of(campaign) == Status.PAUSED

    campaigns.resume(campaign, by=None)
    campaign_turns.tick(now())

    assert status_of(campaign) == Status.RUNNING


def test_carrier_that_refuses_every_call_stops_it(quiet_number, bell):
    account = quiet_number.account
    account.max_concurrent_calls, account.auth_token = 50, "not this one any more"
    account.save()
    campaign = start(quiet_number, long_list(400), max_attempts=1)

    for _bell in range(5):
        ring(bell)

    assert status_of(campaign) == Status.PAUSED
    counts = tally(campaign)
    assert counts["failed"] >= campaign_turns.BREAKER_CALLS
    assert counts["pending"] > 0


def test_agent_that_is_switched_off_stops_it_at_once(number):
    campaign = start(number, long_list(30))
    VoiceAgent.unscoped.update(is_active=False)

    campaign_turns.tick(now())

    campaign.refresh_from_db()
    assert campaign.status == Status.PAUSED
    assert "is not active" in campaign.pause_reason
    assert tally(campaign) == {"pending": 30}


def test_those_who_answer_for_the_workspace_are_told_once(number):
    alice = make_tenant("alice")
    Membership.objects.create(
        workspace=number.phone.owner, user=alice.user, role=Membership.Role.OWNER
    )
    campaign = start(number, long_list(3), name="Spring\nrecall")
    VoiceAgent.unscoped.update(is_active=False)
    campaign_turns.tick(now())

    assert campaign_notices.send_due(now()) == 1
    assert campaign_notices.send_due(now()) == 0

    (message,) = mail.outbox
    assert message.to == [alice.user.email]
    assert "Spring recall" in message.subject
    assert "is not active" in message.body
    assert str(campaign.pk) in message.body


# -- After its end ---------------------------------------------------------------------


def test_unknown_call_that_a_person_has_dialled_again_reopens_it(number):
    campaign = start(number, long_list(1))
    (row,) = rows_of(campaign)
    Contact.unscoped.filter(pk=row.pk).update(status="unknown", attempts_made=1)
    campaign_turns.tick(now())
    assert status_of(campaign) == Status.COMPLETED

    row.refresh_from_db()
    assert scheduled.dial_again(row, at=now())

    assert status_of(campaign) == Status.RUNNING
    assert log_of(campaign)[-1].startswith("It goes on")
