import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.tenancy import ForeignRow
from agents.models import Prompt, PromptVersion, VoiceAgent
from agents.tests.rows import make_agent, make_phone, make_prompt


def refused(make, *args, **fields):
    """Whether the database refuses the row."""
    try:
        with transaction.atomic():
            make(*args, **fields)
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize(
    ("first", "second", "is_refused"),
    [
        ("incoming", "incoming", True),
        ("incoming", "both", True),
        ("incoming", "outgoing", False),
        ("outgoing", "outgoing", True),
        ("outgoing", "both", True),
        ("both", "both", True),
    ],
)
def test_phone_has_one_active_agent_for_each_kind_of_call(
    alice, first, second, is_refused
):
    active = {"phone": make_phone(alice.workspace), "is_active": True}
    make_agent(alice.workspace, "One", direction=first, **active)

    told = refused(make_agent, alice.workspace, "Two", direction=second, **active)

    assert told == is_refused


def test_phone_has_any_number_of_inactive_and_deleted_agents(alice):
    phone = make_phone(alice.workspace)
    active = make_agent(alice.workspace, "One", phone=phone, is_active=True)
    make_agent(alice.workspace, "Two", phone=phone)
    active.put_away()

    make_agent(alice.workspace, "Three", phone=phone, is_active=True)

    assert list(VoiceAgent.unscoped.answering().values_list("name", flat=True)) == [
        "Three"
    ]


def test_answering_leaves_out_agents_that_only_place_calls(alice):
    phone = make_phone(alice.workspace)
    make_agent(alice.workspace, phone=phone, is_active=True, direction="outgoing")

    assert not VoiceAgent.objects.for_owner(alice.workspace).answering().exists()


def test_active_agent_without_a_phone_is_refused(alice):
    assert refused(make_agent, alice.workspace, is_active=True)


def test_names_are_unique_in_a_workspace_only(alice, mallory):
    make_agent(alice.workspace)
    make_agent(mallory.workspace)

    assert refused(make_agent, alice.workspace)


def test_name_is_taken_in_the_words_of_the_model(alice):
    make_agent(alice.workspace)
    agent = VoiceAgent(owner=alice.workspace, name="Reception")

    with pytest.raises(ValidationError) as refusal:
        agent.validate_constraints()

    assert refusal.value.messages == ["You already have an agent of this name."]


@pytest.mark.parametrize("field", ["phone", "prompt"])
def test_agent_cannot_point_at_another_workspace(alice, mallory, field):
    make = {"phone": make_phone, "prompt": make_prompt}[field]
    theirs = make(mallory.workspace)

    with pytest.raises(ForeignRow):
        make_agent(alice.workspace, **{field: theirs})


def test_version_of_another_workspaces_prompt_is_refused(alice, mallory):
    theirs = make_prompt(mallory.workspace)

    with pytest.raises(ForeignRow):
        PromptVersion(owner=alice.workspace, prompt=theirs, number=2, text="x").save()


def test_prompt_has_one_version_a_number(alice):
    prompt = make_prompt(alice.workspace)
    again = PromptVersion(owner=alice.workspace, prompt=prompt, number=1, text="x")

    assert refused(again.save)


def test_prompt_text_is_the_prompts_before_the_own(alice):
    prompt = make_prompt(alice.workspace, text="From the prompt")
    texts = [
        make_agent(alice.workspace, "One", instructions="Own").prompt_text,
        make_agent(
            alice.workspace, "Two", instructions="Own", prompt=prompt
        ).prompt_text,
    ]

    assert texts == ["Own", "From the prompt"]


def test_pinned_agent_without_a_prompt_is_refused(alice):
    prompt = make_prompt(alice.workspace)
    version = PromptVersion.unscoped.get(prompt=prompt)

    assert refused(make_agent, alice.workspace, prompt_version=version)


def test_rows_say_what_they_are(alice):
    prompt = Prompt(name="Reception")
    version = PromptVersion(prompt=prompt, number=3)

    assert [str(prompt), str(version), str(VoiceAgent(name="Sales"))] == [
        "Reception",
        "v3",
        "Sales",
    ]
