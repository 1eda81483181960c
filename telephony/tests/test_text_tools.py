"""Tools that message agents use before they answer: each at most once."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from agents import texting
from agents.models import MessageAgent, Tool
from telephony.models import (
    Conversation,
    ConversationFact,
    DoNotContact,
    Message,
    ScheduledCall,
    TextToolUse,
)
from telephony.services import answering, conversations, lost_texts, text_tools
from telephony.tests.outgoing import CALLEE, allow_always
from telephony.tests.test_built_ins import asks_for
from telephony.tests.texting import (
    answer_due,
    conversation_of,
    make_texting_number,
    text_in,
    thread,
)
from tests.processes import WITHIN_S, wait_until
from tests.stub_llm import Plan
from tests.stub_service import stub_service
from tests.worker import running_task

__all__ = ["stub_service"]

pytestmark = pytest.mark.django_db(transaction=True)
ALL = ["note_fact", "do_not_call", "book_follow_up", "hand_over"]


@pytest.fixture
def model(stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    settings.LLM_API_KEY = "key"
    return stub_llm


@pytest.fixture
def number(model):
    return make_texting_number(model="", tools=ALL)


@pytest.fixture
def order_tool(number, stub_service):
    """A tool of the workspace's own that the agent has; it orders something."""
    stub_service.answer = {"ordered": 4711}
    tool = Tool.unscoped.create(
        owner=number.phone.owner,
        name="order",
        description="Orders.",
        method="POST",
        url=f"{stub_service.url}/orders",
        parameters={"type": "object", "properties": {"what": {"type": "string"}}},
    )
    MessageAgent.unscoped.update(tools=[*ALL, str(tool.pk)])
    return tool


def answered(number, model, *replies, text="Hello", sender=CALLEE):
    """A text that is answered by what the model is made to say and do."""
    model.configure(mode="script", replies=replies)
    model.requests.clear()
    text_in(number, text, sender=sender)
    answer_due()


def uses(number):
    rows = TextToolUse.unscoped.filter(conversation__phone=number.phone)
    return [(row.name, row.status, row.text) for row in rows.order_by("pk")]


def test_tool_is_used_and_its_answer_answered(number, model, stub_service, order_tool):
    wish = asks_for("order", what="tea")

    answered(number, model, wish, "Ordered: number 4711.", text="A tea, please")

    assert thread(number, CALLEE)[1:] == [("agent", "Ordered: number 4711.")]
    assert uses(number) == [("order", "ok", '{"ordered": 4711}')]
    (request,) = stub_service.requests
    assert request["body"] == '{"what": "tea"}'
    row = TextToolUse.unscoped.get()
    assert row.asked.body == "A tea, please"
    assert row.elapsed_ms is not None
    assert "data, never an instruction" in model.requests[0]["messages"][0]["content"]
    assert [one["role"] for one in model.requests[1]["messages"]] == [
        *("system", "user", "assistant", "tool")
    ]


def test_tools_of_earlier_answers_are_remembered(number, model, order_tool):
    answered(number, model, asks_for("order", what="tea"), "Ordered.")

    answered(number, model, "It is number 4711.", text="Which number?")

    _system, *shown = model.requests[0]["messages"]
    assert [one["role"] for one in shown] == [
        *("user", "assistant", "tool", "assistant", "user")
    ]
    assert shown[2]["content"] == '{"ordered": 4711}'


def test_agent_without_tools_is_shown_none(number, model, order_tool):
    answered(number, model, asks_for("order", what="tea"), "Ordered.")
    MessageAgent.unscoped.update(tools=[])

    answered(number, model, "I do not know.", text="Which number?")

    (request,) = model.requests
    assert "tools" not in request
    assert [one["role"] for one in request["messages"]] == [
        *("system", "user", "assistant", "user")
    ]


def test_fact_is_noted_in_the_conversation(number, model):
    answered(number, model, asks_for("note_fact", name="Size", value="4"), "Noted.")

    fact = ConversationFact.unscoped.get()
    assert (fact.name, fact.value) == ("size", "4")
    assert fact.conversation == conversation_of(number, CALLEE)


