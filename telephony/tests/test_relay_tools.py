"""Tools in the live session, over a real server on a real socket."""

import json

import pytest

from telephony import session
from telephony.models import Turn
from telephony.tests.conftest import (
    WITHIN_S,
    ended,
    make_number,
    relay_session,
    transcript,
    wait_for_end,
)
from telephony.tests.toolboxes import give_tools
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

LOOK_UP = [{"name": "opening_hours", "arguments": {"day": "Friday"}}]


@pytest.fixture
def number(live, stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    return make_number()


@pytest.fixture
def toolbox(monkeypatch):
    return give_tools(monkeypatch)


def asks_for(name, **arguments):
    return [{"name": name, "arguments": arguments}]


def tools_of(call):
    """Each use of a tool as it is stored: name, status and text."""
    turns = Turn.unscoped.filter(call=call, speaker="tool").order_by("number")
    return [(turn.tool["name"], turn.tool["status"], turn.text) for turn in turns]


def test_tool_is_used_in_the_call(live, number, stub_llm, toolbox):
    stub_llm.configure(mode="script", replies=(LOOK_UP, "From 9 to 17 on Friday."))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("Are you open on Friday?") == "Let me look that up."
        assert caller.hear() == "From 9 to 17 on Friday."

    assert toolbox.used == [("opening_hours", {"day": "Friday"})]
    assert [m["role"] for m in stub_llm.requests[1]["messages"]] == [
        *("system", "assistant", "user", "assistant", "tool")
    ]
    assert stub_llm.requests[1]["messages"][-1]["content"] == "9 to 17 on Friday"
    assert transcript(call)[1:] == [
        ("caller", "Are you open on Friday?"),
        ("agent", "Let me look that up."),
        ("tool", "9 to 17 on Friday"),
        ("agent", "From 9 to 17 on Friday."),
    ]
    used = Turn.unscoped.get(call=call, speaker="tool").tool
    assert used.pop("elapsed_ms") < 1000
    assert used == {
        "name": "opening_hours",
        "arguments": '{"day": "Friday"}',
        "status": "ok",
    }


def test_caller_speaks_on_while_a_tool_works(live, number, stub_llm, toolbox):
    stub_llm.configure(
        mode="script", replies=(asks_for("slow", day="Monday"), "Yes, I hear you.")
    )
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.say("Are you open on Monday?")
        wait_until(lambda: toolbox.used, WITHIN_S, "the tool works")
        assert caller.ask("Hello?") == "Yes, I hear you."
        wait_until(
            lambda: [status for _name, status, _text in tools_of(call)] == ["ok"],
            WITHIN_S,
            "its answer is written",
        )

    assert len(stub_llm.requests) == 2
    assert tools_of(call) == [("slow", "ok", "9 to 17 on Monday")]


def test_tool_that_never_answers_is_given_up(
    live, number, stub_llm, toolbox, monkeypatch
):
    monkeypatch.setattr(session, "TOOL_WITHIN_S", 0.2)
    stub_llm.configure(mode="script", replies=(asks_for("never"), "I cannot see it."))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("When?") == "I cannot see it."

    assert tools_of(call) == [("never", "timed_out", session.TOOK_TOO_LONG)]
    assert toolbox.let_go == ["never"]


def test_tool_that_breaks_is_the_models_to_explain(live, number, stub_llm, toolbox):
    stub_llm.configure(mode="script", replies=(asks_for("broken"), "It is broken."))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("When?") == "It is broken."

    assert tools_of(call) == [("broken", "failed", session.OUT_OF_ORDER)]


def test_pause_of_a_tool_is_filled(live, number, stub_llm, toolbox):
    number.agent.filler_after_ms = 100
    number.agent.save()
    stub_llm.configure(mode="script", replies=(asks_for("slow"), "There it is."))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("When?") == "One moment, please. There it is."


def test_silence_is_not_counted_while_a_tool_works(live, number, stub_llm, toolbox):
    number.agent.silence_reminders = 0
    number.agent.silence_timeout_s = 1
    number.agent.greeting_mode = "caller_first"
    number.agent.save()
    toolbox.slow_s = 1.3
    stub_llm.configure(mode="script", replies=(asks_for("slow"), "There it is."))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.say("When?")
        assert caller.hear() == "There it is."


def test_caller_who_hangs_up_leaves_no_tool_at_work(live, number, stub_llm, toolbox):
    stub_llm.configure(mode="script", replies=(asks_for("never"),))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.say("When?")
        wait_until(lambda: toolbox.used, WITHIN_S, "the tool works")
        caller.hang_up()

    wait_for_end(call, "caller_hung_up")
    assert tools_of(call) == [("never", "abandoned", "")]
    assert toolbox.let_go == ["never"]


def test_agent_ends_the_call_for_a_reason(live, number, stub_llm, toolbox):
    asked = [{"say": "See you then."}, *asks_for("end_call", reason="booked")]
    stub_llm.configure(mode="script", replies=(asked,))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("That is all.") == "See you then."
        assert json.loads(caller.receive()["handoffData"]) == {"reason": "agent_ended"}

    assert ended(call) == ("in-progress", "agent_ended")
    assert call.end_detail == "booked"


def test_transfer_is_handed_to_the_carrier(live, number, stub_llm, toolbox):
    asked = asks_for("transfer_call", to="sales", reason="wants a person")
    stub_llm.configure(mode="script", replies=([{"say": "One moment."}, *asked],))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("A person, please.")
        handoff = json.loads(caller.receive()["handoffData"])

    assert handoff == {"reason": "transfer", "to": "sales", "why": "wants a person"}


def test_model_cannot_use_what_it_was_not_offered(live, number, stub_llm):
    stub_llm.configure(mode="script", replies=(LOOK_UP, "I do not know."))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("When?") == "I do not know."

    assert tools_of(call)[0][:2] == ("opening_hours", "refused")
    assert "tools" not in stub_llm.requests[0]
