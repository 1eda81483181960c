"""Texts that a voice agent sends during a call: to the other party, once each."""

import asyncio
import json
import threading

import pytest
from django.db import connections
from django.utils.timezone import now

from agents.tools import Toolbox
from agents.tools.built_in import MAX_TEXT
from telephony import built_ins
from telephony.models import Call, Contact, Message, Turn
from telephony.services import call_texts, do_not_contact, sending
from telephony.tests.calls import make_call
from telephony.tests.conftest import Number, make_number, relay_session
from telephony.tests.outgoing import CALLEE, make_placing_number
from telephony.tests.test_built_ins import asks_for
from telephony.tests.texting import sent_to

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "We are at 1 Harbour Street."


@pytest.fixture
def call(db):
    return make_talk(make_number())


def make_talk(number, **fields):
    """A call from a number that may be called."""
    return make_call(
        number.phone.owner,
        phone=number.phone,
        agent=number.agent,
        **{"from_number": CALLEE, "to_number": number.phone.number, **fields},
    )


def number_of(call):
    return Number(call.phone, call.agent)


def send(call, text=ADDRESS):
    return call_texts.send(call, text, at=now())


def texts_of(call):
    rows = Message.unscoped.filter(call=call).order_by("pk")
    return [(row.to_number, row.body, row.sent_by, row.status) for row in rows]


def test_agent_texts_the_caller_during_the_call(live, carrier, stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    number = make_placing_number(carrier, tools=["send_text"])
    stub_llm.configure(
        mode="script",
        replies=(asks_for("send_text", text=ADDRESS), "I have texted it to you."),
    )
    _, call = number.ring(From=CALLEE)

    with relay_session(live, call) as caller:
        assert caller.ask("Text me the address.") == "I have texted it to you."
    message = Message.unscoped.get(call=call)
    sending.send_waiting(message.conversation_id)

    (sent,) = sent_to(carrier, number, to=CALLEE)
    assert (sent["from"], sent["body"]) == (number.phone.number, ADDRESS)
    assert message.conversation.address == CALLEE
    used = Turn.unscoped.get(call=call, speaker="tool")
    assert (used.tool["name"], used.tool["status"]) == ("send_text", "ok")
    assert used.text == call_texts.ON_ITS_WAY


def test_text_is_written_with_its_call(call):
    assert send(call, f" {ADDRESS}\n") == call_texts.ON_ITS_WAY

    assert texts_of(call) == [(CALLEE, ADDRESS, "agent", "waiting")]


def test_callee_of_a_call_of_ours_is_texted(call):
    ours = make_talk(
        number_of(call),
        direction="outgoing",
        from_number=call.phone.number,
        to_number=CALLEE,
    )

    send(ours)

    assert texts_of(ours) == [(CALLEE, ADDRESS, "agent", "waiting")]


def test_same_words_are_sent_once_a_call(call):
    send(call)

    assert send(call) == call_texts.SENT_ALREADY
    assert send(make_talk(number_of(call))) == call_texts.ON_ITS_WAY
    assert len(texts_of(call)) == 1


def test_same_words_at_once_are_sent_once(call):
    start, told = threading.Barrier(4), []

    def ask():
        start.wait()
        told.append(send(call))
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    expected = [call_texts.ON_ITS_WAY, *[call_texts.SENT_ALREADY] * 3]
    assert sorted(told) == sorted(expected)
    assert len(texts_of(call)) == 1


def test_call_has_a_few_texts(call, monkeypatch):
    monkeypatch.setattr(call_texts, "MOST_TEXTS", 1)

    send(call)

    assert send(call, "One more") == call_texts.TOO_MANY


def test_who_is_not_to_be_contacted_is_not_texted(call):
    do_not_contact.add(owner=call.owner, number=CALLEE)

    assert "do-not-contact list" in send(call)
    assert texts_of(call) == []


def test_who_refuses_texts_gets_none_and_who_refuses_calls_does(call):
    person = Contact.unscoped.create(
        owner=call.owner, number=CALLEE, call_consent="refused"
    )

    by_text = send(call)
    person.text_consent = "refused"
    person.save()

    assert by_text == call_texts.ON_ITS_WAY
    assert "refuses texts" in send(call, "More")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("anonymous", "not known"),
        ("", "not known"),
        ("+19005550123", "premium-rate"),
        ("+4915112345678", "Its country, DE"),
    ],
)
def test_number_is_held_to_the_calling_rules(call, number, why):
    call.from_number = number

    assert why in send(call)
    assert texts_of(call) == []


def test_removed_number_sends_nothing(call):
    call.phone.put_away()

    assert send(call) == call_texts.NOT_FROM_HERE


def test_nobody_is_texted_in_a_test_call(call):
    Call.unscoped.filter(pk=call.pk).update(is_test=True)
    call.refresh_from_db()

    told = built_ins.of_call(call)["send_text"]

    assert told is built_ins.of_call(call)["do_not_call"]
    assert send(call) == call_texts.ONLY_A_TEST
    assert texts_of(call) == []


def test_empty_and_long_texts_are_not_sent(call):
    use = built_ins.of_call(call)
    call.agent.tools = ["send_text"]
    toolbox = Toolbox.of(call.agent, use)

    empty, long = (
        asyncio.run(toolbox.run("send_text", json.dumps({"text": text})))
        for text in (" ", "a" * (MAX_TEXT + 1))
    )

    assert (empty.status, empty.text) == ("ok", call_texts.NOTHING)
    assert long.status == "refused"
    assert texts_of(call) == []
