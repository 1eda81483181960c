"""Tools through the API, and which of them an agent can be given."""

import json

import pytest
from django.db import connection

from accounts.models import AuditEntry
from agents.models import Tool
from agents.services import tools as services
from tests.stub_service import stub_service

__all__ = ["stub_service"]

pytestmark = pytest.mark.django_db
UNKNOWN = "01930000-0000-7000-8000-000000000000"
NEW = {
    "name": "find_order",
    "description": "Finds an order.",
    "parameters": {
        "type": "object",
        "properties": {"number": {"type": "string"}},
        "required": ["number"],
    },
    "url": "https://shop.example/orders/{number}",
    "secret_headers": {"Authorization": "Bearer hush"},
}


AGENT = {"name": "Reception", "instructions": "Hi."}


def make(tenant, **fields):
    answer = tenant.api("POST", "/api/tools", NEW | fields)
    assert answer.status_code == 201, answer.content
    return answer.json()


def make_agent(tenant, **fields):
    answer = tenant.api(
        "POST", "/api/agents", {"name": "Reception", "instructions": "Hi."} | fields
    )
    assert answer.status_code == 201, answer.content
    return answer.json()


def errors(answer):
    assert answer.status_code == 400, answer.content
    return answer.json()["errors"]


def test_tool_is_made_read_changed_and_deleted(alice):
    tool = make(alice)
    path = f"/api/tools/{tool['id']}"

    assert {name: tool[name] for name in tool if not name.endswith("_at")} == {
        "id": tool["id"],
        **{name: value for name, value in NEW.items() if name != "secret_headers"},
        "method": "GET",
        "headers": {},
        "secret_header_names": ["Authorization"],
        "timeout_s": 5,
        "meanwhile": "",
        "last_status": "",
        "is_deleted": False,
    }
    assert alice.api("GET", path).json() == tool
    assert alice.api("GET", "/api/tools").json()["results"] == [tool]
    changed = alice.api("PATCH", path, {"timeout_s": 9, "method": "POST"}).json()
    assert (changed["timeout_s"], changed["method"]) == (9, "POST")
    replaced = alice.api("PUT", path, {k: NEW[k] for k in NEW if k != "secret_headers"})
    assert (replaced.json()["timeout_s"], replaced.json()["method"]) == (5, "GET")
    assert replaced.json()["secret_header_names"] == ["Authorization"]
    assert alice.api("DELETE", path).status_code == 204
    assert alice.api("GET", path).status_code == 404
    assert make(alice)["id"] != tool["id"]


def test_secrets_are_set_replaced_and_removed_one_by_one(alice):
    path = f"/api/tools/{make(alice)['id']}"

    alice.api("PATCH", path, {"secret_headers": {"X-Key": "one", "X-Other": "two"}})
    alice.api("PATCH", path, {"secret_headers": {"x-key": "three", "X-Other": None}})

    assert Tool.unscoped.get().secret_headers == {
        "Authorization": "Bearer hush",
        "x-key": "three",
    }


def test_secrets_are_nowhere_to_be_read(alice):
    path = f"/api/tools/{make(alice)['id']}"
    alice.api("PATCH", path, {"secret_headers": {"Authorization": "Bearer hush hush"}})

    answers = [alice.api("GET", path), alice.api("GET", "/api/tools")]
    told = [entry.changes for entry in AuditEntry.unscoped.filter(kind="tool")]
    with connection.cursor() as cursor:
        cursor.execute("select * from agents_tool")
        stored = str(cursor.fetchall())

    assert len(told) == 2
    assert "hush" not in "".join(a.content.decode() for a in answers)
    assert "hush" not in json.dumps(told)
    assert "hush" not in stored


def test_secrets_do_not_follow_to_another_host(alice):
    """Else whoever may change a tool could send them to a host of their own."""
    path = f"/api/tools/{make(alice)['id']}"
    moved = {"url": "https://evil.example/{number}"}

    refused = alice.api("PATCH", path, moved)

    assert refused.status_code == 409
    assert "Authorization" in refused.json()["detail"]
    assert Tool.unscoped.get().url == NEW["url"]
    entered = {"secret_headers": {"Authorization": "Bearer hush"}}
    assert alice.api("PATCH", path, moved | entered).status_code == 200
    removed = {"secret_headers": {"Authorization": None}}
    assert alice.api("PATCH", path, NEW | removed).status_code == 200


