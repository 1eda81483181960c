"""What is kept of a person, as a file of their own."""

import pytest

from accounts import services
from tests.people import PASSWORD, join

pytestmark = pytest.mark.django_db
URL = "/settings/account/export"


def test_person_has_what_is_kept_of_them_and_nothing_that_opens_anything(alice):
    token = services.issue_login_token(alice.user)
    join(alice, "bob", "member")
    alice.client.post("/account/reauthenticate/", {"password": PASSWORD})

    answer = alice.client.get(URL)

    told, text = answer.json(), answer.content.decode()
    assert answer["Content-Disposition"].startswith("attachment")
    assert told["person"][0]["email"] == "alice@example.com"
    assert [row["role"] for row in told["workspaces"]] == ["owner"]
    assert [row["kind"] for row in told["tokens"]] == ["login"]
    assert told.keys() == {
        *("person", "addresses", "workspaces", "sessions", "tokens"),
        "second_factors",
    }
    for secret in (token, alice.user.password, alice.client.session.session_key, "bob"):
        assert secret not in text


def test_it_asks_for_the_password_first(alice):
    answer = alice.client.get(URL)

    assert answer.status_code == 302
    assert answer.url.startswith("/account/reauthenticate/")
