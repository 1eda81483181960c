"""Message agents as rows: one active a phone, and prompts that they use."""

import pytest
from django.db import IntegrityError, transaction

from accounts.models import AuditEntry
from agents import services
from agents.message_starters import MESSAGE_STARTERS
from agents.models import MessageAgent, PromptVersion, VoiceAgent
from agents.starters import starter_of
from agents.tests.rows import make_agent, make_message_agent, make_phone, make_prompt
from agents.tests.test_services import at_once, change, pin
from tests.people import make_tenant


def active_names(owner):
    agents = MessageAgent.objects.for_owner(owner).filter(is_active=True)
    return sorted(agents.values_list("name", flat=True))


def test_phone_has_one_active_message_agent_beside_a_voice_agent(alice):
    phone = make_phone(alice.workspace)
    make_agent(alice.workspace, phone=phone, is_active=True)
    make_message_agent(alice.workspace, "One", phone=phone, is_active=True)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_message_agent(alice.workspace, "Two", phone=phone, is_active=True)


def test_phone_has_any_number_of_inactive_and_deleted_message_agents(alice):
    phone = make_phone(alice.workspace)
    first = make_message_agent(alice.workspace, "One", phone=phone, is_active=True)
    make_message_agent(alice.workspace, "Two", phone=phone)
    first.put_away()

    make_message_agent(alice.workspace, "One", phone=phone, is_active=True)

    assert active_names(alice.workspace) == ["One"]


@pytest.mark.parametrize("fields", [{"is_active": True}, {"name": "Taken"}])
def test_rows_that_break_a_rule_are_refused(alice, fields):
    make_message_agent(alice.workspace, "Taken")

    with pytest.raises(IntegrityError), transaction.atomic():
        make_message_agent(alice.workspace, **{"name": "New", **fields})


def test_activate_replaces_the_message_agent_and_no_voice_agent(alice):
    phone = make_phone(alice.workspace)
    voice = make_agent(alice.workspace, phone=phone, is_active=True)
    old = make_message_agent(alice.workspace, "Old", phone=phone, is_active=True)
    new = make_message_agent(alice.workspace, "New", phone=phone)

    assert services.activate(new) == [old]

    voice.refresh_from_db()
    assert (active_names(alice.workspace), voice.is_active) == (["New"], True)
    entries = AuditEntry.objects.for_owner(alice.workspace).order_by("pk")
    told = entries.filter(kind="message_agent").values_list("label", "action")
    assert list(told) == [("Old", "deactivated"), ("New", "activated")]


@pytest.mark.django_db(transaction=True)
def test_activate_two_at_once_leaves_one_active():
    owner = make_tenant("alice").workspace
    phone = make_phone(owner)
    agents = [make_message_agent(owner, name, phone=phone) for name in ("One", "Two")]

    results = at_once(
        *[lambda agent=agent: services.activate(agent) for agent in agents]
    )

    replaced = sorted([agent.name for agent in result] for result in results)
    (winner,) = active_names(owner)
    (loser,) = {"One", "Two"} - {winner}
    assert replaced == [[], [loser]]


@pytest.mark.django_db(transaction=True)
def test_activate_while_another_moves_to_the_phone_leaves_one_active():
    owner = make_tenant("alice").workspace
    here, there = make_phone(owner), make_phone(owner, "+15005550002")
    moving = make_message_agent(owner, "Moving", phone=there, is_active=True)
    rival = make_message_agent(owner, "Rival", phone=here)
    moving.phone = here

    moved, replaced = at_once(
        lambda: services.save_agent(moving), lambda: services.activate(rival)
    )

    on_phone = MessageAgent.unscoped.filter(phone=here, is_active=True)
    assert on_phone.count() == 1
    # Either it came first and was replaced, or it was told that another is there.
    came_first = isinstance(moved, MessageAgent)
    assert came_first or isinstance(moved, services.PhoneBusy)
    assert replaced == ([moving] if came_first else [])


def test_prompt_that_a_message_agent_uses_cannot_be_deleted(alice):
    prompt = make_prompt(alice.workspace)
    make_message_agent(alice.workspace, "By text", prompt=prompt)
    make_agent(alice.workspace, "By voice", prompt=prompt)

    with pytest.raises(services.PromptInUse) as refusal:
        services.delete_prompt(prompt)

    assert str(refusal.value) == "These agents use it: By text, By voice"


def test_saving_a_prompt_tells_of_message_agents_that_follow_it(alice):
    prompt = make_prompt(alice.workspace)
    follower = make_message_agent(alice.workspace, "By text", prompt=prompt)
    pin(make_message_agent(alice.workspace, "Pinned", prompt=prompt))

    with pytest.raises(services.AgentsWouldChange) as refusal:
        change(prompt, text="We open at ten.", agents_seen=[])

    assert refusal.value.agents == [follower]


def test_pinned_message_agent_keeps_its_text(alice):
    prompt = make_prompt(alice.workspace, text="First")
    agent = pin(make_message_agent(alice.workspace, prompt=prompt))
    change(prompt, text="Second")

    agent = MessageAgent.unscoped.get(pk=agent.pk)

    assert (agent.prompt_text, agent.version_in_use, agent.versions_behind) == (
        *("First", 1, 1),
    )


@pytest.mark.parametrize("model", [VoiceAgent, MessageAgent])
@pytest.mark.parametrize("instructions", ["", " \n"])
def test_agent_without_any_text_is_refused(alice, model, instructions):
    agent = model(owner=alice.workspace, name="Mute", instructions=instructions)

    with pytest.raises(services.InstructionsMissing):
        services.save_agent(agent)

    assert not model.unscoped.exists()


def test_duplicate_copies_all_but_number_and_activity(alice):
    prompt = make_prompt(alice.workspace)
    agent = make_message_agent(
        alice.workspace,
        phone=make_phone(alice.workspace),
        is_active=True,
        prompt=prompt,
        prompt_version=PromptVersion.unscoped.get(prompt=prompt),
        variables={"city": "Ulm"},
        handoff_phrases=["help"],
        business_hours={"timezone": "UTC", "days": {"mon": [["09:00", "17:00"]]}},
        away_message="Closed.",
        history_limit=7,
        reply_delay_s=1,
    )

    copy = services.duplicate_agent(agent)

    differs = {"id", "name", "phone", "is_active", "created_at", "updated_at"}
    for field in MessageAgent._meta.concrete_fields:
        same = getattr(copy, field.attname) == getattr(agent, field.attname)
        assert same is (field.name not in differs), field.name
    assert (copy.name, copy.phone, copy.is_active) == ("Desk (copy)", None, False)


@pytest.mark.parametrize(
    "starter", MESSAGE_STARTERS, ids=lambda starter: starter.key or "empty"
)
def test_starters_keep_the_rules_of_the_model(starter):
    agent = MessageAgent(name=starter.title or "New", **starter.fields)
    if agent.business_hours:
        agent.business_hours = {"timezone": "UTC", **agent.business_hours}

    agent.clean_fields(exclude={"owner"})

    assert agent.has_text or not starter.key
    assert agent.handoff_phrases


def test_starter_of_an_unknown_key_is_the_empty_one():
    assert starter_of("nonsense", MESSAGE_STARTERS) is MESSAGE_STARTERS[-1]