def test_path_on_the_same_host_keeps_the_secrets(alice):
    path = f"/api/tools/{make(alice)['id']}"

    alice.api("PATCH", path, {"url": "https://SHOP.example:443/v2/{number}"})

    assert Tool.unscoped.get().secret_headers == {"Authorization": "Bearer hush"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "find order"}, "name"),
        ({"name": "1st"}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "end_call"}, "name"),
        ({"description": ""}, "description"),
        ({"parameters": {"type": "string"}}, "parameters"),
        ({"parameters": {"type": "object", "$ref": "http://x/"}}, "parameters"),
        ({"parameters": "object"}, "parameters"),
        ({"parameters": {"type": "object"}}, "url"),
        ({"method": "TRACE"}, "method"),
        ({"url": "https://127.0.0.1/{number}"}, "url"),
        ({"url": "https://{number}.example/"}, "url"),
        ({"url": "https://a:b@shop.example/"}, "url"),
        ({"headers": {"Host": "evil.example"}}, "headers"),
        ({"headers": {"X": "a\nb"}}, "headers"),
        ({"headers": {"authorization": "x"}}, "secret_headers"),
        ({"secret_headers": {"Host": "evil.example"}}, "secret_headers"),
        ({"secret_headers": {"X": "ключ"}}, "secret_headers"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": 21}, "timeout_s"),
        ({"meanwhile": "x" * 201}, "meanwhile"),
        ({"last_status": "ok", "unknown": 1}, "unknown"),
    ],
)
def test_tool_is_refused(alice, fields, field):
    answer = alice.api("POST", "/api/tools", NEW | fields)

    assert list(errors(answer)) == [field]
    assert not Tool.unscoped.exists()


def test_name_is_taken_once_in_a_workspace(alice, mallory):
    make(alice)

    assert alice.api("POST", "/api/tools", NEW).status_code == 400
    make(mallory)


def test_tool_of_another_workspace_does_not_exist(alice, mallory):
    path = f"/api/tools/{make(alice)['id']}"

    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert mallory.api(method, path, body).status_code == 404
    assert mallory.api("POST", f"{path}/test", {}).status_code == 404
    assert mallory.api("GET", "/api/tools").json()["results"] == []


# -- Agents ----------------------------------------------------------------------------


def test_agent_is_given_tools(alice):
    tool = make(alice)["id"]

    agent = make_agent(alice, tools=["end_call", tool, "note_fact", tool])

    assert agent["tools"] == ["end_call", tool, "note_fact"]
    path = f"/api/agents/{agent['id']}"
    changed = alice.api("PATCH", path, {"tools": [tool]})
    assert changed.json()["tools"] == [tool]
    assert alice.api("PATCH", path, {"name": "Desk"}).json()["tools"] == [tool]
    assert (
        alice.api("PUT", path, {"name": "Desk", "instructions": "Hi."}).json()["tools"]
        == []
    )


@pytest.mark.parametrize("unknown", ["foreign", UNKNOWN, "transfer_call", "nothing"])
def test_agent_is_not_given_what_is_unknown(alice, mallory, unknown):
    name = make(mallory)["id"] if unknown == "foreign" else unknown

    answer = alice.api(
        "POST", "/api/agents", {"name": "Desk", "instructions": "Hi.", "tools": [name]}
    )

    assert errors(answer) == {"tools": [f"Unknown tool: {name}"]}


def test_tool_in_use_cannot_be_deleted_and_says_by_whom(alice):
    tool = make(alice)["id"]
    agent = make_agent(alice, tools=[tool])

    answer = alice.api("DELETE", f"/api/tools/{tool}")

    assert answer.status_code == 409
    assert "Reception" in answer.json()["detail"]
    alice.api("PATCH", f"/api/agents/{agent['id']}", {"tools": []})
    assert alice.api("DELETE", f"/api/tools/{tool}").status_code == 204


def test_deleted_tool_disappears_from_agents(alice):
    tool = make(alice)["id"]
    agent = make_agent(alice, tools=[tool, "end_call"])
    Tool.unscoped.get().put_away()

    changed = alice.api("PATCH", f"/api/agents/{agent['id']}", {"name": "Desk"})

    assert changed.json()["tools"] == ["end_call"]


# -- Tests -----------------------------------------------------------------------------


def test_test_sends_the_request(alice, stub_service):
    tool = make(alice, url=f"{stub_service.url}/orders/{{number}}")

    answer = alice.api(
        "POST", f"/api/tools/{tool['id']}/test", {"arguments": {"number": "4711"}}
    )

    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["text"]) == ("ok", '{"temperature": 21}')
    (request,) = stub_service.requests
    assert request["path"] == "/orders/4711"
    assert request["headers"]["Authorization"] == "Bearer hush"
    assert AuditEntry.unscoped.filter(kind="tool", action="tested").count() == 1


def test_test_tells_what_is_wrong(alice, stub_service, settings):
    tool = make(alice, url=f"{stub_service.url}/orders/{{number}}")
    path = f"/api/tools/{tool['id']}/test"
    settings.TOOL_ALLOWED_HOSTS = []

    bare = alice.api("POST", path, {}).json()
    private = alice.api("POST", path, {"arguments": {"number": "1"}}).json()

    assert (bare["status"], bare["text"]) == (
        "refused",
        "'number' is a required property",
    )
    assert (private["status"], "private" in private["text"]) == ("refused", True)
    assert stub_service.requests == []


def test_tests_are_limited(alice, stub_service, settings, broker_url, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setattr(services, "TESTS_A_MINUTE", 0)
    tool = make(alice, url=f"{stub_service.url}/{{number}}")

    answer = alice.api(
        "POST", f"/api/tools/{tool['id']}/test", {"arguments": {"number": "1"}}
    )

    assert answer.status_code == 429
    assert int(answer["Retry-After"]) <= 60
    assert stub_service.requests == []
