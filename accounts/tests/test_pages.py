import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import time_machine
from django.conf import settings as project
from django.utils.timezone import now

from accounts import services
from accounts.models import AccessToken, Membership
from tests.people import make_tenant


def text_of(response):
    """The words of the page, without tags and runs of white space."""
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", unescape(words))


def issue(tenant, name="Reports", **fields):
    key, _ = services.issue_api_key(
        owner=tenant.workspace, user=tenant.user, name=name, scopes=["read"], **fields
    )
    return key


# -- Profile -------------------------------------------------------------------------


def test_profile_saves_name_and_zone(alice):
    answer = alice.client.post(
        "/settings/profile", {"name": "Alice Liddell", "timezone": "Asia/Kathmandu"}
    )

    alice.user.refresh_from_db()
    assert (answer.status_code, answer.url) == (302, "/settings/profile")
    assert (alice.user.name, alice.user.timezone) == ("Alice Liddell", "Asia/Kathmandu")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd"])
def test_profile_refuses_unknown_zones(alice, zone):
    answer = alice.client.post("/settings/profile", {"name": "A", "timezone": zone})

    alice.user.refresh_from_db()
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {"timezone"}
    assert (alice.user.name, alice.user.timezone) == ("Alice", "UTC")


def test_profile_keeps_a_zone_that_it_does_not_offer(alice):
    alice.user.timezone = "US/Pacific"
    alice.user.save()

    answer = alice.client.post(
        "/settings/profile", {"name": "A", "timezone": "US/Pacific"}
    )

    alice.user.refresh_from_db()
    assert answer.status_code == 302
    assert (alice.user.name, alice.user.timezone) == ("A", "US/Pacific")


def test_profile_changes_nothing_else(alice):
    data = {"name": "A", "timezone": "UTC", "email": "x@example.com", "is_staff": "on"}

    alice.client.post("/settings/profile", data)

    alice.user.refresh_from_db()
    assert (alice.user.email, alice.user.is_staff) == ("alice@example.com", False)


def test_workspace_change_saves_name_and_zone(alice):
    data = {"name": "Wonderland", "timezone": "Europe/London"}

    answer = alice.client.post("/settings/workspace", data)

    alice.workspace.refresh_from_db()
    assert (answer.status_code, answer.url) == (302, "/settings/workspace")
    assert (alice.workspace.name, alice.workspace.timezone) == (
        "Wonderland",
        "Europe/London",
    )


def test_workspace_change_tells_what_is_wrong_beside_the_field(alice):
    data = {"name": "", "timezone": "UTC"}

    answer = alice.client.post("/settings/workspace", data)

    assert answer.status_code == 422
    assert answer.context["form"].errors == {"name": ["This field is required."]}


@pytest.mark.parametrize("role", [Membership.Role.MEMBER, Membership.Role.VIEWER])
def test_workspace_change_is_for_those_who_manage_it(db, role):
    tenant = make_tenant("bob", role=role)
    data = {"name": "Mine", "timezone": "UTC"}

    answer = tenant.client.post("/settings/workspace", data)
    page = tenant.client.get("/settings/workspace")

    tenant.workspace.refresh_from_db()
    assert answer.status_code == 403
    assert tenant.workspace.name == "Bob's workspace"
    assert "Save workspace" not in page.content.decode()


# -- API keys ------------------------------------------------------------------------


def test_api_key_list_without_keys_says_what_they_are_for(alice):
    assert "No keys yet" in text_of(alice.client.get("/api-keys"))


def test_api_key_list_shows_own_keys_and_no_log_ins(alice, mallory):
    issue(alice)
    issue(mallory, "Not hers")
    services.issue_login_token(alice.user)

    page = alice.client.get("/api-keys")

    assert [key.name for key in page.context["keys"]] == ["Reports"]
    assert re.search(r"Reports vo_\S{7}… Read Alice, .* Never Never", text_of(page))


def test_api_key_create_shows_the_secret_once(alice):
    data = {"name": "Reports", "scopes": ["read", "calls:place"], "lifetime_days": "30"}

    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        answer = alice.client.post("/api-keys", data)

    secret = answer.context["secret"]
    key = AccessToken.unscoped.get()
    assert (key.name, key.scopes, key.user, key.owner) == (
        "Reports",
        ["read", "calls:place"],
        alice.user,
        alice.workspace,
    )
    assert key.digest == AccessToken.digest_of(secret)
    assert key.expires_at.isoformat() == "2026-03-31T12:00:00+00:00"
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert secret not in repr(dict(alice.client.session))
    assert secret not in alice.client.get("/api-keys").content.decode()


def test_api_key_create_may_last_for_ever(alice):
    data = {"name": "Reports", "scopes": ["read"], "lifetime_days": "never"}

    alice.client.post("/api-keys", data)

    assert AccessToken.unscoped.get().expires_at is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"lifetime_days": "9999"}, "lifetime_days"),
    ],
)
def test_api_key_create_tells_what_is_wrong(alice, changes, field):
    data = {"name": "Reports", "scopes": ["read"], "lifetime_days": "30"}

    answer = alice.client.post("/api-keys", data | changes)

    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {field}
    assert not AccessToken.unscoped.exists()


def test_api_key_revoke_ends_it(alice):
    key, secret = services.issue_api_key(
        owner=alice.workspace, user=alice.user, name="Reports", scopes=["read"]
    )

    page = alice.client.post(f"/api-keys/{key.pk}/revoke", follow=True)

    assert services.find_token(secret) is None
    assert "“Reports” is revoked" in text_of(page)
    assert page.context["keys"].count() == 0
    assert alice.client.post(f"/api-keys/{key.pk}/revoke").status_code == 404


def test_api_key_list_marks_expired_keys(alice):
    issue(alice, expires_at=now() - timedelta(seconds=1))

    assert "Expired" in text_of(alice.client.get("/api-keys"))


def test_viewers_see_keys_and_change_none(alice):
    key = issue(alice)
    Membership.objects.filter(user=alice.user).update(role=Membership.Role.VIEWER)

    page = alice.client.get("/api-keys")
    created = alice.client.post("/api-keys", {"name": "X", "scopes": ["read"]})
    revoked = alice.client.post(f"/api-keys/{key.pk}/revoke")

    assert "Reports" in text_of(page)
    assert "Revoke" not in text_of(page)
    assert (created.status_code, revoked.status_code) == (403, 403)
    assert list(AccessToken.unscoped.usable()) == [key]


# -- The code itself -----------------------------------------------------------------


def test_pages_forms_and_api_never_look_across_workspaces():
    """They get their rows from `for_owner`; only the operators' admin sees all."""
    watched = ("views.py", "forms.py", "api.py", "views/*.py", "forms/*.py", "api/*.py")
    files = [
        file
        for app in ("accounts", "agents", "telephony", "analytics", "alerts", "privacy")
        for pattern in watched
        for file in Path(project.BASE_DIR, app).glob(pattern)
    ]

    assert len(files) > 10
    assert [file for file in files if "unscoped" in file.read_text()] == []
