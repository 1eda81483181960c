"""Sending texts: each at most once, whatever becomes of the carrier's answer."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils.timezone import now

from hooks.models import Delivery
from hooks.tests.conftest import make_endpoint
from telephony import text_errors, twilio
from telephony.models import Contact, Conversation, DoNotContact, Message
from telephony.services import conversations, do_not_contact, lost_texts, sending
from telephony.tests.outgoing import fail
from telephony.tests.texting import (
    TEXTER,
    make_texting_number,
    report,
    sent_to,
    text_in,
)
from tests.processes import WITHIN_S, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def number(live, carrier):
    return make_texting_number(carrier)


@pytest.fixture
def quiet_number(carrier, settings, db):
    """Its texts are sent, and no report ever finds us."""
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    return make_texting_number(carrier)


def write(number, *bodies, to=TEXTER, by=None, **more):
    """The rows of texts that are to be sent."""
    return [
        sending.send(number.phone, to, body=body, by=by, at=now(), **more)
        for body in bodies
    ]


def send(number, body="Your table is ready.", to=TEXTER, **more):
    (message,) = write(number, body, to=to, **more)
    sending.send_waiting(message.conversation_id)
    message.refresh_from_db()
    return message


def status_of(message):
    message.refresh_from_db()
    return message.status


def test_text_is_sent_and_delivered(number, carrier):
    message = send(number)

    wait_until(lambda: status_of(message) == "delivered", WITHIN_S, "delivered")
    (sent,) = sent_to(carrier, number)
    assert (sent["sid"], sent["body"]) == (message.sid, message.body)
    assert message.conversation.last_message == message


def test_sent_again_and_at_once_it_is_sent_once(quiet_number, carrier):
    (message,) = write(quiet_number, "Once")
    start = threading.Barrier(5)

    def deliver():
        start.wait()
        try:
            sending.send_waiting(message.conversation_id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert len(sent_to(carrier, quiet_number)) == 1


def test_pieces_are_sent_in_their_order(quiet_number, carrier):
    messages = write(quiet_number, "One", "Two", "Three")

    sending.send_waiting(messages[0].conversation_id)

    sent = [one["body"] for one in sent_to(carrier, quiet_number)]
    assert sent == ["Three", "Two", "One"]


def test_next_text_waits_while_one_is_being_sent(quiet_number, carrier):
    first, second = write(quiet_number, "One", "Two")
    first.begin_asking(now())

    sending.send_waiting(first.conversation_id)

    assert status_of(second) == "waiting"
    assert sent_to(carrier, quiet_number) == []


def test_long_text_is_cut_between_words():
    words = "word " * 700

    pieces = sending.pieces(words.strip())

    assert [len(piece) <= 1600 for piece in pieces] == [True] * 3
    assert " ".join(pieces) == words.strip()
    assert "".join(sending.pieces("x" * 3500)) == "x" * 3500
    assert sending.pieces("") == []


def test_nothing_that_waits_is_sent_from_a_number_that_was_removed(
    quiet_number, carrier
):
    (message,) = write(quiet_number, "Hello")
    quiet_number.phone.put_away()

    sending.send_waiting(message.conversation_id)

    assert status_of(message) == "failed"
    assert sent_to(carrier, quiet_number) == []


@pytest.mark.parametrize("kind", ["answer-lost", "500-after", "garbled", "cut"])
def test_lost_answer_is_never_a_reason_to_send_again(quiet_number, carrier, kind):
    fail(carrier, quiet_number, kind=kind)

    message = send(quiet_number)
    sending.send_waiting(message.conversation_id)

    assert status_of(message) == "unknown"
    assert len(sent_to(carrier, quiet_number)) == 1


def test_lost_text_is_found_by_listing(quiet_number, carrier):
    fail(carrier, quiet_number, kind="answer-lost")
    message = send(quiet_number)

    lost_texts.look(now())

    (sent,) = sent_to(carrier, quiet_number)
    message.refresh_from_db()
    assert message.sid == sent["sid"]
    assert message.status in {"queued", "sent", "delivered"}


def test_lost_text_is_found_by_its_report(number, carrier):
    fail(carrier, number, kind="answer-lost")

    message = send(number)

    wait_until(lambda: status_of(message) == "delivered", WITHIN_S, "settled")
    assert len(sent_to(carrier, number)) == 1


def test_text_that_cannot_be_found_stays_unknown(quiet_number, carrier):
    fail(carrier, quiet_number, kind="close")
    message = send(quiet_number)

    for seconds in (0, 10, 60, 300, 600):
        lost_texts.look(now() + timedelta(seconds=seconds))
    sending.send_waiting(message.conversation_id)

    message.refresh_from_db()
    assert (message.status, message.look_at) == ("unknown", None)
    assert sent_to(carrier, quiet_number) == []


def test_worker_that_died_while_it_asked_leaves_it_unknown(quiet_number, carrier):
    (message,) = write(quiet_number, "Hello")
    message.begin_asking(now() - timedelta(minutes=1))

    lost_texts.look(now())
    sending.send_waiting(message.conversation_id)

    asked_at = message.updated_at
    assert status_of(message) == "unknown"
    assert sent_to(carrier, quiet_number) == []
    message.refresh_from_db()
    assert message.updated_at > asked_at  # by which pages see that it is news


def test_too_much_at_once_is_asked_again(quiet_number, carrier):
    fail(carrier, quiet_number, kind="429")

    message = send(quiet_number)
    between = message.status
    sending.send_waiting(message.conversation_id)

    assert between == "waiting"
    assert len(sent_to(carrier, quiet_number)) == 1


def test_text_that_could_not_be_sent_in_time_is_given_up(quiet_number, carrier):
    (message,) = write(quiet_number, "Hello")
    old = now() - timedelta(hours=1)
    Message.unscoped.filter(pk=message.pk).update(created_at=old)

    sending.send_waiting(message.conversation_id)

    assert status_of(message) == "failed"
    assert sent_to(carrier, quiet_number) == []


def test_refusal_is_told_in_plain_words(quiet_number):
    message = send(quiet_number, to="+15005550001")

    assert (message.status, message.error_code) == ("failed", 21211)
    words = text_errors.in_words(message.error_code, message.error_detail)
    assert words == "The carrier says that this is no telephone number."


def test_who_has_stopped_at_the_carrier_is_put_on_the_list(quiet_number, carrier):
    carrier._control(
        "POST",
        "/control/messages",
        {"to": quiet_number.phone.number, "from": TEXTER, "body": "STOP"},
    )

    message = send(quiet_number)

    assert (message.status, message.error_code) == ("failed", 21610)
    assert DoNotContact.unscoped.get(number=TEXTER).source == "stop"


def test_nobody_on_the_list_is_texted(quiet_number, carrier):
    do_not_contact.add(owner=quiet_number.phone.owner, number=TEXTER)

    with pytest.raises(sending.Stopped):
        write(quiet_number, "Hello")
    with pytest.raises(sending.Stopped):
        write(quiet_number, "Hello", to=f"whatsapp:{TEXTER}")


def test_who_has_refused_meanwhile_gets_none(quiet_number, carrier):
    (message,) = write(quiet_number, "Hello")
    Contact.unscoped.create(
        owner=quiet_number.phone.owner, number=TEXTER, text_consent="refused"
    )  # by none of our services, which would have blocked the text

    sending.send_waiting(message.conversation_id)

    assert status_of(message) == "blocked"


def test_put_on_the_list_meanwhile_it_is_not_sent(quiet_number, carrier):
    make_endpoint(quiet_number.phone.owner)
    (message,) = write(quiet_number, "Hello")

    do_not_contact.add(owner=quiet_number.phone.owner, number=TEXTER)
    sending.send_waiting(message.conversation_id)

    assert status_of(message) == "blocked"
    assert sent_to(carrier, quiet_number) == []
    assert Delivery.unscoped.get().event == "message.failed"


def test_second_click_gets_the_first_text(quiet_number, alice):
    first, again = write(quiet_number, "Hello", "Hello", by=alice.user)

    assert first == again


def test_taken_over_what_the_agent_has_not_sent_is_not_sent(quiet_number, carrier):
    (message,) = write(quiet_number, "Hello", sent_by="agent")

    conversations.take_over(message.conversation)
    sending.send_waiting(message.conversation_id)

    assert status_of(message) == "canceled"
    assert sent_to(carrier, quiet_number) == []


# -- Reports ---------------------------------------------------------------------------


@pytest.fixture
def sent(quiet_number):
    message = send(quiet_number)
    assert message.sid
    Message.unscoped.filter(pk=message.pk).update(status="queued")
    return message


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (["sent", "delivered"], "delivered"),
        (["delivered", "sent", "queued"], "delivered"),
        (["sent", "sent", "sent"], "sent"),
        (["undelivered", "sent"], "undelivered"),
        (["delivered", "failed"], "delivered"),
        (["delivered", "read", "delivered"], "read"),
    ],
)
def test_reports_in_any_order_never_lead_back(quiet_number, sent, told, kept):
    for status in told:
        assert report(quiet_number, sent, status).status_code == 204

    assert status_of(sent) == kept


def test_report_tells_why_it_was_not_delivered(quiet_number, sent):
    make_endpoint(quiet_number.phone.owner)

    report(quiet_number, sent, "undelivered", ErrorCode=30003)
    report(quiet_number, sent, "undelivered", ErrorCode=30003)

    sent.refresh_from_db()
    assert sent.error_code == 30003
    assert Delivery.unscoped.get().event == "message.failed"


def test_webhook_is_told_once_that_a_text_was_sent(quiet_number, sent):
    make_endpoint(quiet_number.phone.owner)

    for status in ("sent", "delivered", "sent"):
        report(quiet_number, sent, status)

    assert Delivery.unscoped.get().event == "message.sent"


def test_report_of_another_message_is_refused(quiet_number, sent):
    answer = report(quiet_number, sent, "failed", sid=f"SM{'0' * 32}")

    assert answer.status_code == 403
    assert status_of(sent) == "queued"


def test_report_that_overtakes_the_answer_names_the_text(quiet_number):
    (message,) = write(quiet_number, "Hello")
    message.begin_asking(now())
    sid = f"SM{'1' * 32}"

    report(quiet_number, message, "sent", sid=sid)
    taken = twilio.CarrierMessage(sid, now(), "queued", "Hello", None, None, "")
    sending.follow(message, taken, at=now())

    message.refresh_from_db()
    assert (message.sid, message.status) == (sid, "sent")


def test_status_that_nobody_reported_is_asked_for(quiet_number, sent):
    Message.unscoped.filter(pk=sent.pk).update(look_at=now())

    def is_delivered():
        Message.unscoped.filter(pk=sent.pk).update(look_at=now())
        lost_texts.look(now())
        return status_of(sent) == "delivered"

    wait_until(is_delivered, WITHIN_S, "it is known")


def test_texts_whose_task_got_lost_are_sent_by_the_clock(quiet_number, monkeypatch):
    started = []
    monkeypatch.setattr(sending.tasks.send_texts, "delay", started.append)
    first, _second = write(quiet_number, "One", "Two")

    sending.send_waiting_everywhere(now() + timedelta(minutes=1))

    assert started == [str(first.conversation_id)]


def test_text_in_and_answer_by_hand_share_a_conversation(quiet_number):
    text_in(quiet_number, "Hello")

    write(quiet_number, "Hello yourself")

    assert Conversation.unscoped.count() == 1
