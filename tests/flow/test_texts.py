"""Texts through real processes, whatever becomes of the carrier's reports."""

from contextlib import suppress

import pytest

from tests.flow.tenant import Business
from tests.processes import WITHIN_S, wait_until

pytestmark = pytest.mark.flow

QUESTION, ANSWER = "Are you open?", "Yes, from nine to five."


@pytest.fixture
def business(talking_stack, carrier, model):
    model.plan(mode="script", replies=[ANSWER] * 20)
    business = Business(talking_stack, carrier)
    business.put_message_agent()
    return business


def text_in(business, carrier, place, body=QUESTION):
    """Somebody new texts the number; who."""
    sender = f"+1628555{place:04}"
    carrier.text(business.number, body, sender)
    return sender


def told(business, sender):
    return [(text["body"], text["status"]) for text in business.texts(sender)]


def wait_for(business, sender, *statuses):
    def seen():
        return [status for _body, status in told(business, sender)]

    with suppress(AssertionError):  # what there is instead says more
        wait_until(lambda: seen() == [*statuses], WITHIN_S, f"texts are {statuses}")
    assert seen() == [*statuses]


def test_reports_come_late_twice_and_in_another_order(business, carrier):
    senders = []
    for place, kind in enumerate(("twice", "reversed", "late")):
        delay_s = 2 if kind == "late" else 0
        carrier.fail(business.account, callbacks=kind, delay_s=delay_s)
        sender = text_in(business, carrier, 2100 + place)
        wait_until(
            lambda to=sender: carrier.texts_to(business.account, to), WITHIN_S, "sent"
        )
        senders.append(sender)

    for sender in senders:
        wait_for(business, sender, "received", "delivered")
        assert told(business, sender)[1] == (ANSWER, "delivered")
        assert len(carrier.texts_to(business.account, sender)) == 1


def test_text_that_does_not_arrive_says_why(business, carrier):
    sender = text_in(business, carrier, 3003)

    wait_for(business, sender, "received", "undelivered")

    _question, answer = business.texts(sender)
    assert (answer["error_code"], answer["error"] != "") == (30003, True)


def test_every_text_has_one_answer(business, carrier):
    sender = text_in(business, carrier, 2110)
    wait_for(business, sender, "received", "delivered")

    carrier.text(business.number, "And on Sunday?", sender)
    wait_for(business, sender, *["received", "delivered"] * 2)

    assert len(carrier.texts_to(business.account, sender)) == 2


def test_who_texts_stop_is_left_alone(business, carrier):
    sender = text_in(business, carrier, 2120, "Stop")

    refused = business.refusal(
        "POST",
        "/api/messages",
        {"phone_id": business.phone_id, "to": sender, "body": "Are you sure?"},
    )
    carrier.text(business.number, QUESTION, sender)
    carrier.text(business.number, "START", sender)
    carrier.text(business.number, QUESTION, sender)

    assert refused == 409
    wait_for(business, sender, *["received"] * 4, "delivered")
    assert len(carrier.texts_to(business.account, sender)) == 1


def test_worker_killed_between_sending_and_recording_answers_once(
    business, carrier, talking_stack
):
    carrier.fail(business.account, kind="answer-late", delay_s=8, method="POST")
    sender = text_in(business, carrier, 2130)
    wait_until(
        lambda: carrier.texts_to(business.account, sender), WITHIN_S, "it was sent"
    )

    old = talking_stack.kill("worker")

    wait_until(
        lambda: talking_stack.pid("worker") not in {None, old}, WITHIN_S, "another"
    )
    wait_until(talking_stack.is_ready, WITHIN_S, "the stack is ready again")
    wait_for(business, sender, "received", "delivered")
    other = text_in(business, carrier, 2131)  # by then all that was left is done
    wait_for(business, other, "received", "delivered")
    assert told(business, sender)[1:] == [(ANSWER, "delivered")]
    assert len(carrier.texts_to(business.account, sender)) == 1


def test_tool_is_used_before_the_answer(business, carrier, model):
    business.put_message_agent(name="Noting", tools=["note_fact"])
    wish = [{"name": "note_fact", "arguments": {"name": "size", "value": "4"}}]
    model.plan(mode="script", replies=[wish, "A table for four."])

    sender = text_in(business, carrier, 2140, "We are four")

    wait_for(business, sender, "received", "delivered")
    conversation = business.texts(sender)[0]["conversation_id"]
    path = f"/api/messages/conversations/{conversation}"
    (use,) = business.ask("GET", f"{path}/tool-uses")["results"]
    assert (use["name"], use["status"]) == ("note_fact", "ok")
    (fact,) = business.ask("GET", path)["facts"]
    assert (fact["name"], fact["value"]) == ("size", "4")
