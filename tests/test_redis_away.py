"""What works while Redis is away: whoever is signed in goes on."""

import pytest
from django.core.cache import caches
from django.test import Client

pytestmark = pytest.mark.django_db
NOBODY = "redis://127.0.0.1:9/0"  # the discard port


@pytest.fixture
def no_redis(settings):
    there = {"LOCATION": NOBODY, "OPTIONS": {"socket_connect_timeout": 1}}
    settings.CACHES = {
        "default": there | {"BACKEND": "django.core.cache.backends.redis.RedisCache"},
        "sessions": there | {"BACKEND": "voiceops.cache.SessionCache"},
    }
    yield
    caches["default"].close()


@pytest.mark.parametrize("path", ["/", "/calls", "/voice-agents", "/api/agents"])
def test_pages_work_for_somebody_who_is_signed_in(path, alice, no_redis):
    browser = Client()
    browser.cookies = alice.client.cookies

    assert browser.get(path).status_code == 200


def test_the_probe_says_what_is_missing(client, no_redis):
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["worker"] == "ConnectionError"
