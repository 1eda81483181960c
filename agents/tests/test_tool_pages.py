import json
import re

import pytest

from agents.forms.tools import parameter_rows, schema_of
from agents.models import Tool, VoiceAgent
from agents.services import tools as services
from agents.tests.rows import make_agent
from agents.tests.test_pages import HTMX, follow, form_data, text_of
from agents.tests.test_toolbox import make_tool
from tests.stub_service import stub_service

__all__ = ["stub_service"]

pytestmark = pytest.mark.django_db

ORDER = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "description": "The order's number."},
        "count": {"type": "integer"},
    },
    "required": ["number"],
    "additionalProperties": False,
}
NESTED = {
    "type": "object",
    "properties": {"lines": {"type": "array", "items": {"type": "string"}}},
}


def posted(rows=(), headers=(), **fields):
    """What a browser sends for the form of a tool."""
    data = {
        "name": "find_order",
        "description": "Finds an order.",
        "method": "GET",
        "url": "https://shop.example/orders",
        "timeout_s": "5",
        "meanwhile": "",
        "described_as": "rows",
        "schema": "",
        **fields,
    }
    for prefix, given in (("parameter", rows), ("header", headers)):
        data[f"{prefix}-TOTAL_FORMS"] = str(len(given) + 2)
        data[f"{prefix}-INITIAL_FORMS"] = "0"
        for index, row in enumerate(given):
            data |= {f"{prefix}-{index}-{name}": value for name, value in row.items()}
    return data


def as_schema(text):
    return posted(described_as="schema", schema=text)


NUMBER = {"name": "number", "type": "string", "description": "The order's number."}
ROWS = [NUMBER | {"is_required": "on"}, {"name": "count", "type": "integer"}]


def test_list_without_tools_offers_to_make_one(alice):
    page = alice.client.get("/tools")

    assert "No tools yet" in text_of(page)
    assert 'href="/tools/new"' in page.content.decode()


def test_list_shows_who_uses_what(alice, mallory):
    tool = make_tool(alice.workspace)
    make_agent(alice.workspace, tools=[str(tool.pk)])
    make_tool(mallory.workspace, "not_hers")
    tool.note_use("timed_out")

    words = text_of(alice.client.get("/tools"))

    assert "find_order GET https://orders.example/ 1 agent" in words
    assert "Took too long" in words
    assert "not_hers" not in words


def test_tool_is_made_from_rows(alice):
    headers = [
        {"name": "Accept-Language", "value": "en"},
        {"name": "Authorization", "value": "Bearer hush", "is_secret": "on"},
    ]
    url = "https://shop.example/orders/{number}"

    answer = alice.client.post("/tools/new", posted(ROWS, headers, url=url))

    tool = Tool.unscoped.get()
    assert answer.headers["Location"] == tool.get_absolute_url()
    assert tool.parameters == ORDER
    assert tool.headers == {"Accept-Language": "en"}
    assert tool.secret_headers == {"Authorization": "Bearer hush"}
    assert tool.url == url


