import threading

import pytest
from django.db import connection
from django.utils import timezone

from agents import services
from agents.models import Prompt, PromptVersion, VoiceAgent
from agents.tests.rows import make_agent, make_phone, make_prompt
from tests.people import make_tenant


def change(prompt, **changes):
    fields = {"name": prompt.name, "text": prompt.text, "note": "", "author": None}
    return services.save_prompt(
        owner=prompt.owner, prompt=prompt, **{**fields, **changes}
    )


def versions_of(prompt):
    rows = PromptVersion.unscoped.filter(prompt=prompt).order_by("number")
    return list(rows.values_list("number", "text", "note"))


def pin(agent, number=1):
    agent.prompt_version = PromptVersion.unscoped.get(
        prompt=agent.prompt, number=number
    )
    return services.save_agent(agent)


def active_names(owner):
    agents = VoiceAgent.objects.for_owner(owner).filter(is_active=True)
    return sorted(agents.values_list("name", flat=True))


def at_once(*actions):
    """Run the actions in threads that start together; what each returned or raised."""
    together = threading.Barrier(len(actions))
    results = [None] * len(actions)

    def run(number, action):
        try:
            together.wait(timeout=10)
            results[number] = action()
        except Exception as error:  # whatever it is, the test looks at it
            results[number] = error
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(number, action))
        for number, action in enumerate(actions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


# -- Prompts -------------------------------------------------------------------------


def test_save_prompt_makes_the_first_version(alice):
    prompt = make_prompt(alice.workspace, note="First draft", author=alice.user)

    assert prompt.version == 1
    version = PromptVersion.unscoped.get(prompt=prompt)
    assert (version.number, version.text, version.note, version.author) == (
        1,
        "We open at nine.",
        "First draft",
        alice.user,
    )


def test_save_prompt_with_another_text_makes_another_version(alice):
    prompt = make_prompt(alice.workspace)

    change(prompt, text="We open at ten.", note="Winter")

    prompt.refresh_from_db()
    assert (prompt.text, prompt.version) == ("We open at ten.", 2)
    assert versions_of(prompt) == [
        (1, "We open at nine.", ""),
        (2, "We open at ten.", "Winter"),
    ]


def test_save_prompt_with_another_name_alone_makes_no_version(alice):
    prompt = make_prompt(alice.workspace)

    change(prompt, name="Front desk")

    prompt.refresh_from_db()
    assert (prompt.name, prompt.version) == ("Front desk", 1)
    assert versions_of(prompt) == [(1, "We open at nine.", "")]


def test_save_prompt_over_a_text_not_seen_is_refused(alice):
    prompt = make_prompt(alice.workspace)
    stale = Prompt.unscoped.get(pk=prompt.pk)
    change(prompt, text="We open at ten.")

    with pytest.raises(services.PromptChanged, match="version 2"):
        change(stale, text="We open at eleven.")

    assert versions_of(prompt)[-1] == (2, "We open at ten.", "")


def test_save_prompt_renames_whatever_version_was_seen(alice):
    prompt = make_prompt(alice.workspace)
    change(prompt, text="We open at ten.")

    change(prompt, name="Front desk", text="We open at ten.", based_on=1)

    prompt.refresh_from_db()
    assert (prompt.name, prompt.version) == ("Front desk", 2)


def test_save_prompt_that_was_deleted_is_refused(alice):
    prompt = make_prompt(alice.workspace)
    services.delete_prompt(prompt)

    with pytest.raises(services.Gone):
        change(prompt, text="We open at ten.")


def test_save_prompt_under_a_taken_name_is_refused(alice, mallory):
    make_prompt(mallory.workspace)
    make_prompt(alice.workspace)

    with pytest.raises(services.NameTaken):
        make_prompt(alice.workspace, text="Another text")

    assert Prompt.unscoped.count() == 2
    assert PromptVersion.unscoped.count() == 2


@pytest.mark.django_db(transaction=True)
def test_save_prompt_twice_at_once_tells_the_loser():
    owner = make_tenant("alice").workspace
    prompt = make_prompt(owner)

    results = at_once(
        lambda: change(Prompt.unscoped.get(pk=prompt.pk), text="A", based_on=1),
        lambda: change(Prompt.unscoped.get(pk=prompt.pk), text="B", based_on=1),
    )

    assert sorted(type(result).__name__ for result in results) == [
        "Prompt",
        "PromptChanged",
    ]
    assert [number for number, _, _ in versions_of(prompt)] == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_save_prompt_with_one_name_at_once_tells_the_loser():
    owner = make_tenant("alice").workspace

    results = at_once(*[lambda: make_prompt(owner)] * 2)

    assert sorted(type(result).__name__ for result in results) == [
        "NameTaken",
        "Prompt",
    ]


def test_delete_prompt_keeps_its_versions_and_frees_its_name(alice):
    prompt = make_prompt(alice.workspace)

    services.delete_prompt(prompt)
    again = make_prompt(alice.workspace)

    assert list(Prompt.objects.for_owner(alice.workspace)) == [again]
    assert len(versions_of(prompt)) == 1


def test_delete_prompt_that_agents_use_is_refused(alice):
    prompt = make_prompt(alice.workspace)
    make_agent(alice.workspace, "Sales", prompt=prompt)
    make_agent(alice.workspace, "Reception", prompt=prompt)
    services.delete_agent(make_agent(alice.workspace, "Old", prompt=prompt))

    with pytest.raises(services.PromptInUse) as refusal:
        services.delete_prompt(prompt)

    assert str(refusal.value) == "These agents use it: Reception, Sales"
    assert list(Prompt.objects.for_owner(alice.workspace)) == [prompt]


def test_save_prompt_tells_which_agents_would_change(alice):
    prompt = make_prompt(alice.workspace)
    sales = make_agent(alice.workspace, "Sales", prompt=prompt)
    pin(make_agent(alice.workspace, "Pinned", prompt=prompt))
    services.delete_agent(make_agent(alice.workspace, "Old", prompt=prompt))

    with pytest.raises(services.AgentsWouldChange) as refusal:
        change(prompt, text="We open at ten.", agents_seen=[])
    change(prompt, name="Front desk", agents_seen=[])

    assert refusal.value.agents == [sales]
    assert [number for number, _, _ in versions_of(prompt)] == [1]

    change(prompt, text="We open at ten.", agents_seen=[str(sales.pk)])

    assert [number for number, _, _ in versions_of(prompt)] == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_save_prompt_while_an_agent_begins_to_follow_it_misses_none():
    owner = make_tenant("alice").workspace
    prompt = make_prompt(owner)
    agent = make_agent(owner, prompt=None)
    agent.prompt = prompt

    saved, _ = at_once(
        lambda: change(prompt, text="We open at ten.", agents_seen=[]),
        lambda: services.save_agent(agent),
    )

    # Whichever came first: it was told, or the agent came to the text as it then was.
    changed = isinstance(saved, Prompt)
    assert changed or isinstance(saved, services.AgentsWouldChange)
    assert len(versions_of(prompt)) == 1 + changed


def test_restore_version_makes_its_text_the_newest(alice):
    prompt = make_prompt(alice.workspace)
    change(prompt, text="We open at ten.")
    first = PromptVersion.unscoped.get(prompt=prompt, number=1)

    restored = services.restore_version(first, author=alice.user, based_on=2)

    assert (restored.text, restored.version) == ("We open at nine.", 3)
    assert versions_of(prompt)[-1] == (3, "We open at nine.", "Restored version 1")
    assert PromptVersion.unscoped.get(prompt=prompt, number=3).author == alice.user


def test_restore_version_over_a_newer_one_not_seen_is_refused(alice):
    prompt = make_prompt(alice.workspace)
    change(prompt, text="We open at ten.")
    change(Prompt.unscoped.get(pk=prompt.pk), text="We open at eleven.")
    first = PromptVersion.unscoped.get(prompt=prompt, number=1)

    with pytest.raises(services.PromptChanged):
        services.restore_version(first, author=None, based_on=2)

    assert len(versions_of(prompt)) == 3


def test_delete_prompt_that_a_pinned_agent_uses_is_refused(alice):
    prompt = make_prompt(alice.workspace)
    pin(make_agent(alice.workspace, "Pinned", prompt=prompt))

    with pytest.raises(services.PromptInUse, match="Pinned"):
        services.delete_prompt(prompt)


# -- Voice agents --------------------------------------------------------------------


def test_activate_alone_replaces_nobody(alice):
    agent = make_agent(alice.workspace, phone=make_phone(alice.workspace))

    replaced = services.activate(agent)

    assert (replaced, agent.is_active) == ([], True)
    assert active_names(alice.workspace) == ["Reception"]


@pytest.mark.parametrize(
    ("direction", "left_active"),
    [
        ("incoming", ["New", "Placing"]),
        ("outgoing", ["Answering", "New"]),
        ("both", ["New"]),
    ],
)
def test_activate_replaces_who_does_the_same_on_the_phone(
    alice, direction, left_active
):
    phone = make_phone(alice.workspace)
    same = {"phone": phone, "is_active": True}
    make_agent(alice.workspace, "Answering", direction="incoming", **same)
    make_agent(alice.workspace, "Placing", direction="outgoing", **same)
    new = make_agent(alice.workspace, "New", direction=direction, phone=phone)

    replaced = services.activate(new)

    assert active_names(alice.workspace) == left_active
    assert sorted(agent.name for agent in replaced) == sorted(
        {"Answering", "Placing"} - set(left_active)
    )


def test_activate_leaves_other_phones_alone(alice):
    other = make_phone(alice.workspace, "+15005550002")
    make_agent(alice.workspace, "Other", phone=other, is_active=True)
    agent = make_agent(alice.workspace, phone=make_phone(alice.workspace))

    assert services.activate(agent) == []
    assert active_names(alice.workspace) == ["Other", "Reception"]


def test_activate_twice_changes_nothing(alice):
    agent = make_agent(alice.workspace, phone=make_phone(alice.workspace))
    services.activate(agent)

    assert services.activate(agent) == []
    assert active_names(alice.workspace) == ["Reception"]


def test_activate_without_a_phone_is_refused(alice):
    agent = make_agent(alice.workspace)

    with pytest.raises(services.PhoneMissing):
        services.activate(agent)

    assert active_names(alice.workspace) == []


def test_activate_on_a_deleted_phone_is_refused(alice):
    agent = make_agent(alice.workspace, phone=make_phone(alice.workspace))
    agent.phone.put_away()

    with pytest.raises(services.Gone):
        services.activate(agent)

    assert active_names(alice.workspace) == []


def test_activate_a_deleted_agent_is_refused(alice):
    agent = make_agent(alice.workspace, phone=make_phone(alice.workspace))
    services.delete_agent(VoiceAgent.unscoped.get(pk=agent.pk))

    with pytest.raises(services.Gone):
        services.activate(agent)


@pytest.mark.django_db(transaction=True)
def test_activate_two_at_once_leaves_one_active():
    owner = make_tenant("alice").workspace
    phone = make_phone(owner)
    agents = [make_agent(owner, name, phone=phone) for name in ("One", "Two")]

    results = at_once(
        *[lambda agent=agent: services.activate(agent) for agent in agents]
    )

    replaced = [[agent.name for agent in result] for result in results]
    loser = next(agent for agent in agents if agent.name not in active_names(owner))
    assert len(active_names(owner)) == 1
    assert sorted(replaced) == [[], [loser.name]]


@pytest.mark.django_db(transaction=True)
def test_activate_while_the_agent_is_saved_does_not_deadlock():
    owner = make_tenant("alice").workspace
    agent = make_agent(owner, phone=make_phone(owner))
    edited = VoiceAgent.unscoped.get(pk=agent.pk)
    edited.name = "Front desk"

    results = at_once(
        lambda: services.activate(agent), lambda: services.save_agent(edited)
    )

    assert results == [[], edited]
    assert active_names(owner) == ["Front desk"]


def test_deactivate_leaves_the_agent_idle(alice):
    phone = make_phone(alice.workspace)
    agent = make_agent(alice.workspace, phone=phone, is_active=True)

    services.deactivate(agent)

    assert active_names(alice.workspace) == []


def test_delete_agent_deactivates_and_frees_its_name(alice):
    phone = make_phone(alice.workspace)
    agent = make_agent(alice.workspace, phone=phone, is_active=True)

    services.delete_agent(agent)
    again = make_agent(alice.workspace, phone=phone, is_active=True)

    assert list(VoiceAgent.objects.for_owner(alice.workspace)) == [again]
    deleted = VoiceAgent.unscoped.get(pk=agent.pk)
    assert (deleted.is_active, deleted.is_deleted) == (False, True)


def test_save_agent_keeps_an_activation_that_it_did_not_see(alice):
    agent = make_agent(alice.workspace, phone=make_phone(alice.workspace))
    edited = VoiceAgent.unscoped.get(pk=agent.pk)
    services.activate(agent)
    edited.name = "Front desk"

    services.save_agent(edited)

    assert active_names(alice.workspace) == ["Front desk"]


def test_save_agent_onto_a_phone_where_another_is_active_is_refused(alice):
    here, there = (
        make_phone(alice.workspace, number)
        for number in ("+15005550001", "+15005550002")
    )
    make_agent(alice.workspace, "There", phone=there, is_active=True)
    agent = make_agent(alice.workspace, "Here", phone=here, is_active=True)
    agent.phone = there

    with pytest.raises(services.PhoneBusy, match="“There” is active on this number"):
        services.save_agent(agent)

    assert VoiceAgent.unscoped.get(pk=agent.pk).phone == here


def test_save_agent_active_without_a_phone_is_refused(alice):
    phone = make_phone(alice.workspace)
    agent = make_agent(alice.workspace, phone=phone, is_active=True)
    agent.phone = None

    with pytest.raises(services.PhoneMissing):
        services.save_agent(agent)


def test_save_agent_on_a_phone_deleted_meanwhile_is_refused(alice):
    agent = VoiceAgent(
        owner=alice.workspace,
        phone=make_phone(alice.workspace),
        instructions="Be brief.",
    )
    type(agent.phone).unscoped.update(deleted_at=timezone.now())

    with pytest.raises(services.Gone) as refusal:
        services.save_agent(agent)

    assert refusal.value.field == "phone"
    assert not VoiceAgent.unscoped.exists()


def test_save_agent_under_a_taken_name_is_refused(alice):
    make_agent(alice.workspace)
    agent = VoiceAgent(owner=alice.workspace, name="Reception", instructions="x")

    with pytest.raises(services.NameTaken):
        services.save_agent(agent)


def test_save_agent_pinned_to_another_prompts_version_is_refused(alice):
    prompt, other = (make_prompt(alice.workspace, name) for name in ("One", "Two"))
    agent = pin(make_agent(alice.workspace, prompt=prompt))
    agent.prompt = other

    with pytest.raises(services.VersionOfAnotherPrompt):
        services.save_agent(agent)

    assert VoiceAgent.unscoped.get(pk=agent.pk).prompt == prompt


def test_pinned_agent_keeps_its_text_and_knows_how_far_behind_it_is(alice):
    prompt = make_prompt(alice.workspace, text="First")
    agent = pin(make_agent(alice.workspace, prompt=prompt))
    for text in ("Second", "Third"):
        prompt = change(prompt, text=text)

    agent = VoiceAgent.unscoped.get(pk=agent.pk)

    assert (agent.prompt_text, agent.version_in_use, agent.versions_behind) == (
        *("First", 1, 2),
    )


def test_duplicate_agent_copies_all_but_number_and_activity(alice):
    prompt = make_prompt(alice.workspace)
    agent = make_agent(
        alice.workspace,
        phone=make_phone(alice.workspace),
        is_active=True,
        prompt=prompt,
        variables={"city": "Ulm"},
        end_call_phrases=["bye"],
        max_duration_s=60,
    )
    pin(agent)

    copies = [services.duplicate_agent(agent) for _ in range(2)]

    assert [copy.name for copy in copies] == ["Reception (copy)", "Reception (copy 2)"]
    differs = {"id", "name", "phone", "is_active", "created_at", "updated_at"}
    for field in VoiceAgent._meta.concrete_fields:
        same = getattr(copies[0], field.attname) == getattr(agent, field.attname)
        assert same is (field.name not in differs), field.name
    assert (copies[0].phone, copies[0].is_active) == (None, False)


def test_duplicate_agent_cuts_a_name_that_would_be_too_long(alice):
    agent = make_agent(alice.workspace, "x" * 100)

    assert services.duplicate_agent(agent).name == "x" * 93 + " (copy)"
