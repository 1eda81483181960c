"""Signing in through the API, tokens and keys."""

import json
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.models import AccessToken, Membership, User, Workspace
from tests.people import PASSWORD, code_shown

pytestmark = pytest.mark.django_db
PROBLEM = "application/problem+json"


def post(path, body=None, *, token=None, raw=None, content_type="application/json"):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    data = raw if raw is not None else json.dumps(body or {})
    return Client().post(path, data, content_type=content_type, headers=headers)


def get(path, token=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return Client().get(path, headers=headers)


@pytest.mark.parametrize("prefix", ["/auth", "/api/auth"])
def test_register_makes_an_account_a_workspace_and_a_token(prefix):
    body = {"email": "Ada@Example.com", "password": PASSWORD, "name": "Ada"}

    answer = post(f"{prefix}/register", body)

    assert answer.status_code == 201
    user = User.objects.get()
    workspace = Workspace.objects.get()
    told = answer.json()
    assert told["user"] == {
        "id": str(user.pk),
        "email": "ada@example.com",
        "name": "Ada",
        "timezone": "UTC",
    }
    assert told["workspace"]["id"] == str(workspace.pk)
    me = get(f"{prefix}/me", told["token"]).json()
    assert (me["user"]["id"], me["role"]) == (str(user.pk), "owner")


def test_register_refuses_a_short_password_beside_its_field():
    answer = post("/auth/register", {"email": "a@example.com", "password": "short"})

    assert answer.status_code == 400
    assert answer["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == 400
    assert list(problem["errors"]) == ["password"]
    assert User.objects.count() == 0


def test_register_with_verification_answers_alike_for_known_and_unknown(settings):
    settings.REQUIRE_EMAIL_VERIFICATION = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    User.objects.create_user("known@example.com", PASSWORD)
    EmailAddress.objects.create(
        user=User.objects.get(), email="known@example.com", verified=True, primary=True
    )

    known = post("/auth/register", {"email": "known@example.com", "password": PASSWORD})
    new = post("/auth/register", {"email": "new@example.com", "password": PASSWORD})

    assert (known.status_code, new.status_code) == (202, 202)
    assert known.content == new.content
    assert {message.to[0] for message in mail.outbox} == {
        "known@example.com",
        "new@example.com",
    }
    assert (
        post(
            "/auth/login", {"email": "new@example.com", "password": PASSWORD}
        ).status_code
        == 401
    )


def test_login_gives_a_token_that_logout_revokes(alice):
    credentials = {"email": "alice@example.com", "password": PASSWORD}

    token = post("/auth/login", credentials).json()["token"]

    assert get("/auth/me", token).status_code == 200
    assert post("/auth/logout", token=token).status_code == 204
    assert get("/auth/me", token).status_code == 401


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_login_with_a_wrong_password_tells_nothing(alice, email):
    answer = post("/auth/login", {"email": email, "password": "wrong horse battery"})

    assert answer.status_code == 401
    assert answer["www-authenticate"] == 'Bearer realm="voiceops"'
    assert answer.json()["detail"] == "The e-mail address or the password is wrong."


def test_login_with_a_second_factor_needs_its_code_once(alice):
    secret = generate_totp_secret()
    TOTP.activate(alice.user, secret)
    codes = RecoveryCodes.activate(alice.user).get_unused_codes()
    credentials = {"email": "alice@example.com", "password": PASSWORD}

    first = post("/auth/login", credentials)
    problem = first.json()

    assert first.status_code == 401
    assert problem["type"].endswith("/mfa-required")
    assert "token" not in problem
    ask = {"mfa_token": problem["mfa_token"]}
    assert post("/auth/mfa", ask | {"code": "000000x"}).status_code == 401
    recovered = post("/auth/mfa", ask | {"code": codes[0]})
    assert get("/auth/me", recovered.json()["token"]).status_code == 200
    assert post("/auth/mfa", ask | {"code": codes[0]}).status_code == 401
    with code_shown(secret) as code:
        assert post("/auth/mfa", ask | {"code": code}).status_code == 200


def test_me_without_credentials_is_challenged():
    answer = get("/auth/me")

    assert answer.status_code == 401
    assert answer["www-authenticate"] == 'Bearer realm="voiceops"'
    assert answer["content-type"] == PROBLEM


@pytest.mark.parametrize("token", ["vo_wrong", " ", "\u00e9", "vo_" + "x" * 5000])
def test_a_wrong_token_is_challenged(token):
    answer = Client().get(
        "/auth/me",
        headers={
            "authorization": f"Bearer {token}".encode("latin-1", "replace").decode(
                "latin-1"
            )
        },
    )

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ('"x"', "application/json", 400),
        ('{"email": "a\\u0000@b.c", "password": "x"}', "application/json", 400),
        ('{"email": "\\ud800", "password": "x"}', "application/json", 400),
        ('{"\\ud800": 1}', "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ('{"email": {"a": 1}, "password": []}', "application/json", 400),
        ('{"email": ' + "9" * 5000 + "}", "application/json", 400),
        ("email=a", "application/x-www-form-urlencoded", 415),
        (b"\xff\xfe", "application/json", 400),
    ],
)
def test_a_malformed_body_is_told_as_a_problem(raw, content_type, status):
    answer = post("/auth/login", raw=raw, content_type=content_type)

    assert answer.status_code == status
    assert answer["content-type"] == PROBLEM
    assert answer.json()["status"] == status


@pytest.mark.parametrize("signed_in", [False, True])
def test_a_body_larger_than_any_request_is_refused(signed_in, alice, settings):
    token = services.issue_login_token(alice.user) if signed_in else None
    raw = json.dumps({"email": "a" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE})

    answer = post("/auth/login", raw=raw, token=token)

    assert (answer.status_code, answer["content-type"]) == (413, PROBLEM)


def test_an_unknown_field_is_refused_not_lost(alice):
    answer = post(
        "/auth/login",
        {"email": "alice@example.com", "password": PASSWORD, "remember": True},
    )

    assert answer.json()["errors"] == {"remember": ["Unknown field."]}


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/auth/nothing", "/agents/x/y", "/api/nothing/%0Ax"]
)
def test_an_unknown_address_is_a_problem_too(path):
    answer = get(path)

    assert answer.status_code == 404
    assert answer["content-type"] == PROBLEM


