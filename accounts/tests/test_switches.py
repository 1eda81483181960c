"""Sign-up that is switched off."""

import pytest

from accounts import switches
from accounts.models import User
from accounts.switches import Feature

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a few words are fine"


@pytest.fixture
def root(db):
    return User.objects.create_superuser("root@example.com", "pw")


def sign_up(client, email):
    return client.post("/account/signup/", {"email": email, "password1": PASSWORD})


def register(client, email):
    body = {"email": email, "password": PASSWORD}
    return client.post("/api/auth/register", body, content_type="application/json")


def test_nobody_signs_up_while_it_is_off(client, root):
    switches.switch_off(Feature.SIGN_UP, None, reason="An attack", by=root)

    page, answer = sign_up(client, "new@example.com"), register(client, "n@example.com")

    assert "Signing up is switched off" in page.content.decode()
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Signing up is switched off for the moment."
    assert User.objects.count() == 1

    switches.switch_on(Feature.SIGN_UP, None, reason="Over", by=root)
    assert register(client, "new@example.com").status_code == 201


def test_the_probe_does_not_care(client, root):
    before = client.get("/readyz").json()
    switches.switch_off(Feature.CALLS, None, reason="Storm", by=root)

    assert client.get("/readyz").json() == before
