"""What every answer tells browsers, whatever it is. The walks look at all routes."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

PRIVATE = "private, no-store"


def assert_is_strict(answer):
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "microphone=()" in answer["Permissions-Policy"]
    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/calls", 200),
        ("/account/login/", 302),
        ("/nothing/here", 404),
        ("/api/calls", 200),
        ("/api/nothing", 404),
        ("/api/docs", 200),
        ("/livez", 200),
    ],
)
def test_every_kind_of_answer_is_strict_and_private(alice, path, status):
    answer = alice.client.get(path)

    assert answer.status_code == status
    assert_is_strict(answer)


def test_answers_to_what_is_wrong_are_strict_too(alice, monkeypatch):
    from analytics import views

    unsure = Client(enforce_csrf_checks=True)
    refused = unsure.post("/account/login/", {"login": "a"})
    elsewhere = alice.client.get("/calls", headers={"host": "elsewhere.example"})
    alice.client.raise_request_exception = False
    monkeypatch.setattr(views, "render", None)
    broken = alice.client.get("/")

    assert (refused.status_code, elsewhere.status_code, broken.status_code) == (
        403,
        400,
        500,
    )
    for answer in (refused, elsewhere, broken):
        assert_is_strict(answer)


def test_the_carrier_is_told_to_keep_nothing(client):
    answer = client.post("/webhooks/twilio/voice/token")

    assert (answer.status_code, answer["Cache-Control"]) == (403, PRIVATE)


def test_static_files_can_be_kept(client):
    answer = client.get("/static/img/mark.svg")

    assert answer.status_code == 200
    assert "no-store" not in answer["Cache-Control"]
