from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.utils import timezone

pytestmark = pytest.mark.django_db


def test_a_session_is_noted_at_its_first_page_and_not_at_every_one(alice):
    cache.clear()
    alice.client.get("/calls")
    session = UserSession.objects.get()
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(days=1))

    alice.client.get("/calls")

    assert session.user == alice.user
    seen = UserSession.objects.get().last_seen_at
    assert timezone.now() - seen > timedelta(hours=23)


def test_htmx_goes_to_the_log_in_page_when_the_log_in_has_expired(client):
    answer = client.get(
        "/calls",
        headers={
            "HX-Request": "true",
            "HX-Current-URL": "http://testserver/calls?status=busy",
        },
    )

    assert answer.status_code == 204
    assert answer["HX-Redirect"] == "/account/login/?next=/calls%3Fstatus%3Dbusy"


def test_htmx_is_never_sent_to_another_site_after_log_in(client):
    answer = client.get(
        "/calls",
        headers={"HX-Request": "true", "HX-Current-URL": "https://evil.example/x"},
    )

    assert answer["HX-Redirect"] == "/account/login/"


def test_a_plain_request_is_redirected_to_the_log_in_page(client):
    answer = client.get("/calls")

    assert (answer.status_code, answer["Location"]) == (
        302,
        "/account/login/?next=/calls",
    )
