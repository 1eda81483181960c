"""Texts that come in: kept once, in one conversation, and stopped at a word."""

import threading

import pytest
from django.db import connection, connections
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import AuditEntry
from hooks.models import Delivery
from hooks.tests.conftest import make_endpoint
from telephony.models import Conversation, DoNotContact, Message
from telephony.services import answering, do_not_contact
from telephony.tests.conftest import post_signed
from telephony.tests.texting import (
    TEXTER,
    conversation_of,
    make_texting_number,
    text_fields,
    text_in,
    text_path,
    thread,
)

TEXTERS = 20
TEXT_STATEMENTS = 9  # and one of the test itself


@pytest.fixture
def number(db):
    return make_texting_number(reply_delay_s=5)


def test_text_is_kept_and_opens_a_conversation(number):
    message = text_in(number, "Hello\nthere ☎")

    conversation = conversation_of(number)
    assert (message.body, message.status) == ("Hello\nthere ☎", "received")
    assert (message.from_number, message.to_number) == (TEXTER, number.phone.number)
    assert conversation.last_message == message
    assert (conversation.mode, conversation.status) == ("agent", "open")
    assert conversation.unread_count == 1
    assert conversation.next_try_at is not None


def test_answer_says_nothing_and_is_a_document(number):
    answer = number.post(text_path(number), text_fields(number, "Hello"))

    assert answer["Content-Type"] == "text/xml"
    assert b"<Response" in answer.content
    assert b"Message" not in answer.content


def test_text_that_comes_again_is_kept_once(number):
    fields = text_fields(number, "Hello")

    for _ in range(3):
        assert number.post(text_path(number), fields).status_code == 200

    assert thread(number) == [("other_party", "Hello")]
    assert conversation_of(number).unread_count == 1


def test_unsigned_text_changes_nothing(number):
    fields = text_fields(number, "Hello")

    answer = post_signed(text_path(number), fields, "another token")

    assert answer.status_code == 403
    assert not Conversation.unscoped.exists()


@pytest.mark.parametrize(
    "changes", [{"MessageSid": "x"}, {"From": ""}, {"NumMedia": "many"}]
)
def test_text_without_sense_is_refused(number, changes):
    fields = text_fields(number, "Hello") | changes

    assert number.post(text_path(number), fields).status_code == 400
    assert not Message.unscoped.exists()


def test_text_for_another_number_is_nobodys(number):
    fields = text_fields(number, "Hello", To="+12025550100")

    assert number.post(text_path(number), fields).status_code == 200
    assert not Message.unscoped.exists()


def test_text_to_a_removed_number_is_not_kept(number):
    number.phone.put_away()

    assert text_in(number, "Hello") is None


def test_media_are_kept_by_their_names_at_the_carrier(number):
    sid = f"ME{'a' * 32}"
    media = {
        "NumMedia": 2,
        "MediaUrl0": f"https://elsewhere.example/Messages/MM1/Media/{sid}",
        "MediaContentType0": "image/jpeg",
        "MediaUrl1": "https://elsewhere.example/anything",
    }

    message = text_in(number, "", **media)

    assert message.media == [{"sid": sid, "content_type": "image/jpeg"}]


def test_without_an_agent_a_person_is_needed(number):
    number.texting_agent.is_active = False
    number.texting_agent.save()

    text_in(number, "Hello")

    conversation = conversation_of(number)
    assert (conversation.mode, conversation.need) == ("human", "no_agent")
    assert conversation.next_try_at is None


def test_closed_conversation_is_opened_by_the_next_text(number):
    text_in(number, "Hello")
    Conversation.unscoped.update(status="closed", unread_count=0)

    text_in(number, "Me again")

    conversation = conversation_of(number)
    assert (conversation.status, conversation.unread_count) == ("open", 1)


def test_whatsapp_and_sms_of_one_party_are_two_conversations(number):
    text_in(number, "By SMS")
    text_in(number, "By WhatsApp", sender=f"whatsapp:{TEXTER}")

    by_whatsapp = conversation_of(number, f"whatsapp:{TEXTER}")
    assert by_whatsapp.number == conversation_of(number).number == TEXTER
    assert by_whatsapp.our_address == f"whatsapp:{number.phone.number}"


def test_webhook_is_told_of_a_text_once(number):
    make_endpoint(number.phone.owner, events=["message.received"])
    fields = text_fields(number, "Hello")

    number.post(text_path(number), fields)
    number.post(text_path(number), fields)

    delivery = Delivery.unscoped.get()
    assert delivery.event == "message.received"
    assert fields["MessageSid"] in delivery.payload


