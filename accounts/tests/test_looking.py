"""Operators look through somebody's eyes: they read, and nothing more."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils.timezone import now

from accounts import browsers, services
from accounts.models import AuditEntry, Membership, User
from accounts.permissions import Action
from agents.models import Prompt
from tests.people import join, make_operator, make_tenant
from tests.walls import furnish

pytestmark = pytest.mark.django_db
STOP = "/admin/looking/stop/"
HIDDEN = (
    *("/api-keys", "/api/api-keys", "/api/auth/me", "/api/auth/sessions", "/auth/me"),
    *("/api/workspaces", "/settings/profile", "/settings/workspaces/new"),
    *("/settings/account/delete", "/settings/account/export"),
)


@pytest.fixture
def root(db):
    return make_operator()


def membership_of(tenant):
    return Membership.objects.get(user=tenant.user)


def look(operator, membership, reason="They asked for help"):
    return operator.client.post(
        f"/admin/workspaces/{membership.workspace_id}/look/",
        {"member": membership.pk, "reason": reason},
    )


@pytest.fixture
def looking(root, alice):
    """An operator who looks at alice's workspace."""
    alice.rows = furnish(alice)
    answer = look(root, membership_of(alice))
    assert (answer.status_code, answer.url) == (302, "/")
    return root


def test_operator_sees_what_the_person_sees_under_a_banner(looking, alice):
    page = looking.client.get("/prompts").content.decode()

    (prompt,) = [row for row in alice.rows if isinstance(row, Prompt)]
    assert prompt.name in page
    assert "You look at" in page
    assert f'action="{STOP}"' in page
    assert "unsafe" not in looking.client.get("/")["Content-Security-Policy"]


@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE", "OTHER"])
def test_nothing_is_changed_whatever_the_person_may(verb, looking, alice):
    """It is refused before anybody asks where it goes: some places are enough."""
    before = _everything(alice)
    (prompt,) = [row for row in alice.rows if isinstance(row, Prompt)]

    for path in (
        *("/settings/workspace/leave", "/settings/profile", "/prompts/new", "/none"),
        *(f"/prompts/{prompt.pk}/delete", f"/api/prompts/{prompt.pk}", "/api/calls"),
    ):
        answer = looking.client.generic(verb, path)
        assert answer.status_code == 403, path
        assert "You look at" in answer.content.decode()

    assert _everything(alice) == before


def _everything(tenant):
    return [
        list(type(row).unscoped.filter(owner=tenant.workspace).values())
        for row in tenant.rows
    ]


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_the_persons_own_is_hidden(path, looking):
    assert looking.client.get(path).status_code == 403


def test_rights_of_the_person_are_not_the_operators(looking, alice):
    page = looking.client.get("/prompts")

    allowed = {name for name, may in page.wsgi_request.membership.may.items() if may}
    assert allowed == {Action.READ}


def test_admin_and_security_stay_the_operators_own(looking):
    security = looking.client.get(reverse("mfa_index"))

    assert looking.client.get("/admin/").status_code == 200
    assert security.wsgi_request.user == looking.user
    assert "You look at" not in security.content.decode()


def test_owner_reads_in_the_audit_log_who_looked_and_why(looking, alice):
    page = alice.client.get("/settings/audit-log").content.decode()
    entry = AuditEntry.unscoped.filter(action="looked").get()

    assert "An operator of VoiceOps looked at this workspace as" in page
    assert "They asked for help" in page
    assert looking.user.email not in page
    assert (entry.owner, entry.user, entry.source) == (
        alice.workspace,
        looking.user,
        "operator",
    )
    told = LogEntry.objects.filter(user=looking.user).values_list("change_message")
    assert ("Looks through their eyes: They asked for help",) in told


def test_nobody_is_signed_in_and_no_session_is_the_persons(root, alice):
    before = alice.user.last_login
    key = root.client.session.session_key

    look(root, membership_of(alice))

    alice.user.refresh_from_db()
    assert alice.user.last_login == before
    assert root.client.session["_auth_user_id"] == str(root.user.pk)
    assert root.client.session.session_key != key
    assert not AuditEntry.unscoped.filter(action="signed_in").exists()


