"""Message agents through the API."""

import pytest

from accounts.models import Membership
from agents.models import MessageAgent, Tool
from agents.tests.rows import make_phone
from telephony.models import CarrierAccount

pytestmark = pytest.mark.django_db
UNKNOWN = "01930000-0000-7000-8000-000000000000"
PATH = "/api/message-agents"
HOURS = {"timezone": "Europe/Berlin", "days": {"mon": [["09:00", "17:00"]]}}


@pytest.fixture
def phone(alice):
    return make_phone(alice.workspace)


def make(tenant, **fields):
    body = {"name": "Desk", "instructions": "Be brief."} | fields
    answer = tenant.api("POST", PATH, body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_message_agent_is_made_read_changed_and_deleted(alice):
    agent = make(alice, business_hours=HOURS)
    path = f"{PATH}/{agent['id']}"

    changed = alice.api("PATCH", path, {"reply_delay_s": 0}).json()

    assert changed["reply_delay_s"] == 0
    assert alice.api("GET", path).json() == changed
    assert alice.api("GET", PATH).json()["results"] == [changed]
    assert alice.api("DELETE", path).status_code == 204
    assert alice.api("GET", path).status_code == 404
    assert MessageAgent.unscoped.get().is_deleted
    assert make(alice)["name"] == "Desk"


def test_a_message_agent_has_all_fields_of_the_contract(alice):
    agent = make(alice)

    own = {"id", "is_deleted", "created_at", "updated_at"}
    assert {name: agent[name] for name in agent.keys() - own} == {
        "name": "Desk",
        "phone_id": None,
        "is_active": False,
        "prompt_id": None,
        "prompt_version": None,
        "instructions": "Be brief.",
        "variables": {},
        "model": "",
        "temperature": 0.4,
        "max_tokens": 300,
        "history_limit": 30,
        "reply_delay_s": 5,
        "handoff_phrases": [],
        "business_hours": {},
        "away_message": "",
        "tools": [],
        "knows_contact": False,
    }


def test_put_replaces_and_patch_changes(alice):
    agent = make(alice, away_message="Closed.", business_hours=HOURS, history_limit=9)
    path = f"{PATH}/{agent['id']}"

    patched = alice.api("PATCH", path, {"away_message": "Gone."}).json()
    put = alice.api("PUT", path, {"name": "Front", "instructions": "New."}).json()

    assert (patched["away_message"], patched["history_limit"]) == ("Gone.", 9)
    assert patched["business_hours"] == HOURS
    replaced = ("name", "away_message", "business_hours", "history_limit")
    assert [put[name] for name in replaced] == ["Front", "", {}, 30]


def test_a_post_with_a_key_is_done_once(alice):
    body = {"name": "Desk", "instructions": "Be brief."}
    token = {"HTTP_IDEMPOTENCY_KEY": "once"}

    first, again = (alice.api("POST", PATH, body, **token) for _ in range(2))
    other = alice.api("POST", PATH, body | {"name": "Other"}, **token)

    assert (again.status_code, again.json()) == (201, first.json())
    assert other.status_code == 409
    assert MessageAgent.unscoped.count() == 1


def test_activating_replaces_the_agent_on_the_phone_and_says_which(alice, phone):
    first = make(alice, name="A", phone_id=str(phone.pk), is_active=True)
    second = make(alice, name="B", phone_id=str(phone.pk))

    answer = alice.api("POST", f"{PATH}/{second['id']}/activate")
    rested = alice.api("POST", f"{PATH}/{second['id']}/deactivate")

    assert answer.status_code == 200
    assert answer.json()["deactivated"] == [first["id"]]
    assert answer.json()["is_active"] is True
    assert rested.json()["is_active"] is False
    assert not MessageAgent.unscoped.filter(is_active=True).exists()


def test_without_a_phone_it_cannot_be_activated(alice):
    agent = make(alice)

    assert alice.api("POST", f"{PATH}/{agent['id']}/activate").status_code == 409


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("max_tokens", 15),
        ("temperature", 2.1),
        ("history_limit", 0),
        ("history_limit", 201),
        ("reply_delay_s", -1),
        ("reply_delay_s", 61),
        ("handoff_phrases", ["x"] * 21),
        ("handoff_phrases", ["x" * 101]),
        ("business_hours", None),
        ("business_hours", "always"),
        ("business_hours", [1]),
        ("business_hours", {"timezone": "UTC", "days": {"mon": [["17:00", "09:00"]]}}),
        ("away_message", "x" * 481),
        ("greeting", "Hello"),
        ("phone_id", "x"),
    ],
)
def test_a_wrong_field_is_refused_beside_it(field, value, alice):
    body = {"name": "Desk", "instructions": "Be brief.", field: value}

    answer = alice.api("POST", PATH, body)

    assert answer.status_code == 400
    assert [name.split(".")[0] for name in answer.json()["errors"]] == [field]
    assert MessageAgent.unscoped.count() == 0


