"""What the audit log tells about members, keys, log-ins and operators."""

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.urls import reverse
from django.utils.timezone import now

from accounts import invitations
from accounts.audit import differences
from accounts.models import AuditEntry, Membership, User
from agents.models import VoiceAgent
from tests.people import PASSWORD, join, make_operator, make_tenant
from tests.walls import furnish
from voiceops.encryption import EncryptedTextField

NEW_PASSWORD = "another battery staple, correct horse"


def told(owner):
    """Action, label and changes, without how the workspace was made."""
    entries = AuditEntry.objects.for_owner(owner).exclude(action="created")
    return [(e.action, e.label, e.changes) for e in entries.order_by("pk")]


def test_ownership_that_is_handed_over_is_told_with_both(alice):
    bob = join(alice, "bob", "admin")
    membership = Membership.objects.get(user=bob.user)

    alice.client.post(f"/settings/members/{membership.pk}/make-owner")

    assert told(alice.workspace) == [
        (
            "made_owner",
            "bob@example.com",
            {
                "role": ["admin", "owner"],
                "owner": ["alice@example.com", "bob@example.com"],
            },
        )
    ]


def test_keys_that_end_with_a_member_are_told(alice):
    bob = join(alice, "bob", "admin")
    bob.api("POST", "/api/api-keys", {"name": "Zapier", "scopes": ["read"]})
    membership = Membership.objects.get(user=bob.user)

    alice.api("DELETE", f"/api/members/{membership.pk}")

    (key, member) = told(alice.workspace)
    assert key[0] == "revoked" and key[1].startswith("Zapier (vo_")
    assert member == ("removed", "bob@example.com", {"role": ["admin", None]})


def test_secret_of_a_key_is_in_no_entry(alice):
    made = alice.api("POST", "/api/api-keys", {"name": "Zapier", "scopes": ["read"]})

    (entry,) = AuditEntry.objects.for_owner(alice.workspace).filter(kind="api_key")
    assert made.json()["key"] not in repr(entry.__dict__)
    assert entry.changes == {
        "kind": [None, "api_key"],
        "user": [None, "alice@example.com"],
        "name": [None, "Zapier"],
        "scopes": [None, ["read"]],
    }


def test_somebody_who_signs_up_by_an_invitation_joined_by_themselves(alice, client):
    by = Membership.objects.get(user=alice.user)
    made = invitations.invite(email="carol@example.com", role="viewer", by=by)
    invitations.send(made.pk)
    made.refresh_from_db()
    carol = User.objects.create_user("carol@example.com", PASSWORD)
    invitations.accept(made, carol)
    invitations.accept(made, carol)

    assert told(alice.workspace)[-1] == (
        "joined",
        "carol@example.com",
        {"role": [None, "viewer"]},
    )
    assert [entry[0] for entry in told(alice.workspace)] == ["invited", "joined"]


# -- One's own account -----------------------------------------------------------------


