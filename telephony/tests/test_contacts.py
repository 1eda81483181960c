"""What is kept of people, and that who refuses is neither called nor texted."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from accounts.models import AuditEntry
from telephony.callees import Judge, Refusal, Row
from telephony.models import Contact, Message, ScheduledCall
from telephony.services import (
    answering,
    contacts,
    conversations,
    dialling,
    do_not_contact,
    scheduled,
    sending,
)
from telephony.tests.calls import make_agent, make_phone
from telephony.tests.texting import TEXTER, make_texting_number, text_in

pytestmark = pytest.mark.django_db
NUMBER = "+16285550123"
NOON = datetime(2030, 1, 7, 20, tzinfo=UTC)  # in California
Consent = Contact.Consent


def make_contact(owner, number=NUMBER, **fields) -> Contact:
    return contacts.save(Contact(owner=owner, number=number, **fields), at=now())


def placing_agent(tenant):
    return make_agent(
        tenant.workspace,
        phone=make_phone(tenant.workspace),
        direction="outgoing",
        is_active=True,
        instructions="Remind them.",
    )


def schedule(agent, to_number=NUMBER) -> ScheduledCall:
    row = ScheduledCall(
        owner=agent.owner, agent=agent, to_number=to_number, scheduled_for=NOON
    )
    return scheduled.schedule(row, by=None, at=now())


def test_number_has_one_contact_a_workspace(alice, mallory):
    first = make_contact(alice.workspace, name="Ann")
    make_contact(mallory.workspace, name="Somebody")

    with pytest.raises(contacts.Known) as known:
        make_contact(alice.workspace, name="Other")
    with pytest.raises(IntegrityError), transaction.atomic():
        Contact.unscoped.create(owner=alice.workspace, number=NUMBER)

    assert known.value.row == first
    assert contacts.find(alice.workspace, NUMBER).name == "Ann"
    assert contacts.find(mallory.workspace, NUMBER).name == "Somebody"


def test_number_of_a_deleted_contact_is_free_again(alice):
    contacts.delete(make_contact(alice.workspace, name="Ann"))

    make_contact(alice.workspace, name="Ben")

    assert contacts.find(alice.workspace, NUMBER).name == "Ben"


@pytest.mark.parametrize(
    "given", [{"call_consent": "refused"}, {"text_consent": "refused"}]
)
def test_refusal_is_not_forgotten_with_the_contact(given, alice):
    contact = make_contact(alice.workspace, **given)

    with pytest.raises(contacts.RefusalKept):
        contacts.delete(contact)

    assert contacts.find(alice.workspace, NUMBER) == contact


def test_consent_holds_since_it_was_noted_or_since_when_was_said(alice):
    then, later = NOON, NOON + timedelta(days=1)
    contact = Contact(owner=alice.workspace, number=NUMBER, call_consent=Consent.GIVEN)
    contacts.save(contact, at=then)
    assert (contact.call_consent_at, contact.text_consent_at) == (then, None)

    contacts.save(contact, at=later)
    assert contact.call_consent_at == then

    contact.call_consent = Consent.REFUSED
    contacts.save(contact, at=later)
    assert contact.call_consent_at == later

    contact.call_consent_note = "by mail"
    contact.call_consent = Consent.UNKNOWN
    contacts.save(contact, at=later)
    assert (contact.call_consent_at, contact.call_consent_note) == (None, "")


def test_who_changed_a_consent_is_in_the_log(alice):
    contact = make_contact(alice.workspace, name="Ann")
    contact.call_consent = Consent.REFUSED
    contacts.save(contact, at=now())

    made, changed = AuditEntry.unscoped.filter(object_id=contact.pk).order_by("pk")
    assert (made.action, changed.action) == ("created", "changed")
    assert changed.changes["call_consent"] == ["unknown", "refused"]


# -- Calls -----------------------------------------------------------------------------


def test_who_refuses_calls_is_not_called_and_the_page_says_why(alice, mallory):
    agent = placing_agent(alice)
    make_contact(mallory.workspace, call_consent=Consent.REFUSED)
    assert dialling.decide_call(agent, NUMBER, NOON).is_allowed

    make_contact(
        alice.workspace, call_consent=Consent.REFUSED, call_consent_note="by mail"
    )
    decision = dialling.decide_call(agent, NUMBER, NOON)

    assert (decision.is_refused, decision.rule) == (True, "consent")
    assert "by mail" in decision.reason
    ask = f"/calling-rules/check?number=%2B16285550123&agent={agent.pk}"
    assert decision.reason in alice.client.get(ask).content.decode()
    assert not dialling.decide_number_for(alice.workspace, NUMBER, NOON).is_allowed


def test_refusal_blocks_what_is_scheduled(alice):
    row = schedule(placing_agent(alice))
    other = schedule(row.agent, "+16285550124")

    make_contact(alice.workspace, call_consent=Consent.REFUSED)

    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.status, row.next_attempt_at) == ("blocked", None)
    assert row.detail == "The contact refuses calls."
    assert other.status == "pending"
    with pytest.raises(scheduled.NumberRefused):
        schedule(row.agent)


def test_refusal_of_texts_blocks_no_calls(alice):
    row = schedule(placing_agent(alice))

    make_contact(alice.workspace, text_consent=Consent.REFUSED)

    row.refresh_from_db()
    assert row.status == "pending"


def test_hours_are_those_of_the_contacts_zone_unless_the_call_has_its_own(alice):
    agent = placing_agent(alice)
    make_contact(alice.workspace, timezone="Asia/Tokyo")  # there it is 5 in the morning

    night = dialling.decide_call(agent, NUMBER, NOON)
    wishes = dialling.Wishes(timezone="America/Los_Angeles")

    assert (night.is_allowed, night.rule) == (False, "window")
    assert "Asia/Tokyo" in night.reason
    assert dialling.decide_call(agent, NUMBER, NOON, wishes).is_allowed


def test_list_of_a_campaign_leaves_out_who_refuses(alice):
    make_phone(alice.workspace)
    judge = Judge(
        dialling.facts_of_number(alice.workspace, NOON),
        frozenset(),
        ZoneInfo("UTC"),
        NOON,
    )
    make_contact(alice.workspace, call_consent=Consent.REFUSED)
    known = dialling.Known(alice.workspace, [NUMBER])

    refused = judge.judge(Row(2, NUMBER), NUMBER, known.facts_of(NUMBER))

    assert isinstance(refused, Refusal)
    assert refused.kind == "do_not_contact"
    assert "refuses calls" in refused.reason


# -- Texts -----------------------------------------------------------------------------


def test_who_refuses_texts_gets_none():
    number = make_texting_number()
    owner = number.phone.owner
    make_contact(owner, TEXTER, text_consent=Consent.REFUSED)

    for address in (TEXTER, f"whatsapp:{TEXTER}"):
        with pytest.raises(sending.Stopped, match="refuses texts"):
            sending.send(number.phone, address, body="Hello", by=None, at=now())

    text_in(number, "Hello")  # they may write: no agent answers
    (conversation,) = conversations.Conversation.unscoped.filter(owner=owner)
    assert answering._prepare(conversation, now()) is None
    conversation.refresh_from_db()
    assert conversation.next_try_at is None


def test_refusal_blocks_a_text_that_waits_to_be_sent():
    number = make_texting_number()
    owner = number.phone.owner
    waiting = sending.send(number.phone, TEXTER, body="Hello", by=None, at=now())

    make_contact(owner, TEXTER, text_consent=Consent.REFUSED)

    waiting.refresh_from_db()
    assert waiting.status == Message.Status.BLOCKED


def test_both_kinds_of_stopping_are_apart(alice):
    make_phone(alice.workspace)
    contact = make_contact(alice.workspace, call_consent=Consent.GIVEN)
    do_not_contact.add(owner=alice.workspace, number=NUMBER)

    decision = dialling.decide_number_for(alice.workspace, NUMBER, NOON)

    contact.refresh_from_db()
    assert decision.rule == "do_not_contact"
    assert contact.call_consent == Consent.GIVEN
