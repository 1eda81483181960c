"""Purging: what goes, what is kept and why, by the command and in the admin."""

import itertools
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.deleted import purging
from accounts.models import AuditEntry, User
from accounts.tenancy import OwnedQuerySet, SoftDeleteQuerySet
from agents.models import Prompt, PromptVersion, VoiceAgent
from agents.tests.rows import make_agent, make_phone, make_prompt
from telephony.models import Call, CarrierAccount, Phone
from telephony.services.testing import line_for
from tests.people import make_operator, make_tenant

pytestmark = pytest.mark.django_db


def deleted_long_ago(row, days=31):
    row.put_away()
    type(row).unscoped.filter(pk=row.pk).update(
        deleted_at=timezone.now() - timedelta(days=days)
    )
    return row


def make_call(agent, phone=None):
    return Call.unscoped.create(
        owner=agent.owner,
        agent=agent,
        phone=phone,
        carrier_account=phone.carrier_account if phone else None,
        direction=Call.Direction.INCOMING,
        status=Call.Status.COMPLETED,
    )


def purge(*arguments):
    """The command's lines."""
    said = StringIO()
    call_command("purge_deleted", *arguments, stdout=said)
    return said.getvalue().splitlines()


def left():
    """How many rows of each kind there are."""
    kinds = (VoiceAgent, Prompt, PromptVersion, Phone, CarrierAccount)
    counts = {model.__name__: model.unscoped.count() for model in kinds}
    return {name: count for name, count in counts.items() if count}


@pytest.fixture
def forgotten(alice):
    """An agent with its prompt and number, all deleted long ago; no call."""
    phone = make_phone(alice.workspace)
    prompt = make_prompt(alice.workspace)
    agent = make_agent(
        alice.workspace,
        phone=phone,
        prompt=prompt,
        prompt_version=PromptVersion.unscoped.get(),
    )
    line_for(agent)
    for row in (agent, prompt, phone, phone.carrier_account):
        deleted_long_ago(row)
    return agent


# -- What goes and what is kept --------------------------------------------------------


def test_everything_goes_that_nothing_needs_agents_before_their_prompts(forgotten):
    lines = purge()

    assert left() == {}
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["purged", "voice_agent"],
        ["purged", "prompt"],
        ["purged", "phone"],
        ["purged", "carrier_account"],
    ]
    assert lines[0].endswith(", with test line (1)")
    assert lines[1].endswith(", with prompt version (1)")
    assert lines[-1] == "4 purged, 0 kept."


def test_what_calls_need_is_kept_whole_with_all_that_it_needs(forgotten):
    call = make_call(forgotten, forgotten.phone)
    before = VoiceAgent.unscoped.values().get()

    lines = purge()

    assert VoiceAgent.unscoped.values().get() == before
    assert left() == dict.fromkeys(
        ("VoiceAgent", "Prompt", "PromptVersion", "Phone", "CarrierAccount"), 1
    )
    assert lines[0].startswith(f"kept   voice_agent {forgotten.pk}: needed by call (1)")
    assert lines[-1] == "0 purged, 4 kept."
    call.refresh_from_db()
    assert call.agent == forgotten


def test_what_is_not_deleted_keeps_what_it_points_at(alice):
    phone = make_phone(alice.workspace)
    make_agent(alice.workspace, phone=phone)
    deleted_long_ago(phone)

    lines = purge()

    assert lines == [
        f"kept   phone {phone.pk}: needed by voice agent (1)",
        "0 purged, 1 kept.",
    ]


def test_what_can_be_restored_stays_unless_it_is_asked_for(alice):
    old = deleted_long_ago(make_prompt(alice.workspace, "Old"), days=31)
    new = deleted_long_ago(make_prompt(alice.workspace, "New"), days=29)
    make_prompt(alice.workspace, "In use")

    purge()
    assert not Prompt.unscoped.filter(pk=old.pk).exists()
    assert Prompt.unscoped.filter(pk=new.pk).exists()

    purge("--older-than", "0")
    assert [prompt.name for prompt in Prompt.unscoped.all()] == ["In use"]


def test_one_workspace_alone(alice, mallory):
    mine, theirs = (
        deleted_long_ago(make_prompt(tenant.workspace)) for tenant in (alice, mallory)
    )

    lines = purge("--workspace", str(alice.workspace.pk))

    assert lines[-1] == "1 purged, 0 kept."
    assert Prompt.unscoped.get() == theirs != mine


@pytest.mark.parametrize(
    "arguments",
    [
        ("--workspace", "nonsense"),
        ("--workspace", "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d02"),
        ("--older-than", "-1"),
        ("--older-than", "9999999"),
    ],
)
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(CommandError):
        purge(*arguments)