def test_an_api_key_is_shown_once_and_works_within_its_scopes(alice):
    made = alice.api("POST", "/api/api-keys", {"name": "Reports", "scopes": ["read"]})

    assert made.status_code == 201
    secret = made.json()["key"]
    listed = get("/api/api-keys", secret).json()["results"]
    assert [key["name"] for key in listed] == ["Reports"]
    assert "key" not in listed[0]
    assert secret.startswith(listed[0]["prefix"])
    refused = post("/api/api-keys", {"name": "x", "scopes": ["read"]}, token=secret)
    assert refused.status_code == 403
    assert AccessToken.unscoped.api_keys().count() == 1


def test_a_key_makes_no_key_that_may_more_than_itself(alice):
    soon = timezone.now() + timedelta(hours=1)
    _, secret = services.issue_api_key(
        owner=alice.workspace,
        user=alice.user,
        name="writes",
        scopes=["write"],
        expires_at=soon,
    )
    wider = {"name": "a", "scopes": ["write", "read"], "expires_at": soon.isoformat()}
    longer = {"name": "b", "scopes": ["write"]}
    alike = {"name": "c", "scopes": ["write"], "expires_at": soon.isoformat()}

    statuses = [
        post("/api/api-keys", body, token=secret).status_code
        for body in (wider, longer, alike)
    ]

    assert statuses == [403, 403, 201]
    names = AccessToken.unscoped.api_keys().values_list("name", flat=True)
    assert sorted(names) == ["c", "writes"]


