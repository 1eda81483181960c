"""The API of workspaces, members and invitations."""

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils.timezone import now

from accounts import services
from accounts.models import Invitation, Membership

GRACE = "grace@example.com"
CHANGES = pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"role": "admin"}), ("DELETE", None)]
)


def membership(tenant):
    return Membership.objects.get(user=tenant.user, workspace=tenant.workspace)


def ask(secret, method, path):
    headers = {"authorization": f"Bearer {secret}"}
    return Client().generic(method, path, headers=headers)


def roles(tenant):
    people = Membership.objects.filter(workspace=tenant.workspace)
    return {person.user.get_short_name(): person.role for person in people}


# -- Workspaces ------------------------------------------------------------------------


def test_workspace_list_names_ones_own_and_the_current(alice, mallory):
    Membership.objects.create(
        workspace=mallory.workspace, user=alice.user, role="viewer"
    )

    listed = alice.api("GET", "/api/workspaces").json()["results"]

    assert listed == [
        {
            "id": str(mallory.workspace.pk),
            "name": "Mallory's workspace",
            "timezone": "UTC",
            "role": "viewer",
            "is_current": False,
        },
        {
            "id": str(alice.workspace.pk),
            "name": "Alice's workspace",
            "timezone": "UTC",
            "role": "owner",
            "is_current": True,
        },
    ]


def test_workspace_list_of_a_key_is_that_of_its_workspace(alice, mallory):
    Membership.objects.create(
        workspace=mallory.workspace, user=alice.user, role="viewer"
    )
    _, secret = services.issue_api_key(
        owner=mallory.workspace, user=alice.user, name="Reports", scopes=["read"]
    )

    listed = ask(secret, "GET", "/api/workspaces").json()["results"]

    assert [(row["id"], row["is_current"]) for row in listed] == [
        (str(mallory.workspace.pk), True)
    ]


# -- Members ---------------------------------------------------------------------------


def test_member_list_tells_who_is_in(team, mallory):
    listed = team["viewer"].api("GET", "/api/members").json()["results"]

    assert [(row["user"]["email"], row["role"]) for row in listed] == [
        ("viewer@example.com", "viewer"),
        ("member@example.com", "member"),
        ("admin@example.com", "admin"),
        ("alice@example.com", "owner"),
    ]
    owner = membership(team["owner"])
    assert listed[-1] == {
        "id": str(owner.pk),
        "user": {
            "id": str(owner.user.pk),
            "email": "alice@example.com",
            "name": "Alice",
            "timezone": "UTC",
        },
        "role": "owner",
        "created_at": owner.created_at.isoformat().replace("+00:00", "Z"),
    }


def test_member_change_gives_the_role(team):
    path = f"/api/members/{membership(team['viewer']).pk}"

    answer = team["admin"].api("PATCH", path, {"role": "member"})

    assert (answer.status_code, answer.json()["role"]) == (200, "member")
    assert roles(team["owner"])["Viewer"] == "member"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"role": "owner"}, {"role": ['"owner" is not a valid choice.']}),
        ({"role": None}, {"role": ["This field may not be null."]}),
        ({}, {"role": ["This field is required."]}),
        (
            {"role": "viewer", "user": "x"},
            {"user": ["Unknown field."]},
        ),
    ],
)
def test_member_change_tells_what_is_wrong(team, body, errors):
    path = f"/api/members/{membership(team['member']).pk}"

    answer = team["owner"].api("PATCH", path, body)

    assert (answer.status_code, answer.json()["errors"]) == (400, errors)
    assert roles(team["owner"])["Member"] == "member"


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"role": "viewer"}), ("DELETE", None)]
)
def test_owner_is_not_changed_or_removed(team, method, body):
    path = f"/api/members/{membership(team['owner']).pk}"

    answer = team["admin"].api(method, path, body)

    assert answer.status_code == 409
    assert roles(team["owner"])["Alice"] == "owner"


def test_member_remove_ends_their_tokens_at_once(team):
    gone = team["member"]
    secret = services.issue_login_token(gone.user)
    before = ask(secret, "GET", "/api/prompts").status_code

    answer = team["admin"].api("DELETE", f"/api/members/{membership(gone).pk}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (before, ask(secret, "GET", "/api/prompts").status_code) == (200, 401)
    assert "Member" not in roles(team["owner"])


@pytest.mark.parametrize("actor", ["member", "viewer"])
@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"role": "admin"}), ("DELETE", None)]
)
def test_members_are_managed_by_those_who_may(team, actor, method, body):
    path = f"/api/members/{membership(team['viewer']).pk}"

    assert team[actor].api(method, path, body).status_code == 403
    assert roles(team["owner"])["Viewer"] == "viewer"


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"role": "admin"}), ("DELETE", None)]
)
def test_member_of_another_workspace_is_not_found(team, mallory, method, body):
    foreign = membership(team["member"]).pk

    told = mallory.api(method, f"/api/members/{foreign}", body)
    unknown = mallory.api(method, f"/api/members/{uuid.uuid4()}", body)

    assert (told.status_code, told.json()) == (404, unknown.json())
    assert roles(team["owner"])["Member"] == "member"


