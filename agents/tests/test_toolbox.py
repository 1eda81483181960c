import asyncio

import pytest

from agents.models import Tool
from agents.tests.rows import make_agent
from agents.tools import Outcome, Toolbox
from agents.tools import toolbox as module
from tests.stub_service import stub_service

__all__ = ["stub_service"]

pytestmark = pytest.mark.django_db(transaction=True)


def make_tool(owner, name="find_order", url="https://orders.example/", **fields):
    tool = Tool(owner=owner, name=name, url=url, description="Finds one.", **fields)
    tool.save()
    return tool


def give(agent, *tools):
    agent.tools += [str(tool.pk) for tool in tools]
    agent.save()


def use(toolbox, name, arguments="{}"):
    async def run():
        outcome = await toolbox.run(name, arguments)
        await asyncio.gather(*module._notes)
        return outcome

    return asyncio.run(run())


def names(toolbox):
    return [schema["function"]["name"] for schema in toolbox.schemas]


async def note(given):
    return f"Noted {given['name']}."


FACT = '{"name": "party_size", "value": "4"}'


def test_agent_without_tools_has_none(alice):
    toolbox = Toolbox.of(make_agent(alice.workspace), {"note_fact": note})

    assert toolbox.schemas == ()
    assert use(toolbox, "note_fact", FACT) == Outcome(
        "refused", "There is no tool of this name.", 0
    )


def test_agent_has_its_own_tools_only(alice, mallory):
    agent = make_agent(alice.workspace)
    give(agent, make_tool(alice.workspace, meanwhile="One moment."))
    make_tool(alice.workspace, "not_given")
    give(agent, make_tool(mallory.workspace, "foreign"))
    gone = make_tool(alice.workspace, "gone")
    give(agent, gone)
    gone.put_away()

    toolbox = Toolbox.of(agent, {})

    assert toolbox.schemas == (
        {
            "type": "function",
            "function": {
                "name": "find_order",
                "description": "Finds one.",
                "parameters": {"type": "object", "properties": {}},
            },
        },
    )
    assert toolbox.meanwhile("find_order") == "One moment."
    assert toolbox.meanwhile("not_given") == ""


def test_built_in_is_offered_when_it_can_be_done(alice):
    chosen = ["note_fact", "end_call", "transfer_call", "end_calls"]
    agent = make_agent(alice.workspace, tools=chosen)

    assert names(Toolbox.of(agent, {"note_fact": note})) == ["end_call", "note_fact"]
    assert names(Toolbox.of(agent, {})) == ["end_call"]


def test_transfer_comes_with_a_number(alice):
    agent = make_agent(alice.workspace)
    agent.transfer_number, agent.transfer_message = "+15005550009", "I connect you."

    toolbox = Toolbox.of(agent, {})

    assert names(toolbox) == ["transfer_call"]
    assert toolbox.meanwhile("transfer_call") == "I connect you."
    assert names(Toolbox.of(agent, {}, withheld={"transfer_call"})) == []


def test_built_in_does_what_it_was_given(alice):
    agent = make_agent(alice.workspace, tools=["note_fact"])
    toolbox = Toolbox.of(agent, {"note_fact": note})

    assert use(toolbox, "note_fact", FACT).text == "Noted party_size."
    refused = use(toolbox, "note_fact", '{"name": "x"}')
    assert (refused.status, refused.text) == (
        "refused",
        "'value' is a required property",
    )


@pytest.mark.parametrize("is_late", [False, True])
def test_built_in_that_breaks_is_an_outcome(alice, monkeypatch, is_late):
    async def broken(given):
        if is_late:
            await asyncio.sleep(5)
        raise RuntimeError("a bug")

    monkeypatch.setattr(module, "BUILT_IN_TIMEOUT_S", 0.05)
    agent = make_agent(alice.workspace, tools=["note_fact"])
    outcome = use(Toolbox.of(agent, {"note_fact": broken}), "note_fact", FACT)

    assert outcome.status == ("timed_out" if is_late else "failed")


def test_http_tool_is_used_and_remembers_it(alice, stub_service):
    agent = make_agent(alice.workspace)
    tool = make_tool(alice.workspace, url=f"{stub_service.url}/answer")
    tool.secret_headers = {"Authorization": "Bearer hush"}
    tool.save()
    give(agent, tool)

    outcome = use(Toolbox.of(agent, {}), "find_order")

    assert (outcome.status, outcome.text) == ("ok", '{"temperature": 21}')
    (request,) = stub_service.requests
    assert request["headers"]["Authorization"] == "Bearer hush"
    tool.refresh_from_db()
    assert tool.last_status == "ok"
    assert tool.last_used_at is not None


def test_secrets_are_encrypted_at_rest(alice):
    from django.db import connection

    tool = make_tool(alice.workspace)
    tool.secret_headers = {"Authorization": "Bearer hush"}
    tool.save()

    with connection.cursor() as cursor:
        cursor.execute("select sealed_headers from agents_tool")
        (sealed,) = cursor.fetchone()
    assert "hush" not in sealed
    assert Tool.unscoped.get().secret_headers == {"Authorization": "Bearer hush"}
