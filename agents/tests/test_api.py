"""Prompts and voice agents through the API."""

import pytest

from accounts.models import Membership
from agents.models import Prompt, PromptVersion, VoiceAgent
from telephony.models import CarrierAccount, Phone

pytestmark = pytest.mark.django_db
UNKNOWN = "01930000-0000-7000-8000-000000000000"


def make_phone(tenant, number="+14155550100"):
    account = CarrierAccount.unscoped.create(
        owner=tenant.workspace,
        label="Twilio",
        account_sid="AC" + "0" * 32,
        auth_token="secret",
    )
    return Phone.unscoped.create(
        owner=tenant.workspace,
        carrier_account=account,
        number=number,
        carrier_sid="PN" + "0" * 32,
    )


def make_agent(tenant, **fields):
    body = {"name": "Reception", "instructions": "Be brief."} | fields
    answer = tenant.api("POST", "/api/agents", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_prompt_is_written_read_changed_and_deleted(alice):
    made = alice.api(
        "POST",
        "/api/prompts",
        {"name": "Desk", "text": "Hello {{ name }}", "note": "first"},
    )

    assert made.status_code == 201
    prompt = made.json()
    assert (prompt["version"], prompt["placeholders"]) == (1, ["name"])
    path = f"/api/prompts/{prompt['id']}"
    changed = alice.api("PATCH", path, {"text": "Bye {{ name }}", "note": "second"})
    assert changed.json()["version"] == 2
    assert alice.api("GET", path).json() == changed.json()
    notes = PromptVersion.unscoped.values_list("number", "note", "text")
    assert list(notes.order_by("number")) == [
        (1, "first", "Hello {{ name }}"),
        (2, "second", "Bye {{ name }}"),
    ]
    assert alice.api("DELETE", path).status_code == 204
    assert alice.api("GET", path).status_code == 404
    assert alice.api("GET", "/api/prompts").json()["results"] == []
    assert Prompt.unscoped.get().is_deleted


def test_a_prompt_in_use_cannot_be_deleted_and_says_by_whom(alice):
    prompt = alice.api("POST", "/api/prompts", {"name": "Desk", "text": "Hi"}).json()
    make_agent(alice, name="Reception", prompt_id=prompt["id"])

    answer = alice.api("DELETE", f"/api/prompts/{prompt['id']}")

    assert answer.status_code == 409
    assert "Reception" in answer.json()["detail"]
    assert not Prompt.unscoped.get().is_deleted


def test_a_name_is_taken_once_in_a_workspace(alice, mallory):
    body = {"name": "Desk", "text": "Hi"}
    alice.api("POST", "/api/prompts", body)

    again = alice.api("POST", "/api/prompts", body)

    assert again.status_code == 400
    assert mallory.api("POST", "/api/prompts", body).status_code == 201


def test_an_agent_has_the_defaults_of_its_fields(alice):
    phone = make_phone(alice)

    agent = make_agent(alice, phone_id=str(phone.pk), instructions="You are kind.")

    assert agent == alice.api("GET", f"/api/agents/{agent['id']}").json()
    shown = {
        name: agent[name]
        for name in (
            "phone_id",
            "direction",
            "transport",
            "is_active",
            "max_duration_s",
        )
    }
    assert shown == {
        "phone_id": str(phone.pk),
        "direction": "incoming",
        "transport": "stream",
        "is_active": False,
        "max_duration_s": 600,
    }


def test_put_replaces_and_patch_changes(alice):
    agent = make_agent(alice, hints="Brightside", max_duration_s=900)
    path = f"/api/agents/{agent['id']}"

    patched = alice.api("PATCH", path, {"hints": "Dr. Lee"}).json()
    put = alice.api("PUT", path, {"name": "Desk", "instructions": "New."}).json()

    assert (patched["hints"], patched["max_duration_s"]) == ("Dr. Lee", 900)
    assert (put["name"], put["hints"], put["max_duration_s"]) == ("Desk", "", 600)


def test_activating_replaces_the_agent_on_the_phone_and_says_which(alice):
    phone = make_phone(alice)
    first = make_agent(alice, name="A", phone_id=str(phone.pk), is_active=True)
    second = make_agent(alice, name="B", phone_id=str(phone.pk))

    answer = alice.api("POST", f"/agents/{second['id']}/activate")

    assert answer.status_code == 200
    assert answer.json()["deactivated"] == [first["id"]]
    active = VoiceAgent.unscoped.filter(is_active=True)
    assert [str(agent.pk) for agent in active] == [second["id"]]
    rested = alice.api("POST", f"/agents/{second['id']}/deactivate")
    assert rested.json()["is_active"] is False


def test_an_agent_without_a_phone_cannot_be_activated(alice):
    agent = make_agent(alice)

    answer = alice.api("POST", f"/api/agents/{agent['id']}/activate")

    assert answer.status_code == 409
    assert not VoiceAgent.unscoped.get().is_active


@pytest.mark.parametrize("field", ["phone_id", "prompt_id"])
def test_a_foreign_id_is_worded_as_an_unknown_one(field, alice, mallory):
    prompt = Prompt.unscoped.create(owner=alice.workspace, name="a", text="b")
    foreign = {"phone_id": make_phone(alice).pk, "prompt_id": prompt.pk}[field]

    told = mallory.api("POST", "/api/agents", {"name": "E", field: str(foreign)})
    expected = mallory.api("POST", "/api/agents", {"name": "E", field: UNKNOWN})

    assert (told.status_code, list(told.json()["errors"])) == (400, [field])
    assert told.content.replace(str(foreign).encode(), UNKNOWN.encode()) == (
        expected.content
    )


def test_transfer_number_is_held_to_the_calling_rules(alice):
    make_phone(alice, "+14155550142")

    agent = make_agent(alice, transfer_number="+1 (415) 555-0188")

    assert agent["transfer_number"] == "+14155550188"
    path = f"/api/agents/{agent['id']}"
    for number, words in [
        ("+19005550100", "premium-rate"),
        ("+4930123456", "may be called"),
        ("+14155550142", "number of this workspace"),
    ]:
        refused = alice.api("PATCH", path, {"transfer_number": number})
        assert refused.status_code == 400
        assert words in refused.json()["errors"]["transfer_number"][0]
    changed = alice.api("PATCH", path, {"transfer_number": ""})
    assert changed.json()["transfer_number"] == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("name", None),
        ("direction", "sideways"),
        ("max_duration_s", 29),
        ("max_duration_s", 10**400),
        ("max_duration_s", "soon"),
        ("silence_reminders", 6),
        ("silence_reminder_s", 4),
        ("filler", "x" * 201),
        ("filler_after_ms", 7001),
        ("time_warning_s", 301),
        ("dtmf_length", 0),
        ("dtmf_length", 51),
        ("greeting_interruptible", "sometimes"),
        ("temperature", 2.1),
        ("temperature", "NaN"),
        ("variables", {"name": {"deep": 1}}),
        ("variables", "x"),
        ("variables", {str(n): "" for n in range(51)}),
        ("end_call_phrases", "bye"),
        ("end_call_phrases", ["x"] * 21),
        ("transfer_number", "+14155550100"),
        ("summary_enabled", "perhaps"),
        ("extraction_schema", []),
        ("extraction_schema", {"type": "string"}),
        ("extraction_schema", {"type": "object", "properties": {"a": {"$ref": "x"}}}),
        ("phone_id", "x"),
    ],
)
def test_an_agent_with_a_wrong_field_is_refused_beside_it(field, value, alice):
    body = {"name": "Reception", "instructions": "Be brief.", field: value}
    answer = alice.api("POST", "/api/agents", body)

    assert answer.status_code == 400
    assert [name.split(".")[0] for name in answer.json()["errors"]] == [field]
    assert VoiceAgent.unscoped.count() == 0


