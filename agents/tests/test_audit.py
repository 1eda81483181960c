"""What is done to prompts and voice agents is in the audit log."""

import pytest

from accounts.models import AuditEntry
from agents import services
from agents.models import VoiceAgent
from telephony.models import CarrierAccount, Phone


@pytest.fixture
def phone(alice):
    account = CarrierAccount.unscoped.create(
        owner=alice.workspace,
        label="Main",
        account_sid="AC" + "1" * 32,
        auth_token="0" * 32,
    )
    return Phone.unscoped.create(
        owner=alice.workspace,
        carrier_account=account,
        number="+12025550123",
        carrier_sid="PN" + "1" * 32,
    )


def told(owner):
    """Action, label and changes of each entry about agents and prompts."""
    entries = AuditEntry.objects.for_owner(owner).order_by("pk")
    entries = entries.filter(kind__in=["voice_agent", "prompt"])
    return [(entry.action, entry.label, entry.changes) for entry in entries]


def test_agent_is_made_and_changed(alice):
    made = alice.api(
        "POST", "/api/agents", {"name": "Reception", "instructions": "Be brief."}
    ).json()
    alice.api("PATCH", f"/api/agents/{made['id']}", {"name": "Sales"})
    alice.api("PATCH", f"/api/agents/{made['id']}", {"name": "Sales"})

    assert told(alice.workspace) == [
        (
            "created",
            "Reception",
            {"name": [None, "Reception"], "instructions": [None, "Be brief."]},
        ),
        ("changed", "Sales", {"name": ["Reception", "Sales"]}),
    ]


def test_activation_says_whom_it_replaced(alice, phone):
    old = VoiceAgent.unscoped.create(
        owner=alice.workspace, name="Old", phone=phone, is_active=True
    )
    new = VoiceAgent.unscoped.create(owner=alice.workspace, name="New", phone=phone)

    alice.client.post(f"/voice-agents/{new.pk}/activate")
    alice.client.post(f"/voice-agents/{new.pk}/activate")
    alice.client.post(f"/voice-agents/{new.pk}/deactivate")

    rested = {"is_active": [True, False]}
    assert told(alice.workspace) == [
        ("deactivated", str(old), rested | {"replaced_by": [None, "New"]}),
        ("activated", "New", {"is_active": [False, True]}),
        ("deactivated", "New", rested),
    ]


def test_refused_change_leaves_no_entry(alice):
    agent = VoiceAgent.unscoped.create(owner=alice.workspace, name="Old")

    with pytest.raises(services.PhoneMissing):
        services.activate(agent)

    assert told(alice.workspace) == []


def test_versions_of_a_prompt_are_told(alice):
    made = alice.api("POST", "/api/prompts", {"name": "Greeter", "text": "Hi"}).json()
    path = f"/api/prompts/{made['id']}"
    alice.api("PATCH", path, {"text": "Hello"})
    alice.api("PATCH", path, {"name": "Welcome"})
    alice.client.post(f"/prompts/{made['id']}/versions/1/restore", {"based_on": 2})
    alice.api("DELETE", path)

    assert told(alice.workspace) == [
        (
            "created",
            "Greeter",
            {
                "name": [None, "Greeter"],
                "text": [None, "Hi"],
                "version": [None, 1],
            },
        ),
        ("changed", "Greeter", {"text": ["Hi", "Hello"], "version": [1, 2]}),
        ("changed", "Welcome", {"name": ["Greeter", "Welcome"]}),
        ("restored", "Welcome", {"text": ["Hello", "Hi"], "version": [2, 3]}),
        ("deleted", "Welcome", {}),
    ]