def test_security_of_an_account_is_told_in_the_workspaces_that_its_person_owns(
    alice, mallory
):
    Membership.objects.create(
        workspace=mallory.workspace, user=alice.user, role="member"
    )

    alice.client.post(
        "/account/login/", {"login": alice.user.email, "password": PASSWORD}
    )
    alice.client.post(
        "/account/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    entries = AuditEntry.objects.for_owner(alice.workspace).filter(kind="person")
    assert [(entry.action, entry.user) for entry in entries.order_by("pk")] == [
        ("password_changed", alice.user)
    ]
    assert told(mallory.workspace) == []


def test_sign_in_is_told_with_its_door(alice, client):
    alice.client.logout()
    credentials = {"login": alice.user.email, "password": PASSWORD}
    client.post("/account/login/", credentials, REMOTE_ADDR="192.0.2.7")
    client.post(
        "/auth/login",
        {"email": alice.user.email, "password": PASSWORD},
        content_type="application/json",
    )
    client.post("/account/login/", credentials | {"password": "wrong"})

    entries = AuditEntry.objects.for_owner(alice.workspace).filter(action="signed_in")
    assert [(e.source, e.user, e.address) for e in entries.order_by("pk")] == [
        ("page", alice.user, "192.0.2.7"),
        ("api_login", alice.user, "127.0.0.1"),
    ]


def test_second_factor_is_told_when_it_comes_and_goes(
    alice, django_capture_on_commit_callbacks
):
    alice.client.post(
        "/account/login/", {"login": alice.user.email, "password": PASSWORD}
    )
    alice.client.post("/account/reauthenticate/", {"password": PASSWORD})
    page = alice.client.get("/account/2fa/totp/activate/")
    secret = page.context["form"].secret
    middle_of_a_code = now().replace(second=10)
    with (
        time_machine.travel(middle_of_a_code, tick=False),
        django_capture_on_commit_callbacks(execute=True),
    ):
        (counter,) = yield_hotp_counters_from_time()
        alice.client.post(
            "/account/2fa/totp/activate/",
            {"code": format_hotp_value(hotp_value(secret, counter))},
        )
    assert Authenticator.objects.filter(user=alice.user, type="totp").exists()
    alice.client.post("/account/2fa/totp/deactivate/")

    actions = [entry[0] for entry in told(alice.workspace)]
    assert [action for action in actions if "factor" in action] == [
        "two_factor_on",
        "two_factor_off",
    ]
    seeds = AuditEntry.unscoped.filter(changes__icontains=secret)
    assert not seeds.exists()


# -- Operators -------------------------------------------------------------------------


@pytest.fixture
def operator(db):
    return make_operator().client


def test_what_an_operator_changes_is_told_to_the_workspace(alice, operator):
    agent = VoiceAgent.unscoped.create(owner=alice.workspace, name="Reception")
    page = operator.get(reverse("admin:agents_voiceagent_change", args=[agent.pk]))
    form = page.context["adminform"].form
    sent = {name: form[name].value() for name in form.fields}

    operator.post(page.request["PATH_INFO"], sent | {"max_tokens": 400})
    operator.post(page.request["PATH_INFO"], sent | {"max_tokens": 400})

    entries = AuditEntry.objects.for_owner(alice.workspace).filter(source="operator")
    assert [(entry.actor_name, entry.changes) for entry in entries] == [
        ("Operator", {"max_tokens": [300, 400]})
    ]


def test_roles_that_an_operator_gives_and_takes_are_told(alice, operator):
    bob = join(alice, "bob", "member")
    membership = Membership.objects.get(user=bob.user)
    path = reverse("admin:accounts_membership_change", args=[membership.pk])
    sent = {
        "workspace": str(alice.workspace.pk),
        "user": str(bob.user.pk),
        "gets_digest": "on",
    }

    operator.post(path, sent | {"role": "viewer"})
    operator.post(
        reverse("admin:accounts_membership_delete", args=[membership.pk]),
        {"post": "yes"},
    )

    assert told(alice.workspace) == [
        ("changed", "bob@example.com", {"role": ["member", "viewer"]}),
        ("removed", "bob@example.com", {"role": ["viewer", None]}),
    ]


def test_members_on_the_page_of_a_workspace_are_told(alice, operator):
    carol = make_tenant("carol")
    path = reverse("admin:accounts_workspace_change", args=[alice.workspace.pk])
    page = operator.get(path)
    inline = page.context["inline_admin_formsets"][0].formset
    owner = Membership.objects.get(user=alice.user)
    name = inline.prefix
    sent = {
        "name": "Renamed",
        "timezone": "UTC",
        f"{name}-TOTAL_FORMS": 2,
        f"{name}-INITIAL_FORMS": 1,
        f"{name}-0-id": str(owner.pk),
        f"{name}-0-workspace": str(alice.workspace.pk),
        f"{name}-0-user": str(alice.user.pk),
        f"{name}-0-role": "owner",
        f"{name}-0-gets_digest": "on",
        f"{name}-1-workspace": str(alice.workspace.pk),
        f"{name}-1-user": str(carol.user.pk),
        f"{name}-1-role": "member",
    }

    assert operator.post(path, sent).status_code == 302

    entries = AuditEntry.objects.for_owner(alice.workspace).filter(source="operator")
    assert [(e.action, e.kind, e.label) for e in entries.order_by("pk")] == [
        ("changed", "workspace", "Renamed"),
        ("created", "member", "carol@example.com"),
    ]


def test_no_secret_of_any_row_is_in_what_is_told_of_it(alice):
    """Whatever model comes: what is secret in it stays out of its entry."""
    for row in [row for row in furnish(alice) if hasattr(row, "audited_as")]:
        blank = type(row)()
        shown = repr(differences(blank, row))
        for field in row._meta.concrete_fields:
            is_secret = isinstance(field, EncryptedTextField) or field.name in {
                "digest",
                "webhook_token",
                "relay_token",
            }
            value = str(getattr(row, field.attname) or "")
            if is_secret and value and not value.startswith("Xylophone"):
                assert value not in shown, (row, field)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_person_whom_an_operator_deletes_is_told_as_removed(
    one_by_one, alice, operator
):
    bob = join(alice, "bob", "viewer").user
    people = reverse("admin:accounts_user_changelist")
    chosen = {"action": "delete_selected", "_selected_action": [str(bob.pk)]}

    if one_by_one:
        page = reverse("admin:accounts_user_delete", args=[bob.pk])
        answer = operator.post(page, {"post": "yes"})
    else:
        answer = operator.post(people, chosen | {"post": "yes"})

    assert answer.status_code == 302
    assert not User.objects.filter(pk=bob.pk).exists()
    entries = AuditEntry.objects.for_owner(alice.workspace).filter(source="operator")
    assert [(e.action, e.label, e.changes) for e in entries] == [
        ("removed", "bob@example.com", {"role": ["viewer", None]})
    ]