def test_both_addresses_are_the_same_resource(alice):
    agent = make_agent(alice)

    assert alice.api("GET", "/agents").json() == alice.api("GET", "/api/agents").json()
    for prefix in ("/agents", "/api/agents"):
        assert alice.api("GET", f"{prefix}/{agent['id']}").json() == agent


def test_a_deleted_agent_frees_its_name(alice):
    agent = make_agent(alice)

    assert alice.api("DELETE", f"/api/agents/{agent['id']}").status_code == 204
    assert alice.api("GET", f"/api/agents/{agent['id']}").status_code == 404
    assert make_agent(alice)["name"] == "Reception"


def test_a_viewer_may_look(alice):
    agent = make_agent(alice)
    Membership.objects.filter(user=alice.user).update(role=Membership.Role.VIEWER)

    assert alice.api("GET", "/api/agents").status_code == 200
    path = f"/api/agents/{agent['id']}"
    for verb in ("PUT", "PATCH", "DELETE"):
        assert alice.api(verb, path, {"name": "x"}).status_code == 403
    assert alice.api("POST", f"{path}/activate").status_code == 403


def make_versions(alice):
    """The id of a prompt with two versions."""
    made = alice.api("POST", "/api/prompts", {"name": "Desk", "text": "One"}).json()
    alice.api("PATCH", f"/api/prompts/{made['id']}", {"text": "Two"})
    return made["id"]