@pytest.mark.django_db(transaction=True)
def test_first_texts_at_once_make_one_conversation():
    """Twenty connections, on PostgreSQL truly at once."""
    number = make_texting_number()
    start, answers = threading.Barrier(TEXTERS), []

    def text(place):
        start.wait()
        fields = text_fields(number, f"Text {place}")
        try:
            answers.append(number.post(text_path(number), fields).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=text, args=[n]) for n in range(TEXTERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert answers == [200] * TEXTERS
    assert Conversation.unscoped.count() == 1
    assert conversation_of(number).unread_count == TEXTERS
    assert Message.unscoped.count() == TEXTERS


@pytest.mark.django_db(transaction=True)
def test_one_text_many_times_at_once_is_kept_once():
    number = make_texting_number()
    fields, start = text_fields(number, "Hello"), threading.Barrier(5)

    def text():
        start.wait()
        try:
            number.post(text_path(number), fields)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=text) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert conversation_of(number).unread_count == 1
    assert Message.unscoped.count() == 1


def test_text_is_taken_with_few_statements(number, django_assert_max_num_queries):
    text_in(number, "Hello")

    with django_assert_max_num_queries(TEXT_STATEMENTS):
        text_in(number, "Again")
    assert connection.vendor


# -- Words by which people stop texts --------------------------------------------------


@pytest.mark.parametrize("word", ["STOP", " stop. ", "Unsubscribe", "OPTOUT", "end"])
def test_stop_word_stops_everything_before_any_model(number, word):
    text_in(number, "Hello")

    text_in(number, word)

    row = DoNotContact.unscoped.get()
    assert (row.number, row.source) == (TEXTER, "stop")
    assert conversation_of(number).next_try_at is None
    assert [who for who, _text in thread(number)] == ["other_party"] * 2


def test_stop_within_a_sentence_is_a_text_like_any_other(number):
    text_in(number, "Please stop by at nine")

    assert not DoNotContact.unscoped.exists()
    assert conversation_of(number).next_try_at is not None


def test_stop_blocks_what_waits_to_be_sent(number):
    conversation = text_in(number, "Hello").conversation
    waiting = Message.unscoped.create(
        owner=number.phone.owner,
        conversation=conversation,
        carrier_account=number.account,
        direction="outgoing",
        sent_by="agent",
        status="waiting",
        from_number=number.phone.number,
        to_number=TEXTER,
    )

    text_in(number, "STOP")

    waiting.refresh_from_db()
    assert waiting.status == "blocked"


def test_carriers_word_for_it_counts_too(number):
    text_in(number, "Aufhören", OptOutType="STOP")

    assert DoNotContact.unscoped.get().source == "stop"


def test_start_takes_off_what_stop_has_put_on(number):
    text_in(number, "STOP")

    text_in(number, "Yes")

    assert do_not_contact.find(number.phone.owner, TEXTER) is None
    assert AuditEntry.unscoped.filter(action="deleted").exists()


def test_start_leaves_what_a_person_has_put_on(number):
    do_not_contact.add(owner=number.phone.owner, number=TEXTER)
    text_in(number, "STOP")

    text_in(number, "START")

    assert do_not_contact.find(number.phone.owner, TEXTER).source == "person"


def test_yes_of_who_has_stopped_nothing_is_answered(number):
    text_in(number, "Yes")

    assert conversation_of(number).next_try_at is not None


@pytest.mark.parametrize("word", ["HELP", "info", "START"])
def test_help_is_the_carriers_to_answer(number, word):
    text_in(number, word)

    assert conversation_of(number).next_try_at is None
    assert thread(number) == [("other_party", word)]


@pytest.mark.parametrize("word", ["STOP", "HELP"])
def test_on_whatsapp_we_answer_ourselves(number, word):
    sender = f"whatsapp:{TEXTER}"

    text_in(number, word, sender=sender)

    (_word, (who, answer)) = thread(number, sender)
    assert who == "system"
    assert "START" in answer
    assert DoNotContact.unscoped.filter(number=TEXTER).exists() == (word == "STOP")


def test_agent_does_not_text_who_is_on_the_list(number):
    do_not_contact.add(owner=number.phone.owner, number=TEXTER)

    text_in(number, "Hello")

    assert answering._prepare(conversation_of(number), now()) is None
    assert conversation_of(number).next_try_at is None


def test_stop_counts_for_the_workspaces_other_numbers_and_no_other_workspace(number):
    stranger = make_texting_number(name="mallory")
    text_in(stranger, "Hello")

    text_in(number, "STOP")

    assert conversation_of(stranger).next_try_at is not None
    assert do_not_contact.find(stranger.phone.owner, TEXTER) is None


def test_status_of_another_accounts_message_is_refused(number):
    stranger = make_texting_number(name="mallory")
    message = text_in(number, "Hello")
    path = reverse("webhooks:text_status", args=[message.pk])
    fields = {
        "MessageSid": message.sid,
        "AccountSid": stranger.account.account_sid,
        "MessageStatus": "failed",
    }

    assert stranger.post(path, fields).status_code == 403
    message.refresh_from_db()
    assert message.status == "received"