def test_tool_is_made_from_a_schema(alice):
    fields = {"described_as": "schema", "schema": json.dumps(NESTED)}

    alice.client.post("/tools/new", posted(**fields))

    assert Tool.unscoped.get().parameters == NESTED


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (posted(name="find order"), "Letters, digits, underscores"),
        (posted(name="end_call"), "A built-in tool has this name."),
        (posted(url="https://127.0.0.1/"), "inside a private network"),
        (posted(ROWS, url="https://shop.example/{count}"), "make it a required"),
        (posted([NUMBER, NUMBER]), "A parameter is described twice."),
        (posted([{"name": "1st"}]), "a letter first"),
        (posted(described_as="schema", schema="{"), "This is not JSON"),
        (
            posted(described_as="schema", schema='{"type": "object", "$ref": "#"}'),
            "$ref",
        ),
        (
            posted(
                described_as="schema", schema='{"type": "object", "title": "\\u0000"}'
            ),
            "odd",
        ),
        (
            posted(
                described_as="schema", schema='{"type": "object", "title": "\\ud800"}'
            ),
            "odd",
        ),
        (posted(headers=[{"name": "Host", "value": "x"}]), "not a header that a tool"),
        (posted(headers=[{"name": "X", "value": "1"}] * 2), "A header is given twice."),
        (
            posted(
                headers=[
                    {"name": "X-Key", "value": "1"},
                    {"name": "x-key", "value": "2", "is_secret": "on"},
                ]
            ),
            "is among the other headers",
        ),
        ({}, "This could not be saved yet."),
    ],
)
def test_tool_is_refused(alice, data, told):
    answer = alice.client.post("/tools/new", data)

    assert answer.status_code == 422
    assert told in text_of(answer)
    assert not Tool.unscoped.exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_more_rows_are_asked_for_without_saving(alice, headers):
    data = posted(ROWS, add="parameter")

    answer = alice.client.post("/tools/new", data, headers=headers)

    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'name="parameter-5-name"' in page
    assert 'name="parameter-6-name"' not in page
    assert 'value="number"' in page
    assert not Tool.unscoped.exists()


def test_tool_is_changed_and_keeps_its_secrets(alice):
    tool = make_tool(alice.workspace, parameters=ORDER)
    tool.secret_headers = {"A": "hush-1", "B": "hush-2", "C": "hush-3"}
    tool.save()
    changes = {"secret-1-value": "new", "secret-2-is_removed": "on"}

    page = alice.client.get(tool.get_absolute_url())
    alice.client.post(
        tool.get_absolute_url(), posted(ROWS, url=tool.url, timeout_s="9", **changes)
    )

    assert "hush" not in page.content.decode()
    tool = Tool.unscoped.get()
    assert tool.timeout_s == 9
    assert tool.secret_headers == {"A": "hush-1", "B": "new"}


def test_secrets_do_not_follow_to_another_host(alice):
    tool = make_tool(alice.workspace)
    tool.secret_headers = {"Authorization": "Bearer hush"}
    tool.save()
    moved = posted(url="https://evil.example/")

    refused = alice.client.post(tool.get_absolute_url(), moved)

    assert refused.status_code == 422
    assert "Enter the secret headers again" in text_of(refused)
    assert Tool.unscoped.get().url == tool.url
    alice.client.post(tool.get_absolute_url(), moved | {"secret-0-value": "Bearer new"})
    assert Tool.unscoped.get().secret_headers == {"Authorization": "Bearer new"}


def test_tool_of_another_workspace_is_not_found(alice, mallory):
    path = make_tool(alice.workspace).get_absolute_url()

    assert mallory.client.get(path).status_code == 404
    assert mallory.client.post(path, posted()).status_code == 404
    assert mallory.client.post(f"{path}/test").status_code == 404
    assert mallory.client.post(f"{path}/delete").status_code == 404


def test_rows_say_what_they_can():
    assert schema_of(parameter_rows(ORDER)) == ORDER
    assert parameter_rows({"type": "object"}) == []
    assert parameter_rows(NESTED) is None
    assert parameter_rows(ORDER | {"description": "x"}) is None
    for odd in ({}, {"type": ["string", "null"]}, {"type": "string", "enum": ["a"]}):
        assert parameter_rows({"type": "object", "properties": {"a": odd}}) is None


def test_tool_in_use_is_not_deleted(alice):
    tool = make_tool(alice.workspace)
    agent = make_agent(alice.workspace, tools=[str(tool.pk)])

    words = follow(alice.client, f"{tool.get_absolute_url()}/delete")

    assert "“find_order” was not deleted. These agents have it: Reception" in words
    agent.tools = []
    agent.save()
    assert "“find_order” is deleted." in follow(
        alice.client, f"{tool.get_absolute_url()}/delete"
    )