# -- Invitations -----------------------------------------------------------------------


@pytest.fixture
def invited(alice, queue):
    """The answer to an invitation of Grace that was mailed."""
    with queue():
        answer = alice.api(
            "POST", "/api/invitations", {"email": GRACE, "role": "member"}
        )
    return answer.json()


def test_invitation_create_mails_a_link_and_never_tells_it(alice, invited):
    stored = Invitation.unscoped.get()
    (message,) = mail.outbox
    secret = message.body.partition("/invitations/")[2].split()[0]

    listed = alice.api("GET", "/api/invitations")

    assert invited["sent_at"] is None
    assert invited | {"sent_at": "later", "updated_at": "later"} == {
        "id": str(stored.pk),
        "email": GRACE,
        "role": "member",
        "invited_by": str(alice.user.pk),
        "sent_at": "later",
        "expires_at": stored.expires_at.isoformat().replace("+00:00", "Z"),
        "created_at": stored.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": "later",
    }
    (row,) = listed.json()["results"]
    assert row["sent_at"] == stored.sent_at.isoformat().replace("+00:00", "Z")
    assert secret not in listed.content.decode()
    assert stored.digest not in listed.content.decode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "x@example.com", "role": "owner"}, 400),
        ({"email": "nonsense", "role": "member"}, 400),
        ({"email": "x@example.com"}, 400),
        ({"email": "alice@example.com", "role": "viewer"}, 409),
        ({"email": "GRACE@example.com", "role": "viewer"}, 409),
    ],
)
def test_invitation_create_refuses(alice, invited, body, status):
    assert alice.api("POST", "/api/invitations", body).status_code == status
    assert Invitation.unscoped.count() == 1


def test_invitation_create_repeated_with_its_key_invites_once(alice, queue):
    body, headers = {"email": GRACE, "role": "member"}, {"Idempotency-Key": "one"}
    _, secret = services.issue_api_key(
        owner=alice.workspace, user=alice.user, name="Script", scopes=["write"]
    )

    def post():
        return Client().post(
            "/api/invitations",
            body,
            content_type="application/json",
            headers={"authorization": f"Bearer {secret}", **headers},
        )

    with queue():
        first, second = post(), post()

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len(mail.outbox) == 1


def test_invitation_resend_waits_and_then_mails_another_link(alice, invited, queue):
    path = f"/api/invitations/{invited['id']}/resend"
    too_soon = alice.api("POST", path)

    with time_machine.travel(now() + timedelta(minutes=11)), queue():
        answer = alice.api("POST", path)

    assert (too_soon.status_code, answer.status_code) == (409, 200)
    assert answer.json()["expires_at"] > invited["expires_at"]
    assert len(mail.outbox) == 2


def test_invitation_revoke_ends_it(alice, invited):
    path = f"/api/invitations/{invited['id']}"

    statuses = [alice.api("DELETE", path).status_code for _ in range(2)]

    assert statuses == [204, 404]
    assert alice.api("GET", "/api/invitations").json()["results"] == []
    assert Invitation.unscoped.get().revoked_at is not None


@pytest.mark.parametrize("actor", ["member", "viewer"])
def test_invitations_are_managed_by_those_who_may(team, invited, actor):
    path = f"/api/invitations/{invited['id']}"
    body = {"email": "x@example.com", "role": "viewer"}

    asked = [
        team[actor].api(method, at, body).status_code
        for method, at in (
            ("POST", "/api/invitations"),
            ("POST", f"{path}/resend"),
            ("DELETE", path),
        )
    ]
    listed = team[actor].api("GET", "/api/invitations").json()["results"]

    assert asked == [403] * 3
    assert [row["email"] for row in listed] == [GRACE]


def test_invitations_of_another_workspace_are_not_found(alice, mallory, invited):
    path = f"/api/invitations/{invited['id']}"

    assert mallory.api("DELETE", path).status_code == 404
    assert mallory.api("POST", f"{path}/resend").status_code == 404
    assert mallory.api("GET", "/api/invitations").json()["results"] == []


# -- What roles may do by the API ------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "statuses"),
    [("admin", (400, 400)), ("member", (403, 403)), ("viewer", (403, 403))],
)
def test_keys_and_carrier_accounts_take_an_admin(team, role, statuses):
    asked = (
        team[role].api("POST", "/api/api-keys", {}).status_code,
        team[role].api("POST", "/api/carrier-accounts", {}).status_code,
    )

    assert asked == statuses


def test_key_never_does_more_than_its_maker_may_now(team):
    _, secret = services.issue_api_key(
        owner=team["admin"].workspace,
        user=team["admin"].user,
        name="Script",
        scopes=["read", "write"],
    )
    path = f"/api/members/{membership(team['member']).pk}"
    Membership.objects.filter(user=team["admin"].user).update(role="viewer")

    assert ask(secret, "DELETE", path).status_code == 403
    assert ask(secret, "GET", "/api/members").status_code == 200


def test_viewers_may_end_their_own_log_in(team):
    secret = services.issue_login_token(team["viewer"].user)

    assert ask(secret, "POST", "/api/auth/logout").status_code == 204
    assert ask(secret, "GET", "/api/auth/me").status_code == 401
