"""The audit log itself: what an entry says, and that it stays."""

import contextvars
import threading

import pytest

from accounts import audit
from accounts.audit import Action, Source
from accounts.models import AccessToken, AppendOnly, AuditEntry, Workspace
from accounts.services import issue_api_key
from agents.models import Prompt, VoiceAgent
from telephony.models import CarrierAccount

SECRET_TOKEN = "5ec2e75ec2e75ec2e75ec2e75ec2e75e"


def entries(owner):
    """All but that the workspace itself was made."""
    told = AuditEntry.objects.for_owner(owner).exclude(kind="workspace")
    return list(told.order_by("pk"))


def make_agent(owner, **fields):
    return VoiceAgent.unscoped.create(owner=owner, name="Reception", **fields)


# -- Append only -----------------------------------------------------------------------


def test_entry_is_never_changed(alice):
    entry = audit.record(Action.CHANGED, make_agent(alice.workspace))
    entry.label = "Somebody else"

    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.for_owner(alice.workspace).delete,
        AuditEntry.unscoped.all().delete,
        lambda: AuditEntry.unscoped.update(label="Somebody else"),
        lambda: AuditEntry.unscoped.bulk_update([entry], ["label"]),
    ):
        with pytest.raises(AppendOnly):
            attempt()

    assert [kept.label for kept in entries(alice.workspace)] == ["Reception"]


def test_entry_outlives_person_key_and_object_and_goes_with_its_workspace(alice):
    key, _secret = issue_api_key(
        owner=alice.workspace, user=alice.user, name="Zapier", scopes=["write"]
    )
    agent = make_agent(alice.workspace)
    entry = AuditEntry(
        owner=alice.workspace,
        user=alice.user,
        actor_name="Alice",
        token=key,
        token_name="Zapier",
        source=Source.API_KEY,
        action=Action.DELETED,
        kind="voice_agent",
        object_id=str(agent.pk),
        label=str(agent),
    )
    entry.save()

    agent_id = str(agent.pk)
    agent.delete()
    alice.user.delete()

    kept = AuditEntry.unscoped.get(pk=entry.pk)
    assert (kept.user, kept.token) == (None, None)
    assert (kept.actor_name, kept.token_name) == ("Alice", "Zapier")
    assert (kept.label, kept.object_id) == ("Reception", agent_id)

    alice.workspace.delete()

    assert not AuditEntry.unscoped.filter(pk=entry.pk).exists()


# -- What changed ----------------------------------------------------------------------


def test_change_is_told_with_before_and_after(alice):
    agent = make_agent(alice.workspace)
    agent.name, agent.max_tokens = "Sales", 400

    with audit.changing(agent):
        agent.save()

    (entry,) = entries(alice.workspace)
    assert (entry.action, entry.kind, entry.label) == (
        "changed",
        "voice_agent",
        "Sales",
    )
    assert entry.changes == {"name": ["Reception", "Sales"], "max_tokens": [300, 400]}


def test_new_row_is_told_by_what_was_given(alice):
    agent = VoiceAgent(owner=alice.workspace, name="Sales", variables={"shop": "Ada's"})

    with audit.changing(agent):
        agent.save()

    (entry,) = entries(alice.workspace)
    assert entry.action == "created"
    assert entry.changes == {
        "name": [None, "Sales"],
        "variables": [None, {"shop": "Ada's"}],
    }


def test_relation_is_told_by_its_name(alice):
    prompt = Prompt.unscoped.create(owner=alice.workspace, name="Greeter", text="Hi")
    agent = make_agent(alice.workspace)
    agent.prompt = prompt

    with audit.changing(agent):
        agent.save()

    assert entries(alice.workspace)[0].changes == {"prompt": [None, "Greeter"]}


def test_change_that_changes_nothing_leaves_no_entry(alice):
    agent = make_agent(alice.workspace)

    with audit.changing(agent):
        agent.save()

    assert entries(alice.workspace) == []


def test_change_that_fails_leaves_no_entry(alice):
    agent = make_agent(alice.workspace)
    agent.name = "Sales"

    with pytest.raises(RuntimeError), audit.changing(agent):
        agent.save()
        raise RuntimeError

    assert entries(alice.workspace) == []
    assert VoiceAgent.unscoped.get(pk=agent.pk).name == "Reception"


