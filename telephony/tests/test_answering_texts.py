"""The agents' answers: one a turn, and none once a person has the conversation."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from agents.models import MessageAgent
from telephony import twilio
from telephony.models import Conversation, Message
from telephony.services import answering, conversations, do_not_contact, lost_texts
from telephony.tests.outgoing import fail
from telephony.tests.texting import (
    TEXTER,
    answer_due,
    conversation_of,
    make_texting_number,
    sent_to,
    text_in,
    thread,
    work,
)
from tests.processes import WITHIN_S, wait_until
from tests.stub_llm import Plan
from tests.worker import running_task

pytestmark = pytest.mark.django_db(transaction=True)
NIGHT = {"timezone": "UTC", "days": {"mon": [["00:00", "00:01"]]}}


@pytest.fixture
def model(stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    settings.LLM_API_KEY = "key"
    return stub_llm


@pytest.fixture
def number(model):
    return make_texting_number()


@pytest.fixture
def real_number(model, carrier, settings):
    """One at the carrier, of whose reports none finds us."""
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    return make_texting_number(carrier)


def change(number, **fields):
    MessageAgent.unscoped.filter(pk=number.texting_agent.pk).update(**fields)


def who_has(number):
    conversation = conversation_of(number)
    return conversation.mode, conversation.need


def test_agent_answers_what_was_texted(number):
    text_in(number, "Are you open?")

    answer_due()

    message = Message.unscoped.get(sent_by="agent")
    assert message.body == "You said: Are you open?"
    assert (message.agent, message.status) == (number.texting_agent, "waiting")
    assert conversation_of(number).next_try_at is None


def test_texts_in_quick_succession_are_answered_together(number):
    text_in(number, "Hello")
    text_in(number, "are you open?")

    answer_due()

    assert thread(number)[2:] == [("agent", "You said: Hello\nare you open?")]


def test_answer_waits_until_nothing_more_comes(number):
    change(number, reply_delay_s=30)
    text_in(number, "Hello")
    first = conversation_of(number).next_try_at

    text_in(number, "are you open?")
    answering.pump.run()

    assert conversation_of(number).next_try_at > first > now()
    assert len(thread(number)) == 2


def test_text_that_comes_while_the_model_thinks_is_answered_with_the_others(number):
    text_in(number, "Hello")
    (row,) = answering._claim(1)
    turn = answering._prepare(row, now())

    text_in(number, "one thing more")
    answering._conclude(row, turn, answering.texting.Answer("Too early"), now())
    between = thread(number)
    answer_due()

    assert len(between) == 2
    assert thread(number)[2:] == [("agent", "You said: Hello\none thing more")]


def test_one_turn_has_one_answer_whoever_repeats_himself(number):
    text_in(number, "Hello")

    answer_due()
    Conversation.unscoped.update(next_try_at=now(), claimed_until=None)
    answering.pump.run()

    assert len(thread(number)) == 2
    text, answer = Message.unscoped.order_by("pk")
    answer.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.unscoped.create(
            owner=answer.owner,
            conversation=answer.conversation,
            carrier_account=answer.carrier_account,
            direction="outgoing",
            status="waiting",
            sent_by="agent",
            answers=text,
        )


def test_model_is_shown_both_sides_and_that_there_are_pictures(number, model):
    text_in(number, "Hello")
    answer_due()
    medium = {"NumMedia": 1, "MediaUrl0": f"https://a.example/Media/ME{'b' * 32}"}

    text_in(number, "Look", **medium)
    answer_due()

    _system, *shown = model.requests[-1]["messages"]
    assert shown == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "You said: Hello"},
        {
            "role": "user",
            "content": "Look\n(1 picture or file, which you cannot see)",
        },
    ]


def test_message_without_words_is_told_to_the_model(number, model):
    text_in(number, "", sender=f"whatsapp:{TEXTER}")  # a place on the map

    answer_due()

    (*_system, shown) = model.requests[-1]["messages"]
    assert shown["content"] == "(something without words, which you cannot see)"


def test_away_message_is_sent_once(number, model):
    change(number, business_hours=NIGHT, away_message="We are closed.")
    if answering.texting.is_open(NIGHT, now()):
        pytest.skip("it is that minute")

    for body in ("Hello", "Are you there?"):
        text_in(number, body)
        answer_due()

    assert thread(number).count(("agent", "We are closed.")) == 1
    assert model.requests == []


def test_asked_for_a_person_the_agent_is_silent(number, model):
    change(number, handoff_phrases=["a human"])

    text_in(number, "Give me a human!")
    answer_due()
    text_in(number, "Hello?")
    answer_due()

    assert who_has(number) == ("human", "asked_for")
    assert [who for who, _text in thread(number)] == ["other_party"] * 2
    assert model.requests == []


def test_person_asked_for_in_any_of_the_texts_of_a_turn_takes_over(number, model):
    change(number, handoff_phrases=["a human"])
    text_in(number, "Give me a human")
    text_in(number, "please")

    answer_due()

    assert who_has(number) == ("human", "asked_for")
    assert model.requests == []
    conversations.release(conversation_of(number), at=now())
    answer_due()
    assert thread(number)[-1] == ("agent", "You said: Give me a human\nplease")


@pytest.mark.parametrize("sender", [TEXTER, f"whatsapp:{TEXTER}"])
def test_help_takes_no_answer_away_and_is_not_shown_to_the_agent(number, sender):
    text_in(number, "Are you open?", sender=sender)
    text_in(number, "HELP", sender=sender)

    answer_due()

    assert thread(number, sender)[-1] == ("agent", "You said: Are you open?")


def test_help_is_not_answered_by_the_agent_that_gets_it_back(number):
    text_in(number, "Hello")
    answer_due()
    conversations.take_over(conversation_of(number))
    text_in(number, "HELP")

    conversations.release(conversation_of(number), at=now())
    answer_due()

    assert len(thread(number)) == 3


def test_agent_that_hands_over_says_so_first(number):
    change(number, model="fixed", handoff_phrases=["word3"])

    text_in(number, "Hello")
    answer_due()

    assert who_has(number) == ("human", "asked_for")
    assert thread(number)[-1][0] == "agent"


def test_person_who_takes_over_is_not_talked_over(number):
    text_in(number, "Hello")
    (row,) = answering._claim(1)
    turn = answering._prepare(row, now())

    conversations.take_over(row)
    answering._conclude(row, turn, answering.texting.Answer("Too late"), now())
    text_in(number, "Anybody?")
    answer_due()

    assert who_has(number) == ("human", "taken_over")
    assert [who for who, _text in thread(number)] == ["other_party"] * 2


def test_released_the_agent_answers_what_nobody_has(number):
    text_in(number, "Hello")
    conversations.take_over(conversation_of(number))

    conversations.release(conversation_of(number), at=now())
    answer_due()

    assert who_has(number) == ("agent", "")
    assert thread(number)[-1] == ("agent", "You said: Hello")


def test_released_after_a_person_was_asked_for_it_waits_for_the_next_text(number):
    change(number, handoff_phrases=["a human"])
    text_in(number, "A human, please")
    answer_due()

    conversations.release(conversation_of(number), at=now())
    answer_due()

    assert who_has(number) == ("agent", "")
    assert len(thread(number)) == 1


def test_without_an_agent_nothing_is_released(number):
    text_in(number, "Hello")
    conversations.take_over(conversation_of(number))
    change(number, is_active=False)

    with pytest.raises(conversations.NoAgent):
        conversations.release(conversation_of(number), at=now())


def test_closed_it_is_the_agents_again(number):
    text_in(number, "Hello")
    conversations.take_over(conversation_of(number))

    conversations.close(conversation_of(number), at=now())
    text_in(number, "Me again")
    answer_due()

    assert who_has(number) == ("agent", "")
    assert thread(number)[-1][0] == "agent"


def test_agent_that_is_switched_off_while_it_thinks_says_nothing(number):
    text_in(number, "Hello")
    (row,) = answering._claim(1)
    turn = answering._prepare(row, now())

    change(number, is_active=False)
    answering._conclude(row, turn, answering.texting.Answer("Too late"), now())
    answering.pump.run()

    assert who_has(number) == ("human", "no_agent")
    assert len(thread(number)) == 1


def test_stopped_while_the_model_thinks_it_is_not_answered(number):
    text_in(number, "Hello")
    (row,) = answering._claim(1)
    turn = answering._prepare(row, now())

    text_in(number, "STOP")
    answering._conclude(row, turn, answering.texting.Answer("Too late"), now())
    answer_due()

    assert [who for who, _text in thread(number)] == ["other_party"] * 2
    assert do_not_contact.find(number.phone.owner, TEXTER).source == "stop"


@pytest.mark.parametrize("is_begun", [False, True], ids=["waiting", "begun"])
def test_what_was_texted_while_stopped_is_not_answered_later(number, is_begun):
    text_in(number, "STOP")
    text_in(number, "Are you open?")
    rows = answering._claim(1) if is_begun else []

    text_in(number, "START")
    turns = [answering._prepare(row, now()) for row in rows]
    answer_due()
    early = thread(number)
    text_in(number, "Are you there?")
    answer_due()

    assert (turns, len(early)) == ([None] * len(rows), 3)
    answers = [text for who, text in thread(number) if who == "agent"]
    assert answers == ["You said: Are you open?\nAre you there?"]


def test_model_that_fails_is_asked_again_then_a_person(number):
    change(number, model="fault-500")
    text_in(number, "Hello")

    for _ in range(3):
        answer_due()

    assert who_has(number) == ("human", "model_failed")
    assert len(thread(number)) == 1


def test_two_machines_do_not_text_each_other_for_ever(number):
    for _ in range(answering.SAME_TEXTS + 2):
        text_in(number, "I am out of the office.")
        answer_due()

    assert who_has(number) == ("human", "loop")
    answers = [who for who, _text in thread(number) if who == "agent"]
    assert len(answers) == answering.SAME_TEXTS - 1


def test_many_answers_in_an_hour_are_enough(number, monkeypatch):
    monkeypatch.setattr(answering, "MOST_ANSWERS", 3)
    for place in range(5):
        text_in(number, f"Text {place}")
        answer_due()

    assert who_has(number) == ("human", "loop")
    Message.unscoped.update(created_at=now() - timedelta(hours=2))
    conversations.release(conversation_of(number), at=now())
    text_in(number, "Tomorrow")
    answer_due()
    assert thread(number)[-1][0] == "agent"


def test_agent_answers_so_often_in_a_row_then_a_person(number, monkeypatch):
    monkeypatch.setattr(answering, "MOST_IN_A_ROW", 3)
    for place in range(3):
        text_in(number, f"Text {place}")
        answer_due()
    before = who_has(number)
    Message.unscoped.update(created_at=now() - timedelta(hours=2))  # however slowly

    text_in(number, "One more")
    answer_due()

    assert (before, who_has(number)) == (("agent", ""), ("human", "in_a_row"))
    conversations.release(conversation_of(number), at=now())
    answer_due()
    assert thread(number)[-1] == ("agent", "You said: One more")


def test_after_a_long_pause_answers_in_a_row_are_counted_anew(number, monkeypatch):
    monkeypatch.setattr(answering, "MOST_IN_A_ROW", 3)
    for place in range(5):
        text_in(number, f"Text {place}")
        answer_due()
        Message.unscoped.update(created_at=now() - timedelta(hours=13))

    assert who_has(number) == ("agent", "")


def test_long_answer_is_sent_in_pieces(number):
    body = "word " * 400
    text_in(number, body.strip())

    answer_due()

    parts = Message.unscoped.filter(sent_by="agent").order_by("pk")
    assert [part.part for part in parts] == [0, 1]
    assert all(len(part.body) <= 1600 for part in parts)


def test_another_workspaces_agent_answers_nothing(number):
    stranger = make_texting_number(name="mallory")
    change(number, is_active=False)

    text_in(number, "Hello")
    answer_due()

    assert who_has(number) == ("human", "no_agent")
    assert not Message.unscoped.filter(agent=stranger.texting_agent).exists()


# -- Workers that are killed -----------------------------------------------------------


def test_worker_killed_while_it_asks_the_model_is_made_up_for(number, model):
    change(number, model="")
    model.plan = Plan(mode="script", replies=("Yes, until six.",), faults=("slow",))
    text_in(number, "Are you open?")
    told = {"LLM_BASE_URL": model.base_url, "LLM_API_KEY": "key"}

    with running_task("telephony.tests.texting", "work", **told) as worker:
        wait_until(lambda: model.requests, WITHIN_S, "the model is asked")
        worker.kill()
        worker.wait()
    answer_due()
    answer_due()

    assert thread(number)[1:] == [("agent", "Yes, until six.")]


def test_worker_killed_between_sending_and_recording_answers_once(
    real_number, carrier, model, monkeypatch
):
    monkeypatch.setattr(twilio._http, "timeout", 5)
    text_in(real_number, "Are you open?")
    # The carrier has taken it, and its answer never comes to anybody.
    fail(carrier, real_number, kind="answer-late", delay_s=15, method="POST")
    told = {
        "LLM_BASE_URL": model.base_url,
        "LLM_API_KEY": "key",
        "TWILIO_API_BASE_URL": carrier.url,
        "PUBLIC_BASE_URL": "http://127.0.0.1:9",
    }

    with running_task("telephony.tests.texting", "work", **told) as worker:
        wait_until(lambda: sent_to(carrier, real_number), WITHIN_S, "it is sent")
        worker.kill()
        worker.wait()
    between = Message.unscoped.get(sent_by="agent").status
    for minutes in (0, 1, 2):  # another worker does all of it again
        answer_due()
        work()
        lost_texts.look(now() + timedelta(minutes=minutes))

    assert between == "asking"
    assert len(sent_to(carrier, real_number)) == 1
    message = Message.unscoped.get(sent_by="agent")
    assert message.sid == sent_to(carrier, real_number)[0]["sid"]