# -- Tests -----------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_test_shows_what_the_model_is_shown(alice, stub_service, headers):
    tool = make_tool(
        alice.workspace, url=f"{stub_service.url}/orders/{{number}}", parameters=ORDER
    )
    stub_service.answer = {"arrives": "<b>tomorrow</b>"}

    answer = alice.client.post(
        f"{tool.get_absolute_url()}/test",
        {"test-number": "4711", "test-count": "2"},
        headers=headers,
    )

    assert answer.status_code == 200
    assert stub_service.requests[0]["path"] == "/orders/4711?count=2"
    assert re.search(r"Done after \d+ ms", text_of(answer))
    assert "&lt;b&gt;tomorrow" in answer.content.decode()
    assert ("<html" in answer.content.decode()) == (not headers)


def test_test_says_what_to_do_about_a_failure(alice, stub_service):
    tool = make_tool(alice.workspace, url=f"{stub_service.url}/status/404")

    words = text_of(alice.client.post(f"{tool.get_absolute_url()}/test"))

    assert "Failed after" in words
    assert 'answered with status 404. {"error": "no such order"}' in words
    assert "is the address right" in words


def test_test_wants_what_is_required(alice, stub_service):
    tool = make_tool(alice.workspace, url=f"{stub_service.url}/", parameters=ORDER)

    answer = alice.client.post(
        f"{tool.get_absolute_url()}/test", {"test-count": "x"}, headers=HTMX
    )

    assert answer.status_code == 422
    assert stub_service.requests == []


def test_tests_are_limited(alice, stub_service, settings, broker_url, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setattr(services, "TESTS_A_MINUTE", 0)
    tool = make_tool(alice.workspace, url=f"{stub_service.url}/")

    answer = alice.client.post(f"{tool.get_absolute_url()}/test", headers=HTMX)

    assert answer.status_code == 429
    assert "Too many tests" in text_of(answer)
    assert stub_service.requests == []


def test_test_form_has_an_input_for_each_kind_of_parameter(alice, stub_service):
    kinds = {
        "text": {"type": "string"},
        "choice": {"type": "string", "enum": ["a", "b"]},
        "whole": {"type": "integer"},
        "number": {"type": "number"},
        "truth": {"type": "boolean"},
        "list": {"type": "array"},
        "left_out": {"type": "string"},
    }
    tool = make_tool(
        alice.workspace,
        url=f"{stub_service.url}/",
        method="POST",
        parameters={"type": "object", "properties": kinds},
    )
    given = {"text": " x ", "choice": "b", "whole": "3", "number": "0.5"}
    given |= {"truth": "false", "list": "[1, 2]"}

    alice.client.post(
        f"{tool.get_absolute_url()}/test", {f"test-{n}": v for n, v in given.items()}
    )

    (request,) = stub_service.requests
    assert json.loads(request["body"]) == {
        "text": " x ",
        "choice": "b",
        "whole": 3,
        "number": 0.5,
        "truth": False,
        "list": [1, 2],
    }


# -- Agents ----------------------------------------------------------------------------


def test_agent_page_offers_tools(alice, mallory):
    tool = make_tool(alice.workspace)
    make_tool(mallory.workspace, "not_hers")
    agent = make_agent(alice.workspace, tools=["end_call"])

    words = text_of(alice.client.get(agent.get_absolute_url()))
    data = form_data(agent) | {"tools": ["note_fact", str(tool.pk)]}
    alice.client.post(agent.get_absolute_url(), data)

    assert "Built in End the call" in words
    assert "find_order Finds one." in words
    assert "Transfer the call" not in words
    assert "not_hers" not in words
    assert VoiceAgent.unscoped.get().tools == ["note_fact", str(tool.pk)]


def test_agent_is_not_given_a_foreign_tool(alice, mallory):
    foreign = make_tool(mallory.workspace)
    agent = make_agent(alice.workspace)

    answer = alice.client.post(
        agent.get_absolute_url(), form_data(agent) | {"tools": [str(foreign.pk)]}
    )

    assert answer.status_code == 422
    assert VoiceAgent.unscoped.get().tools == []
