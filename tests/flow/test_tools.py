"""An agent asks a service during a call, through real processes and real sockets."""

import pytest

from tests.flow.tenant import GREETING, Business

pytestmark = pytest.mark.flow

QUESTION = "Where is my order forty-seven eleven?"
MEANWHILE = "One moment, I am looking it up."
REPLY = "It arrives on Monday. Goodbye!"
FIND_ORDER = {
    "name": "find_order",
    "description": "Finds an order by its number.",
    "parameters": {
        "type": "object",
        "properties": {"number": {"type": "string"}},
        "required": ["number"],
    },
    "secret_headers": {"Authorization": "Bearer hush"},
    "meanwhile": MEANWHILE,
}


def asks_for(tool, **arguments):
    return [{"name": tool, "arguments": arguments}]


def test_agent_asks_a_service_and_speaks_its_answer(
    talking_stack, carrier, model, service
):
    service.answer = {"arrives": "on Monday"}
    service.requests.clear()  # of the tests before
    business = Business(talking_stack, carrier)
    url = f"{service.url}/orders/{{number}}"
    tool = business.ask("POST", "/api/tools", FIND_ORDER | {"url": url})
    tried = business.ask(
        "POST", f"/api/tools/{tool['id']}/test", {"arguments": {"number": "1"}}
    )
    business.put_agent(tools=[tool["id"], "note_fact", "end_call"])
    model.plan(
        mode="script",
        replies=[
            asks_for("find_order", number="4711"),
            asks_for("note_fact", name="order", value="4711"),
            REPLY,
        ],
    )

    done = {"wait_for": "agent_done"}
    script = [{"say": QUESTION}, done, done, {"hang_up": True}]  # meanwhile, and reply
    sid = carrier.ring(business.number, script)
    carrier.wait_for_end(sid)
    business.settled(sid)

    assert (tried["status"], tried["text"]) == ("ok", '{"arrives": "on Monday"}')
    assert [one["path"] for one in service.requests] == ["/orders/1", "/orders/4711"]
    assert service.requests[1]["headers"]["Authorization"] == "Bearer hush"
    assert business.transcript(sid, 6) == [
        ("agent", GREETING),
        ("caller", QUESTION),
        ("agent", MEANWHILE),
        ("tool", '{"arrives": "on Monday"}'),
        ("tool", "Noted: order."),
        ("agent", REPLY),
    ]
    call = business.call(sid)
    used = call["turns"][3]["tool"]
    assert (used["name"], used["status"]) == ("find_order", "ok")
    assert [(fact["name"], fact["value"]) for fact in call["facts"]] == [
        ("order", "4711")
    ]
    stored = business.ask("GET", f"/api/tools/{tool['id']}")
    assert (stored["last_status"], stored["secret_header_names"]) == (
        "ok",
        ["Authorization"],
    )