@pytest.mark.parametrize("ends", ["2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_key_ends_neither_in_the_past_nor_beyond_every_calendar(ends, alice):
    body = {"name": "Late", "scopes": ["read"], "expires_at": ends}
    answer = alice.api("POST", "/api/api-keys", body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["expires_at"])


def test_a_scope_given_twice_is_one(alice):
    body = {"name": "Twice", "scopes": ["read", "write", "read"]}

    answer = alice.api("POST", "/api/api-keys", body)

    assert answer.json()["scopes"] == ["read", "write"]


def test_a_new_password_ends_bearer_log_ins_and_keeps_keys(alice):
    log_in = services.issue_login_token(alice.user)
    _, key = services.issue_api_key(
        owner=alice.workspace, user=alice.user, name="a", scopes=["read"]
    )
    new = "quite another battery staple"
    body = {"oldpassword": PASSWORD, "password1": new, "password2": new}

    changed = alice.client.post("/account/password/change/", body)

    assert changed.status_code == 302
    assert get("/auth/me", log_in).status_code == 401
    assert get("/auth/me", key).status_code == 200


def test_a_revoked_or_expired_key_is_refused(alice):
    key, revoked = services.issue_api_key(
        owner=alice.workspace, user=alice.user, name="a", scopes=["read"]
    )
    _, expired = services.issue_api_key(
        owner=alice.workspace,
        user=alice.user,
        name="b",
        scopes=["read"],
        expires_at=timezone.now() - timedelta(seconds=1),
    )

    gone = alice.api("DELETE", f"/api/api-keys/{key.pk}")

    assert gone.status_code == 204
    assert get("/auth/me", revoked).status_code == 401
    assert get("/auth/me", expired).status_code == 401


def test_the_last_use_of_a_key_is_noted(alice):
    key, secret = services.issue_api_key(
        owner=alice.workspace, user=alice.user, name="a", scopes=["read"]
    )

    get("/auth/me", secret)

    key.refresh_from_db()
    assert key.last_used_at is not None
    assert key.last_used_from == "127.0.0.1"


def test_a_key_dies_with_the_membership_of_its_maker(alice):
    _, secret = services.issue_api_key(
        owner=alice.workspace, user=alice.user, name="a", scopes=["read"]
    )

    Membership.objects.all().delete()

    assert get("/auth/me", secret).status_code == 401


def test_a_viewer_reads_and_changes_nothing(alice):
    Membership.objects.update(role=Membership.Role.VIEWER)

    assert alice.api("GET", "/api/api-keys").status_code == 200
    made = alice.api("POST", "/api/api-keys", {"name": "x", "scopes": ["read"]})
    assert made.status_code == 403


def test_the_browser_session_needs_its_csrf_token(alice):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice.user)

    assert browser.get("/api/api-keys").status_code == 200
    refused = browser.post(
        "/api/api-keys",
        json.dumps({"name": "x", "scopes": ["read"]}),
        content_type="application/json",
    )
    assert refused.status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0",
        "page_size=201",
        "cursor=x",
        "cursor=cD14",
        "cursor=%00",
        "page_size=x",
        "page_size=²",
        "q=1",
    ],
)
def test_a_list_refuses_what_it_does_not_know(alice, query):
    answer = alice.api("GET", f"/api/api-keys?{query}")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [query.split("=")[0]]


def test_a_list_pages_by_cursor_newest_first(alice):
    for name in "abc":
        services.issue_api_key(
            owner=alice.workspace, user=alice.user, name=name, scopes=["read"]
        )

    first = alice.api("GET", "/api/api-keys?page_size=2").json()
    second = alice.api("GET", first["next"].removeprefix("http://testserver")).json()

    assert [key["name"] for key in first["results"]] == ["c", "b"]
    assert [key["name"] for key in second["results"]] == ["a"]
    assert (first["previous"], second["next"]) == (None, None)