@pytest.mark.parametrize("path", [PATH, "/api/agents"])
def test_an_agent_without_any_text_is_refused(alice, path):
    prompt = alice.api("POST", "/api/prompts", {"name": "Desk", "text": "Hi"}).json()
    made = alice.api("POST", path, {"name": "A", "prompt_id": prompt["id"]}).json()
    own = f"{path}/{made['id']}"

    refused = [
        alice.api("POST", path, {"name": "B"}),
        alice.api("POST", path, {"name": "B", "instructions": "  "}),
        alice.api("PATCH", own, {"prompt_id": None}),
        alice.api("PUT", own, {"name": "A"}),
    ]

    told = {"instructions": ["Choose a prompt or write instructions."]}
    assert [answer.status_code for answer in refused] == [400] * 4
    assert [answer.json()["errors"] for answer in refused] == [told] * 4
    meant = {"prompt_id": None, "instructions": "Own."}
    assert alice.api("PATCH", own, meant).status_code == 200


@pytest.mark.parametrize("field", ["phone_id", "prompt_id"])
def test_a_foreign_id_is_worded_as_an_unknown_one(field, alice, mallory, phone):
    made = alice.api("POST", "/api/prompts", {"name": "Desk", "text": "Hi"}).json()
    foreign = {"phone_id": str(phone.pk), "prompt_id": made["id"]}[field]
    body = {"name": "E", "instructions": "Be brief."}

    told = mallory.api("POST", PATH, body | {field: foreign})
    expected = mallory.api("POST", PATH, body | {field: UNKNOWN})

    assert (told.status_code, list(told.json()["errors"])) == (400, [field])
    assert told.content.replace(foreign.encode(), UNKNOWN.encode()) == expected.content


def test_another_tenants_agent_does_not_exist(alice, mallory):
    path = f"{PATH}/{make(alice)['id']}"

    for verb, action in [("GET", ""), ("PUT", ""), ("POST", "/activate")]:
        answer = mallory.api(verb, path + action, {} if verb == "PUT" else None)
        assert answer.status_code == 404
    assert mallory.api("GET", PATH).json()["results"] == []


def test_it_is_pinned_to_a_version_and_let_go(alice):
    prompt = alice.api("POST", "/api/prompts", {"name": "Desk", "text": "One"}).json()
    alice.api("PATCH", f"/api/prompts/{prompt['id']}", {"text": "Two"})
    agent = make(alice, prompt_id=prompt["id"], prompt_version=1)
    path = f"{PATH}/{agent['id']}"

    unknown = alice.api("PATCH", path, {"prompt_version": 3})
    released = alice.api("PATCH", path, {"prompt_version": None}).json()

    assert agent["prompt_version"] == 1
    assert list(unknown.json()["errors"]) == ["prompt_version"]
    assert (released["prompt_id"], released["prompt_version"]) == (prompt["id"], None)


def test_a_prompt_that_it_uses_cannot_be_deleted(alice):
    prompt = alice.api("POST", "/api/prompts", {"name": "Desk", "text": "Hi"}).json()
    make(alice, name="By text", prompt_id=prompt["id"])

    answer = alice.api("DELETE", f"/api/prompts/{prompt['id']}")

    assert answer.status_code == 409
    assert "By text" in answer.json()["detail"]


def test_a_viewer_may_look(alice):
    path = f"{PATH}/{make(alice)['id']}"
    Membership.objects.filter(user=alice.user).update(role=Membership.Role.VIEWER)

    assert alice.api("GET", path).status_code == 200
    for verb in ("PUT", "PATCH", "DELETE"):
        assert alice.api(verb, path, {"name": "x"}).status_code == 403
    assert alice.api("POST", f"{path}/activate").status_code == 403


@pytest.mark.parametrize("name", ["end_call", "send_text", "transfer_call", "x"])
def test_tools_of_calls_are_none_of_its(alice, name):
    agent = {"name": "Desk", "instructions": "Hi.", "tools": ["note_fact", name]}

    answer = alice.api("POST", "/api/message-agents", agent)

    assert answer.json()["errors"] == {"tools": [f"Unknown tool: {name}"]}


def test_tool_that_it_has_is_not_deleted(alice):
    tool = Tool.unscoped.create(
        owner=alice.workspace,
        name="find_order",
        description="Finds it.",
        url="https://orders.example/",
    )
    agent = make(alice, tools=[str(tool.pk), "hand_over"])

    answer = alice.api("DELETE", f"/api/tools/{tool.pk}")

    assert agent["tools"] == [str(tool.pk), "hand_over"]
    assert (answer.status_code, "Desk" in answer.json()["detail"]) == (409, True)


def test_removing_a_number_deactivates_its_message_agent(alice, carrier):
    login = carrier.open_account(count=1)
    account = CarrierAccount.unscoped.create(
        owner=alice.workspace,
        label="Main",
        account_sid=login.sid,
        auth_token=login.auth_token,
    )
    body = {"number": login.numbers[0], "carrier_account_id": str(account.pk)}
    phone = alice.api("POST", "/api/phones", body).json()
    agent = make(alice, phone_id=phone["id"], is_active=True)

    assert alice.api("DELETE", f"/api/phones/{phone['id']}").status_code == 204

    assert alice.api("GET", f"{PATH}/{agent['id']}").json()["is_active"] is False