def test_rehearsal_says_what_would_happen_and_changes_nothing(forgotten):
    make_call(make_agent(forgotten.owner, "Busy"), forgotten.phone)
    before = left()

    rehearsed = purge("--dry-run")

    assert left() == before
    assert not AuditEntry.unscoped.filter(action="purged").exists()
    assert [line.replace("would go", "purged") for line in rehearsed[:-1]] == purge()[
        :-1
    ]
    assert rehearsed[-1] == "2 would be purged, 2 kept."


def test_each_row_that_went_is_in_the_audit_log_of_its_workspace(forgotten):
    purge()

    entries = AuditEntry.unscoped.filter(action=AuditEntry.Action.PURGED)
    assert {(entry.kind, entry.owner) for entry in entries} == {
        (kind, forgotten.owner)
        for kind in ("voice_agent", "prompt", "phone", "carrier_account")
    }
    assert {entry.actor_name for entry in entries} == {"VoiceOps"}


def test_a_row_restored_meanwhile_is_left_alone(alice):
    prompt = deleted_long_ago(make_prompt(alice.workspace))
    stale = Prompt.unscoped.get()
    Prompt.unscoped.update(deleted_at=None)

    assert purging.purge_rows([stale]) == []
    assert Prompt.unscoped.get() == prompt


# -- Killed ----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_leaves_whole_rows_and_ends_when_run_again(
    monkeypatch,
):
    owner = make_tenant("alice").workspace
    for number in range(5):
        deleted_long_ago(make_prompt(owner, str(number)))
    monkeypatch.setattr(purging, "BATCH", 2)
    removals = itertools.count(1)

    def killed(rows):
        if next(removals) == 4:  # the versions of the fourth are gone already
            raise KeyboardInterrupt
        return OwnedQuerySet.delete(rows)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(SoftDeleteQuerySet, "delete", killed)
        purge()

    prompts = {prompt.pk for prompt in Prompt.unscoped.all()}
    assert len(prompts) == 3  # the first batch is gone, the second is whole
    assert {version.prompt_id for version in PromptVersion.unscoped.all()} == prompts
    assert AuditEntry.unscoped.filter(action="purged").count() == 2

    purge()

    assert left() == {}
    assert AuditEntry.unscoped.filter(action="purged").count() == 5


# -- In the admin ----------------------------------------------------------------------


@pytest.fixture
def operator(db):
    return make_operator().client


AGENTS = "/admin/agents/voiceagent/"


def choose(operator, *rows, **more):
    return operator.post(
        AGENTS,
        {"action": "purge", "_selected_action": [str(row.pk) for row in rows], **more},
    )


def test_admin_tells_what_goes_and_what_is_kept_before_it_purges(alice, operator):
    going = deleted_long_ago(make_agent(alice.workspace, "Going"))
    kept = deleted_long_ago(make_agent(alice.workspace, "Kept"))
    make_agent(alice.workspace, "In use")
    make_call(kept)
    rows = VoiceAgent.unscoped.all()

    told = choose(operator, *rows).content.decode()

    assert VoiceAgent.unscoped.count() == 3
    assert "Going (Alice&#x27;s workspace), deleted" in told
    assert "Kept (Alice&#x27;s workspace), needed by: call (1)" in told
    assert "1 that you chose is not deleted" in told
    assert f'name="_selected_action" value="{going.pk}"' in told
    assert f'value="{kept.pk}"' not in told

    done = choose(operator, going, confirmed="yes")

    assert done.status_code == 302
    assert not VoiceAgent.unscoped.filter(pk=going.pk).exists()
    entry = AuditEntry.unscoped.get(action="purged")
    assert (entry.label, entry.actor_name) == ("Going", "Operator")


def test_admin_keeps_what_became_needed_meanwhile(alice, operator):
    agent = deleted_long_ago(make_agent(alice.workspace))
    make_call(agent)

    choose(operator, agent, confirmed="yes")

    assert VoiceAgent.unscoped.get() == agent


def test_admin_says_what_could_still_be_restored(alice, operator):
    agent = deleted_long_ago(make_agent(alice.workspace), days=2)

    told = choose(operator, agent).content.decode()

    assert "could still be restored by its workspace" in told


def test_admin_lets_nobody_purge_without_the_right(alice, operator):
    agent = deleted_long_ago(make_agent(alice.workspace))
    User.objects.filter(email="root@example.com").update(is_superuser=False)

    assert choose(operator, agent, confirmed="yes").status_code == 403
    assert VoiceAgent.unscoped.exists()


def test_admin_offers_no_purge_of_what_is_never_deleted_softly(alice, operator):
    make_call(make_agent(alice.workspace))

    page = operator.get("/admin/telephony/call/").content.decode()

    assert 'value="purge"' not in page