def test_an_agent_is_pinned_to_a_version_and_let_go(alice):
    prompt_id = make_versions(alice)

    agent = make_agent(alice, prompt_id=prompt_id, prompt_version=1)
    path = f"/api/agents/{agent['id']}"
    renamed = alice.api("PATCH", path, {"name": "Desk"}).json()
    listed = alice.api("GET", "/api/agents").json()["results"]
    released = alice.api("PATCH", path, {"prompt_version": None}).json()

    assert [agent["prompt_version"], renamed["prompt_version"]] == [1, 1]
    assert [row["prompt_version"] for row in listed] == [1]
    assert (released["prompt_id"], released["prompt_version"]) == (prompt_id, None)


@pytest.mark.parametrize(
    "change", [{"prompt_version": 3}, {"prompt_id": None}, {"prompt_version": 10**30}]
)
def test_a_pin_must_be_a_version_of_the_agents_prompt(alice, change):
    agent = make_agent(alice, prompt_id=make_versions(alice), prompt_version=1)

    answer = alice.api("PATCH", f"/api/agents/{agent['id']}", change)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["prompt_version"]
    assert VoiceAgent.unscoped.get().prompt_version.number == 1


def test_a_new_prompt_does_not_take_over_the_number_of_a_pin(alice):
    agent = make_agent(alice, prompt_id=make_versions(alice), prompt_version=1)
    other = alice.api("POST", "/api/prompts", {"name": "Other", "text": "O"}).json()
    path = f"/api/agents/{agent['id']}"

    refused = alice.api("PATCH", path, {"prompt_id": other["id"]})
    meant = alice.api("PATCH", path, {"prompt_id": other["id"], "prompt_version": 1})

    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["prompt_version"]
    assert (meant.status_code, meant.json()["prompt_version"]) == (200, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"language": "Klingon!"},
        {"variables": {"not a name": "x"}},
        {"variables": {f"v{number}": "" for number in range(51)}},
        {"end_call_phrases": ["x" * 101]},
    ],
)
def test_an_agent_has_the_limits_of_the_pages(alice, change):
    agent = make_agent(alice)

    answer = alice.api("PATCH", f"/api/agents/{agent['id']}", change)

    assert answer.status_code == 400
    told = {name.partition(".")[0] for name in answer.json()["errors"]}
    assert told == change.keys()


def test_an_agent_that_is_made_active_replaces_the_one_on_its_phone(alice):
    phone = make_phone(alice)
    first = make_agent(alice, name="A", phone_id=str(phone.pk), is_active=True)

    second = make_agent(alice, name="B", phone_id=str(phone.pk), is_active=True)

    assert second["is_active"] is True
    assert not VoiceAgent.unscoped.get(pk=first["id"]).is_active
    again = alice.api("PATCH", f"/api/agents/{first['id']}", {"is_active": True})
    assert again.json()["is_active"] is True
    assert not VoiceAgent.unscoped.get(pk=second["id"]).is_active


def test_an_active_agent_is_not_moved_to_a_phone_that_another_answers(alice):
    phone = make_phone(alice)
    other = Phone.unscoped.create(
        owner=alice.workspace,
        carrier_account=phone.carrier_account,
        number="+14155550101",
        carrier_sid="PN" + "1" * 32,
    )
    make_agent(alice, name="A", phone_id=str(phone.pk), is_active=True)
    moved = make_agent(alice, name="B", phone_id=str(other.pk), is_active=True)

    answer = alice.api(
        "PATCH", f"/api/agents/{moved['id']}", {"phone_id": str(phone.pk)}
    )

    assert answer.status_code == 409
    assert str(VoiceAgent.unscoped.get(pk=moved["id"]).phone_id) == str(other.pk)


def test_replacing_an_active_agent_without_saying_so_deactivates_it(alice):
    phone = make_phone(alice)
    agent = make_agent(alice, phone_id=str(phone.pk), is_active=True)

    body = {"name": "Desk", "instructions": "New."}
    put = alice.api("PUT", f"/api/agents/{agent['id']}", body)

    assert put.status_code == 200
    assert (put.json()["is_active"], put.json()["phone_id"]) == (False, None)