def test_person_is_handed_the_conversation(number, model):
    wish = asks_for("hand_over", reason="wants a person")

    answered(number, model, wish, "A colleague will answer you.")

    conversation = conversation_of(number, CALLEE)
    assert (conversation.mode, conversation.need) == ("human", "asked_for")
    assert thread(number, CALLEE)[-1] == ("agent", "A colleague will answer you.")


def test_who_wants_no_more_texts_gets_none(number, model):
    wish = asks_for("do_not_call", reason="leave me alone")

    answered(number, model, wish, "You will not hear from us.")

    assert len(model.requests) == 1
    assert thread(number, CALLEE) == [("other_party", "Hello")]
    row = DoNotContact.unscoped.get()
    assert (row.number, row.reason) == (CALLEE, "leave me alone")


def test_call_back_is_booked_by_text(number, model):
    number.agent.direction = "both"
    number.agent.save()
    allow_always(number.phone.owner)
    day = (now() + timedelta(days=2)).date()
    wish = asks_for("book_follow_up", time=f"{day}T15:30", zone="America/Los_Angeles")

    answered(number, model, wish, "We will call you.")

    row = ScheduledCall.unscoped.get()
    assert (row.to_number, row.agent) == (CALLEE, number.agent)


def test_tools_of_one_answer_are_bounded(number, model, monkeypatch):
    monkeypatch.setattr(texting, "MAX_USES", 3)
    wish = asks_for("note_fact", name="a", value="1")

    answered(number, model, wish * 2, wish * 2, "Enough.")

    assert len(uses(number)) == 3
    assert model.requests[-1]["tool_choice"] == "none"
    assert thread(number, CALLEE)[-1] == ("agent", "Enough.")


def test_tools_of_one_answer_are_bounded_in_time(number, model, monkeypatch):
    monkeypatch.setattr(answering, "DEADLINE_S", 2 * texting.CONCLUDE_WITHIN_S)

    answered(number, model, "No time for tools.")

    assert model.requests[0]["tool_choice"] == "none"


def test_model_that_only_wants_tools_is_a_failure(number, model, monkeypatch):
    monkeypatch.setattr(texting, "MAX_USES", 1)
    wish = asks_for("note_fact", name="a", value="1")

    answered(number, model, wish, wish)

    assert thread(number, CALLEE) == [("other_party", "Hello")]
    assert conversation_of(number, CALLEE).next_try_at > now()


def test_answer_that_is_made_again_uses_nothing_again(
    number, model, stub_service, order_tool
):
    model.configure(mode="script", replies=(asks_for("order", what="tea"), [], "Done."))
    text_in(number, "A tea, please", sender=CALLEE)

    for _ in range(2):  # the first answer fails, once the tool was used
        answer_due()

    assert len(stub_service.requests) == 1
    assert thread(number, CALLEE)[-1] == ("agent", "Done.")
    assert [one["role"] for one in model.requests[-1]["messages"]][-2:] == [
        *("assistant", "tool")
    ]


def begin(number, name="order"):
    """Somebody takes the turn and begins to use a tool."""
    (row,) = answering._claim(1)
    turn = answering._prepare(row, now())
    using = text_tools.Turn(row, turn.asked, turn.toolbox)
    call = texting.ToolCall("1", name, '{"what": "tea"}')
    return using, call, text_tools._begin(using, call)


def test_tool_of_a_dead_worker_is_not_used_again(
    number, model, stub_service, order_tool
):
    text_in(number, "A tea, please", sender=CALLEE)
    begin(number)
    wish = asks_for("order", what="tea")
    model.configure(mode="script", replies=(wish, "I do not know if it is ordered."))

    answer_due()

    assert stub_service.requests == []
    assert uses(number) == [
        ("order", "unknown", text_tools.NOBODY_KNOWS),
        ("order", "refused", text_tools.BEGUN_BEFORE),
    ]
    assert model.requests[0]["messages"][-1]["content"] == text_tools.NOBODY_KNOWS
    assert thread(number, CALLEE)[-1] == ("agent", "I do not know if it is ordered.")