@pytest.mark.django_db(transaction=True)
def test_entry_and_change_are_kept_together_or_not_at_all(alice, monkeypatch):
    agent = make_agent(alice.workspace)
    agent.name = "Sales"

    def break_down(self, *args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(AuditEntry, "save", break_down)
    with pytest.raises(RuntimeError), audit.changing(agent):
        agent.save()

    assert VoiceAgent.unscoped.get(pk=agent.pk).name == "Reception"


def test_secret_is_never_written(alice):
    account = CarrierAccount.unscoped.create(
        owner=alice.workspace,
        label="Main",
        account_sid="AC" + "1" * 32,
        auth_token="0" * 32,
    )
    account.auth_token = SECRET_TOKEN

    with audit.changing(account):
        account.save()

    (entry,) = entries(alice.workspace)
    assert entry.changes == {"auth_token": ["••••", "••••"]}


def test_password_of_a_person_is_a_secret(alice):
    before = type(alice.user).objects.get(pk=alice.user.pk)
    alice.user.set_password("another battery staple, correct horse")

    assert audit.differences(before, alice.user) == {"password": ["••••", "••••"]}


def test_long_text_is_told_by_an_excerpt_around_the_change(alice):
    prompt = Prompt.unscoped.create(
        owner=alice.workspace, name="Greeter", text="a" * 3000 + "OLD" + "z" * 3000
    )
    prompt.text = "a" * 3000 + "NEW" + "z" * 3000

    with audit.changing(prompt):
        prompt.save()

    before, after = entries(alice.workspace)[0].changes["text"]
    assert before.startswith("…aaa") and before.endswith("zzz…")
    assert "OLD" in before and "NEW" in after
    assert len(after) == audit.EXCERPT_CHARACTERS + 2


def test_label_is_cut_to_what_the_column_holds(alice):
    row = Workspace.objects.create(name="n" * 150)
    row.name = "n" * 300  # longer than a label

    entry = audit.record(Action.CHANGED, row)

    assert len(entry.label) == 200


# -- Who ------------------------------------------------------------------------------


def test_work_outside_of_a_request_is_that_of_voiceops(alice):
    entry = audit.record(Action.CHANGED, make_agent(alice.workspace))

    assert (entry.source, entry.user, entry.actor_name) == ("system", None, "VoiceOps")


def test_request_does_not_stay_behind_nor_reach_other_threads(rf, alice):
    request = rf.get("/")
    request.user, request.resolver_match = alice.user, None
    seen = []

    with audit.asked_by(request):
        thread = threading.Thread(target=lambda: seen.append(audit._actor(None)))
        thread.start()
        thread.join()
        seen.append(audit._actor(None))
    with pytest.raises(RuntimeError), audit.asked_by(request):
        raise RuntimeError
    seen.append(audit._actor(None))
    contextvars.copy_context().run(lambda: seen.append(audit._actor(None)))

    assert [actor.source for actor in seen] == ["system", "page", "system", "system"]


def test_worker_thread_that_served_alice_serves_mallory_as_mallory(alice, mallory):
    """Both requests run in this very thread, as in a server's pool."""
    for person in (alice, mallory):
        agent = make_agent(person.workspace)
        person.client.post(f"/voice-agents/{agent.pk}/delete")
    later = audit.record(Action.CHANGED, make_agent(alice.workspace))

    assert [entry.user for entry in entries(mallory.workspace)] == [mallory.user]
    assert entries(alice.workspace)[0].user == alice.user
    assert later.source == "system"


def test_page_says_who_and_from_where(alice):
    agent = make_agent(alice.workspace)

    alice.client.post(f"/voice-agents/{agent.pk}/delete", REMOTE_ADDR="192.0.2.7")

    (entry,) = entries(alice.workspace)
    assert (entry.source, entry.user, entry.token) == ("page", alice.user, None)
    assert (entry.actor_name, entry.actor_email) == ("Alice", "alice@example.com")
    assert entry.address == "192.0.2.7"
    assert len(entry.request_id) == 36


def test_api_log_in_says_who(alice):
    agent = make_agent(alice.workspace)

    alice.api("DELETE", f"/api/agents/{agent.pk}")

    (entry,) = entries(alice.workspace)
    token = AccessToken.unscoped.get(kind="login")
    assert (entry.source, entry.user, entry.token) == ("api_login", alice.user, token)


def test_api_key_is_named_as_it_was(alice, client):
    agent = make_agent(alice.workspace)
    key, secret = issue_api_key(
        owner=alice.workspace, user=alice.user, name="Zapier", scopes=["write"]
    )

    client.delete(
        f"/api/agents/{agent.pk}", headers={"authorization": f"Bearer {secret}"}
    )

    entry = entries(alice.workspace)[-1]
    assert (entry.source, entry.token, entry.user) == ("api_key", key, alice.user)
    assert (entry.token_name, entry.token_prefix) == ("Zapier", key.prefix)


def test_api_from_the_browser_counts_as_the_page(alice):
    agent = make_agent(alice.workspace)

    alice.client.delete(f"/api/agents/{agent.pk}")

    assert entries(alice.workspace)[0].source == "page"
