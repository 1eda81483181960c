"""What a budget stops: calls that go out and first texts, and nothing else."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils.timezone import now

from telephony.models import Budget, Call, Message, ScheduledCall
from telephony.services import budgets, campaign_turns, due_calls, sending
from telephony.tests import test_due_calls
from telephony.tests.campaigns import list_of, make_ready
from telephony.tests.outgoing import CALLEE, calls_at, open_call
from telephony.tests.test_due_calls import make_due, ring, state
from telephony.tests.texting import TEXTER, make_texting_number, text_in

pytestmark = pytest.mark.django_db(transaction=True)
Status = ScheduledCall.Status

bell, quiet_number = test_due_calls.bell, test_due_calls.quiet_number


def spend(owner, spent, *, of="100", stops=True, month=None):
    """A budget, and what is spent of it this month."""
    Budget.unscoped.filter(owner=owner).delete()
    return Budget.unscoped.create(
        owner=owner,
        amount=Decimal(of),
        stops_outgoing=stops,
        spent=Decimal(spent),
        month=month or budgets.month_of(owner, now())[0],
    )


def budget_finding(decision):
    return next(f for f in decision["findings"] if f["rule"] == "budget")


def test_call_for_now_is_refused_and_says_why(quiet_number, carrier):
    spend(quiet_number.phone.owner, "100.01")

    call = open_call(quiet_number)

    assert (call.status, call.end_reason) == (Call.Status.CANCELED, "refused")
    assert call.decision["decided_by"] == "budget"
    assert call.end_detail == (
        "The budget of this month is used up: 100.01 of 100.00 USD are spent."
    )
    assert calls_at(carrier, quiet_number) == []


@pytest.mark.parametrize(
    "terms", [{"spent": "99.99"}, {"spent": "100", "stops": False}]
)
def test_call_is_placed_while_there_is_something_left_or_nothing_stops(
    terms, quiet_number
):
    spend(quiet_number.phone.owner, **terms)

    call = open_call(quiet_number)

    assert call.placement == Call.Placement.OPENED
    assert budget_finding(call.decision)["verdict"] == "passed"


def test_what_last_month_has_cost_stops_nothing(quiet_number):
    owner = quiet_number.phone.owner
    spend(owner, "500", month=now().date() - timedelta(days=40))

    assert open_call(quiet_number).placement == Call.Placement.OPENED


def test_calls_at_the_edge_all_pass_until_their_costs_are_told(quiet_number):
    """The bound: what is under way, or not priced yet, comes on top."""
    owner = quiet_number.phone.owner
    spend(owner, "99.99")

    first, second = (open_call(quiet_number, f"+1628555012{n}") for n in (1, 2))
    Budget.unscoped.update(spent=Decimal("100.05"))
    third = open_call(quiet_number, "+16285550123")

    assert first.placement == second.placement == Call.Placement.OPENED
    assert third.end_reason == "refused"


def test_scheduled_call_is_held_and_dialled_when_the_budget_is_raised(
    quiet_number, bell, carrier
):
    owner = quiet_number.phone.owner
    spend(owner, "100")
    row = make_due(quiet_number)
    due_at = row.due_at

    ring(bell)

    assert state(row) == Status.PENDING
    assert row.decision["decided_by"] == "budget"
    assert "is used up" in row.detail
    assert row.due_at == due_at
    assert now() < row.next_attempt_at < now() + timedelta(minutes=11)
    assert calls_at(carrier, quiet_number) == []

    spend(owner, "100", of="200")
    ScheduledCall.unscoped.update(next_attempt_at=now())
    ring(bell)

    assert len(calls_at(carrier, quiet_number)) == 1


def test_scheduled_call_that_was_held_too_long_expires(quiet_number, bell, carrier):
    spend(quiet_number.phone.owner, "100")
    row = make_due(quiet_number, late_s=60, max_late_s=3600)
    ring(bell)

    ScheduledCall.unscoped.update(
        due_at=now() - timedelta(hours=2), next_attempt_at=now()
    )
    ring(bell)

    assert state(row) == Status.EXPIRED
    assert row.detail == "Its time went by while the budget of the month was used up."
    assert calls_at(carrier, quiet_number) == []


def test_campaign_waits_and_goes_on_by_itself(quiet_number, bell):
    owner = quiet_number.phone.owner
    campaign = make_ready(quiet_number, list_of(f"{CALLEE},Ada"))
    campaign.status, campaign.running_since = "running", now()
    campaign.save()
    ScheduledCall.unscoped.update(due_at=now())
    spend(owner, "100")

    assert campaign_turns.advance(campaign.pk, now()) == 0
    wait = campaign_turns.wait_of(campaign, now())
    assert "is used up" in wait.words
    assert wait.until == budgets.standing_of(owner, now()).until

    Budget.unscoped.update(spent=0)
    assert campaign_turns.advance(campaign.pk, now()) == 1
    Budget.unscoped.update(spent=100)  # since it was lent
    due_calls.tick(now())
    ring(bell)

    (row,) = ScheduledCall.unscoped.all()
    assert (row.status, row.next_attempt_at) == (Status.PENDING, None)


# -- Texts -----------------------------------------------------------------------------


@pytest.fixture
def texting(carrier, settings):
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    return make_texting_number(carrier)


def write_to(number, address=TEXTER):
    return sending.send(number.phone, address, body="Hello", by=None, at=now())


def test_first_text_is_refused_and_an_answer_is_not(texting):
    spend(texting.phone.owner, "100")

    with pytest.raises(sending.Stopped, match="is used up"):
        write_to(texting)
    text_in(texting, "Are you open?")

    assert write_to(texting).status == Message.Status.WAITING
    Message.unscoped.filter(direction="incoming").update(
        created_at=now() - timedelta(days=8)
    )
    with pytest.raises(sending.Stopped):
        write_to(texting)


def test_text_that_was_written_before_is_not_sent_after(texting):
    message = write_to(texting)
    spend(texting.phone.owner, "100")

    sending.send_waiting(message.conversation_id)

    message.refresh_from_db()
    assert message.status == Message.Status.FAILED
    assert "is used up" in message.error_detail