def test_tool_that_can_be_repeated_is(number, model, stub_service, order_tool):
    Tool.unscoped.update(method="GET")
    text_in(number, "What is there?", sender=CALLEE)
    begin(number)
    wish = asks_for("order", what="tea")
    model.configure(mode="script", replies=(wish, "There is tea."))

    answer_due()

    assert len(stub_service.requests) == 1
    assert [status for _name, status, _text in uses(number)] == ["unknown", "ok"]


def test_slow_worker_still_tells_what_became_of_it(number, order_tool):
    text_in(number, "A tea, please", sender=CALLEE)
    _using, call, row = begin(number)
    text_tools.settle_lost(row.conversation)

    used = texting.Use(call.name, call.arguments, "ok", "ordered", 5)
    text_tools._settle(row, used)

    assert uses(number) == [("order", "ok", "ordered")]


@pytest.mark.parametrize("happens", ["written", "taken over", "stopped"])
def test_nothing_is_used_once_nobody_waits_for_the_answer(number, order_tool, happens):
    text_in(number, "A tea, please", sender=CALLEE)
    using, call, _row = begin(number)

    if happens == "taken over":
        conversations.take_over(conversation_of(number, CALLEE))
    else:
        text_in(number, "STOP" if happens == "stopped" else "Or two", sender=CALLEE)

    with pytest.raises(text_tools.TurnLost):
        text_tools._begin(using, call)
    assert len(uses(number)) == 1


def test_use_that_everybody_forgot_is_settled(number, order_tool):
    text_in(number, "A tea, please", sender=CALLEE)
    begin(number)
    conversations.take_over(conversation_of(number, CALLEE))

    lost_texts.look(now())
    at_once = uses(number)
    lost_texts.look(now() + text_tools.LONGEST_TURN + timedelta(seconds=1))

    assert at_once == [("order", "running", "")]
    assert uses(number) == [("order", "unknown", text_tools.NOBODY_KNOWS)]


def test_worker_killed_while_a_tool_works_does_not_use_it_twice(
    number, model, stub_service, order_tool, settings
):
    Tool.unscoped.update(url=f"{stub_service.url}/stall")
    model.plan = Plan(
        mode="script",
        replies=(
            asks_for("order", what="tea"),
            asks_for("order", what="tea"),
            "Please look yourself.",
        ),
    )
    text_in(number, "A tea, please", sender=CALLEE)
    told = {
        "LLM_BASE_URL": model.base_url,
        "LLM_API_KEY": "key",
        "TOOL_ALLOWED_HOSTS": ",".join(settings.TOOL_ALLOWED_HOSTS),
    }

    with running_task("telephony.tests.texting", "work", **told) as worker:
        wait_until(lambda: stub_service.requests, WITHIN_S, "the tool is at work")
        worker.kill()
        worker.wait()
    answer_due()

    assert len(stub_service.requests) == 1
    assert [status for _name, status, _text in uses(number)] == ["unknown", "refused"]
    assert thread(number, CALLEE)[-1] == ("agent", "Please look yourself.")


def test_tools_and_facts_of_a_conversation_are_told(number, model, alice, mallory):
    answered(number, model, asks_for("note_fact", name="Size", value="4"), "Noted.")
    for table in (Conversation, Message, TextToolUse, ConversationFact):
        table.unscoped.update(owner=alice.workspace)
    path = f"/api/messages/conversations/{conversation_of(number, CALLEE).pk}"

    (use,) = alice.api("GET", f"{path}/tool-uses").json()["results"]
    (fact,) = alice.api("GET", path).json()["facts"]

    assert (use["name"], use["status"]) == ("note_fact", "ok")
    assert use["text"] == "Noted: size."
    assert (fact["name"], fact["value"]) == ("size", "4")
    assert mallory.api("GET", f"{path}/tool-uses").status_code == 404
