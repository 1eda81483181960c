from datetime import timedelta

import pytest
import time_machine
from django.utils.timezone import now

from accounts import services
from accounts.models import AccessToken, Membership, User, Workspace


@pytest.fixture
def operator(db):
    """A person made on the command line: nobody opened a workspace for them."""
    return User.objects.create_superuser("root@example.com", "a password")


def issue(tenant, **fields):
    return services.issue_api_key(
        owner=tenant.workspace,
        user=tenant.user,
        **{"name": "Reports", "scopes": ["read"], **fields},
    )


def test_membership_of_somebody_without_one_opens_a_workspace(operator):
    membership = services.membership_of(operator)

    assert membership.role == Membership.Role.OWNER
    assert membership.workspace.name == "root's workspace"
    assert services.membership_of(operator) == membership
    assert Workspace.objects.count() == 1


def test_issue_api_key_stores_a_fingerprint_only(alice):
    key, secret = issue(alice)

    stored = AccessToken.unscoped.filter(pk=key.pk).values().get()
    assert secret not in repr(stored)
    assert (stored["prefix"], stored["digest"]) == (
        secret[:10],
        AccessToken.digest_of(secret),
    )
    assert secret.startswith("vo_")
    assert len(secret) == 46


def test_find_token_finds_it_by_its_secret(alice):
    key, secret = issue(alice)
    issue(alice, name="Another")

    assert services.find_token(secret) == key
    assert services.find_token(secret[:-1]) is None
    assert services.find_token("") is None


def test_find_token_that_is_revoked_finds_nothing(alice):
    key, secret = issue(alice)

    key.revoke()

    assert services.find_token(secret) is None
    assert not AccessToken.objects.for_owner(alice.workspace).api_keys().exists()


def test_find_token_that_expired_finds_nothing(alice):
    moment = now()
    key, secret = issue(alice, expires_at=moment + timedelta(days=1))

    with time_machine.travel(moment + timedelta(days=1, seconds=1), tick=False):
        assert services.find_token(secret) is None
        assert key.has_expired


def test_find_token_of_an_inactive_person_finds_nothing(alice):
    _, secret = issue(alice)
    User.objects.update(is_active=False)

    assert services.find_token(secret) is None


def test_issue_login_token_ends_by_itself(alice):
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        secret = services.issue_login_token(alice.user)

    token = AccessToken.unscoped.get(digest=AccessToken.digest_of(secret))
    assert (token.kind, token.expires_at.isoformat()) == (
        "login",
        "2026-03-31T12:00:00+00:00",
    )


def test_note_use_is_written_once_a_minute(alice):
    key, _ = issue(alice)
    start = now()

    for seconds, address in ((0, "192.0.2.1"), (59, "192.0.2.2"), (61, "192.0.2.3")):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            services.note_use(key, address=address)
            key.refresh_from_db()
            if seconds == 59:
                assert (key.last_used_from, key.last_used_at) == ("192.0.2.1", start)

    assert key.last_used_from == "192.0.2.3"
