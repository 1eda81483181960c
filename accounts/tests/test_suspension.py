"""What people and keys of a suspended workspace may: read, and no more."""

import pytest
from django.utils.timezone import now

from accounts import halts, invitations
from accounts.models import Membership, User, Workspace
from accounts.permissions import Action
from agents.models import Prompt
from tests.people import join, make_tenant

pytestmark = pytest.mark.django_db
FORM = {"name": "Greeting", "text": "Hello"}
REFUSED = "This workspace is suspended: all of it can be read, and nothing changed."


@pytest.fixture
def root():
    return User.objects.create_superuser("root@example.com", "pw")


@pytest.fixture
def suspended(alice, root):
    halts.suspend(alice.workspace, reason="Strangers were called", by=root, at=now())
    return alice


def test_every_role_may_read_and_leave_alone(suspended):
    member = join(suspended, "member", "member")
    memberships = Membership.objects.filter(user__in=[suspended.user, member.user])

    allowed = {
        membership.role: {name for name, may in membership.may.items() if may}
        for membership in memberships
    }

    assert allowed == {
        "owner": {Action.READ, Action.EXPORT},
        "member": {Action.READ, Action.LEAVE},
    }


def test_pages_are_read_with_the_reason_on_them_and_change_nothing(suspended):
    page = suspended.client.get("/prompts")
    answer = suspended.client.post("/prompts/new", FORM)

    assert page.status_code == 200
    assert "Strangers were called" in page.content.decode()
    assert answer.status_code == 403
    assert REFUSED in answer.content.decode()
    assert not Prompt.unscoped.exists()


def test_api_reads_and_says_why_it_writes_nothing(suspended):
    read = suspended.api("GET", "/api/prompts")
    answer = suspended.api("POST", "/api/prompts", FORM)

    assert read.status_code == 200
    assert answer.status_code == 403
    assert answer.json()["detail"] == REFUSED
    assert not Prompt.unscoped.exists()


def test_it_is_about_that_workspace_alone(suspended, mallory):
    assert mallory.api("POST", "/api/prompts", FORM).status_code == 201


def test_all_is_as_before_when_it_goes_on(suspended, root):
    halts.resume(suspended.workspace, reason="It was none", by=root)

    assert suspended.api("POST", "/api/prompts", FORM).status_code == 201
    page = suspended.client.get("/prompts").content.decode()
    assert "suspended" not in page


def test_its_people_log_in_and_work_elsewhere(suspended):
    suspended.client.logout()
    suspended.client.force_login(suspended.user)
    new = {"name": "Second", "timezone": "UTC"}

    assert suspended.client.post("/settings/workspaces/new", new).status_code == 302
    assert suspended.client.post("/prompts/new", FORM).status_code == 302
    assert Prompt.unscoped.get().owner.name == "Second"


def test_its_people_read_in_the_audit_log_why(suspended):
    page = suspended.client.get("/settings/audit-log").content.decode()

    assert "Operator</bdi> suspended" in page or "VoiceOps</bdi> suspended" in page
    assert "Strangers were called" in page


# -- Limits ----------------------------------------------------------------------------


def test_nobody_joins_beyond_the_members_that_operators_allow(alice):
    Workspace.objects.update(most_members=1)
    owner = Membership.objects.get(user=alice.user)
    guest = make_tenant("guest").user
    invitation = invitations.invite(email=guest.email, role="member", by=owner)
    invitations.send(invitation.pk)
    invitation.refresh_from_db()

    with pytest.raises(invitations.Refused, match="as many members"):
        invitations.accept(invitation, guest)

    Workspace.objects.update(most_members=2)
    assert invitations.accept(invitation, guest).workspace == alice.workspace


def test_api_lets_a_workspace_ask_as_often_as_operators_allow(alice, limited):
    Workspace.objects.filter(pk=alice.workspace.pk).update(most_requests_a_minute=2)

    statuses = [alice.api("GET", "/api/prompts").status_code for _ in range(3)]

    assert statuses == [200, 200, 429]