def test_operator_stops_and_is_at_home_in_another_session(looking):
    key = looking.client.session.session_key

    answer = looking.client.post(STOP)
    page = looking.client.get("/prompts")

    assert answer.status_code == 302
    assert looking.client.session.session_key != key
    assert page.wsgi_request.workspace == looking.workspace
    assert "You look at" not in page.content.decode()


def test_it_ends_after_half_an_hour(looking, alice):
    with time_machine.travel(now() + timedelta(minutes=29)):
        assert looking.client.get("/prompts").wsgi_request.user == alice.user
    with time_machine.travel(now() + timedelta(minutes=31)):
        assert looking.client.get("/prompts").wsgi_request.user == looking.user
    assert looking.client.get("/prompts").wsgi_request.user == looking.user


def test_it_ends_when_the_operator_is_none_any_more(looking):
    User.objects.filter(pk=looking.user.pk).update(is_superuser=False)

    assert looking.client.get("/prompts").wsgi_request.user == looking.user


def test_it_ends_when_the_person_has_left(looking, alice):
    Membership.objects.filter(user=alice.user).delete()

    assert looking.client.get("/prompts").wsgi_request.user == looking.user


def test_it_ends_when_the_person_becomes_an_operator(looking, alice):
    User.objects.filter(pk=alice.user.pk).update(is_staff=True)

    assert looking.client.get("/prompts").wsgi_request.user == looking.user


def test_nobody_looks_through_the_eyes_of_an_operator(root):
    other = make_operator("other", is_staff=True)

    look(root, membership_of(other))

    assert root.client.get("/prompts").wsgi_request.user == root.user
    assert not AuditEntry.unscoped.filter(action="looked").exists()


@pytest.mark.parametrize("reason", ["", " "])
def test_nobody_looks_without_a_reason(reason, root, alice):
    look(root, membership_of(alice), reason=reason)

    assert root.client.get("/prompts").wsgi_request.user == root.user
    assert not AuditEntry.unscoped.filter(action="looked").exists()


def test_member_must_be_of_that_workspace(root, alice, mallory):
    answer = root.client.post(
        f"/admin/workspaces/{alice.workspace.pk}/look/",
        {"member": membership_of(mallory).pk, "reason": "Mixed up"},
    )

    assert answer.url == f"/admin/workspaces/{alice.workspace.pk}/"
    assert root.client.get("/prompts").wsgi_request.user == root.user


def test_only_superusers_with_a_second_factor_look(alice):
    staff = make_operator("staff", is_staff=True)
    bob = make_tenant("bob")
    User.objects.filter(pk=bob.user.pk).update(is_staff=True, is_superuser=True)

    assert look(staff, membership_of(alice)).status_code == 403
    assert look(bob, membership_of(alice)).url.startswith("/admin/login/")
    assert not AuditEntry.unscoped.filter(action="looked").exists()


def test_other_workspaces_of_the_person_are_not_shown(root, alice):
    elsewhere = make_tenant("elsewhere")
    Membership.objects.create(
        workspace=elsewhere.workspace, user=alice.user, role="member"
    )
    look(root, Membership.objects.get(user=alice.user, workspace=alice.workspace))

    page = root.client.get("/prompts").content.decode()

    assert elsewhere.workspace.name not in page


def test_streams_tell_nothing_meanwhile(looking):
    assert browsers.membership_of_session(looking.client.session.session_key) is None


def test_viewer_is_seen_as_a_viewer(root, alice):
    viewer = join(alice, "viewer", "viewer")
    look(root, Membership.objects.get(user=viewer.user))

    page = root.client.get("/")

    assert page.wsgi_request.membership.role == "viewer"
    assert services.memberships_of(root.user)[0].workspace == root.workspace
