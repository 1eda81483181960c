"""What a message agent answers, with a model on a real socket."""

from datetime import UTC, datetime

import pytest

from agents import llm
from agents.models import MessageAgent
from agents.prompts import TEXTING_PREAMBLE
from agents.texting import Answer, Text, answer, thread_of
from agents.tools import Toolbox

MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 10, tzinfo=UTC)
NUMBER = "+15005550006"
OFFICE = {"timezone": "UTC", "days": {"mon": [["09:00", "17:00"]]}}


@pytest.fixture
def model(stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    settings.LLM_API_KEY = "key"
    return stub_llm


def agent_of(alice, **fields):
    fields = {"instructions": "Be brief.", **fields}
    return MessageAgent(owner=alice.workspace, name="Desk", **fields)


def asked(agent, *bodies, at=MONDAY, **options):
    texts = [Text("texter", body) for body in bodies]
    return answer(
        agent,
        texts,
        number=NUMBER,
        at=at,
        **{"deadline_s": 40, "toolbox": Toolbox([]), **options},
    )


def test_model_is_told_instructions_with_their_gaps_filled_in(alice):
    agent = agent_of(
        alice,
        instructions="{{ who }} {{ agent_name }} {{ caller_number }} {{today}}{{ x }}",
        variables={"who": "{{ today }}"},
    )

    messages = thread_of(agent, [], number=NUMBER, at=MONDAY).messages

    told = "{{ today }} Desk +15005550006 Monday, 23 November 2026"
    assert messages == ({"role": "system", "content": f"{TEXTING_PREAMBLE}\n\n{told}"},)


def test_model_is_shown_the_latest_texts_and_those_of_one_side_as_one(alice):
    texts = [
        *(Text("texter", "1"), Text("agent", "2")),
        *(Text("texter", "3"), Text("texter", "4"), Text("agent", "5")),
    ]

    agent = agent_of(alice, history_limit=4)
    _, *shown = thread_of(agent, texts, number=NUMBER, at=MONDAY).messages

    assert shown == [
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "3\n4"},
        {"role": "assistant", "content": "5"},
    ]


def test_answer_is_the_models(alice, model):
    agent = agent_of(alice, model="echo", temperature=0.1, max_tokens=50)

    given = asked(agent, "Hello")

    assert given == Answer("You said: Hello")
    (request,) = model.requests
    assert (request["temperature"], request["max_tokens"]) == (0.1, 50)


def test_outside_of_business_hours_the_away_message_answers(alice, model):
    agent = agent_of(
        alice,
        model="echo",
        business_hours=OFFICE,
        away_message="{{ who }} is closed.",
        variables={"who": "The shop"},
        handoff_phrases=["a person"],
    )

    assert asked(agent, "Hello", at=SUNDAY) == Answer("The shop is closed.", True)
    assert asked(agent, "A person!", at=SUNDAY) == Answer(
        "The shop is closed.", is_away=True, hands_over=True
    )
    assert model.requests == []
    assert asked(agent, "Hello", at=MONDAY).body == "You said: Hello"
    pretended = asked(agent, "Hello", at=SUNDAY, pretend_open=True)
    assert pretended == Answer("You said: Hello")


def test_a_text_that_asks_for_a_person_is_not_answered(alice, model):
    agent = agent_of(alice, model="echo", handoff_phrases=["talk to a person"])

    given = asked(agent, "Let me TALK to a person.")

    assert given == Answer("", hands_over=True)
    assert model.requests == []


def test_an_agent_can_hand_over_by_itself(alice, model):
    agent = agent_of(alice, model="echo", handoff_phrases=["you said"])

    assert asked(agent, "Hm") == Answer("You said: Hm", hands_over=True)


@pytest.mark.parametrize(
    ("fault", "reason"), [("401", "refused"), ("empty", "empty"), ("cut", "cut")]
)
def test_a_model_that_fails_is_told(alice, model, fault, reason):
    with pytest.raises(llm.ModelFailed) as failure:
        asked(agent_of(alice, model=f"fault-{fault}"), "Hello")

    assert failure.value.reason == reason


def test_demo_responder_answers_texts_from_the_instructions(alice):
    agent = agent_of(alice, instructions="You are kind.\nA check-up costs 90 euros.")

    given = asked(agent, "What does a check-up cost?")

    assert "A check-up costs 90 euros." in given.body
    assert "telephone" not in given.body
