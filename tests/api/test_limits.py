"""Rate limits: told on every answer, shared by all processes, a tenant's own."""

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as BrokerAway

from accounts import services
from tests.api.test_idempotency import database_url
from tests.processes import NEUTRAL, wait_until
from voiceops import limits
from voiceops.api import SigningInThrottle, Throttle
from voiceops.run.guard import die_with_parent
from voiceops.run.installation import free_port

NOW = "2026-03-01T12:00:20Z"
FIELDS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
PROCESSES = 4
FAILURES = 5  # of an account in five minutes, by allauth
UP_WITHIN_S = 60


@pytest.fixture
def limited(limited):
    """Likewise, at a moment that stands still until the clock is moved."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def ask(path, token=None, method="GET", address="192.0.2.1"):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return Client(REMOTE_ADDR=address).generic(method, path, headers=headers)


def told(answer):
    return tuple(answer.get(field) for field in FIELDS)


@pytest.fixture
def small(monkeypatch):
    """Limits that a test can spend."""
    monkeypatch.setattr(Throttle, "TOKEN_LIMIT", 3)
    monkeypatch.setattr(Throttle, "WORKSPACE_LIMIT", 5)
    monkeypatch.setattr(Throttle, "ADDRESS_LIMIT", 2)
    monkeypatch.setattr(SigningInThrottle, "LIMIT", 2)


@pytest.mark.django_db
def test_every_answer_says_what_is_left(limited, alice):
    token = services.issue_login_token(alice.user)

    answers = [
        ask("/api/prompts", token),
        ask("/api/prompts", token, "OPTIONS"),
        ask("/api/prompts/x", token),
        ask("/api/prompts?page_size=0", token),
        ask("/api/prompts", token, "DELETE"),
    ]

    assert [(answer.status_code, *told(answer)) for answer in answers] == [
        (200, "600", "599", "40"),
        (200, "600", "598", "40"),
        (404, "120", "119", "40"),  # no such route: nobody asks who it is
        (400, "600", "597", "40"),
        (405, "600", "596", "40"),
    ]


@pytest.mark.django_db
def test_too_many_are_told_to_wait_until_the_minute_is_over(limited, small, alice):
    token = services.issue_login_token(alice.user)

    statuses = [ask("/api/prompts", token).status_code for _ in range(3)]
    refused = ask("/api/prompts", token)
    limited.shift(40)

    assert statuses == [200, 200, 200]
    assert (refused.status_code, refused["content-type"]) == (
        429,
        "application/problem+json",
    )
    assert (refused["Retry-After"], *told(refused)) == ("40", "3", "0", "40")
    assert ask("/api/prompts", token).status_code == 200


@pytest.mark.django_db
def test_one_tenants_use_never_eats_anothers(limited, small, alice, mallory):
    flooding = services.issue_login_token(mallory.user)
    for _ in range(5):
        ask("/api/prompts", flooding)
        ask("/api/prompts", "vo_wrong")

    assert ask("/api/prompts", flooding).status_code == 429
    assert ask("/api/prompts", "vo_wrong").status_code == 429
    assert (
        ask("/api/prompts", services.issue_login_token(alice.user)).status_code == 200
    )


@pytest.mark.django_db
def test_more_tokens_are_not_more_requests(limited, small, alice):
    tokens = [services.issue_login_token(alice.user) for _ in range(6)]

    statuses = [ask("/api/prompts", token).status_code for token in tokens]

    assert statuses == [200] * 5 + [429]


@pytest.mark.django_db
def test_strangers_are_counted_by_address(limited, small):
    statuses = [ask("/api/prompts", address="192.0.2.1").status_code for _ in range(3)]

    assert statuses == [401, 401, 429]
    assert ask("/api/prompts", address="192.0.2.2").status_code == 401


@pytest.mark.django_db
def test_guessing_passwords_is_slow(limited, small):
    body = '{"email": "a@example.com", "password": "a wrong one that is long"}'

    statuses = [
        Client().post("/auth/login", body, content_type="application/json").status_code
        for _ in range(3)
    ]

    assert statuses == [401, 401, 429]


@pytest.mark.django_db
def test_another_port_in_the_host_header_is_no_new_start(alice, settings):
    """Django lets any port through, and allauth would count by host."""
    settings.ACCOUNT_RATE_LIMITS = {}  # its own, which tests are without
    cache.clear()
    body = {"email": alice.user.email, "password": "a wrong one that is long"}

    statuses = [
        Client(headers={"host": f"localhost:{port}"})
        .post("/auth/login", body, content_type="application/json")
        .status_code
        for port in range(FAILURES + 1)
    ]

    assert statuses == [401] * FAILURES + [429]


@pytest.mark.django_db
def test_nobody_is_refused_while_the_broker_is_away(limited, alice, monkeypatch):
    def away(key):
        raise BrokerAway

    monkeypatch.setattr(limits, "_increment", away)

    answer = ask("/api/prompts", services.issue_login_token(alice.user))

    assert (answer.status_code, *told(answer)) == (200, "600", "600", "40")


def test_without_limits_nothing_is_told(client, db):
    answer = client.get("/api/prompts")

    assert (answer.status_code, told(answer)) == (401, (None, None, None))


@pytest.fixture
def servers(broker_url, tmp_path, transactional_db):
    """Addresses of four web processes on one database and one broker."""
    import redis

    with redis.Redis.from_url(broker_url) as client:
        client.flushall()
    environment = {
        **os.environ,
        **NEUTRAL,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": database_url(),
        "REDIS_URL": broker_url,
        "RATE_LIMITS": "on",
        "SIMULATOR": "off",
    }
    with contextlib.ExitStack() as stack:
        urls = [_serve(stack, environment) for _ in range(PROCESSES)]
        for url in urls:
            wait_until(lambda url=url: _is_up(url), UP_WITHIN_S, f"{url} answers")
        yield urls


def _serve(stack, environment):
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "--interface", "wsgi"),
            *("--workers", "1", "--blocking-threads", "2", "--no-access-log"),
            *("--log-level", "error", "--host", "127.0.0.1", "--port", str(port)),
            "voiceops.wsgi:application",
        ],
        cwd=django_settings.BASE_DIR,
        env=environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent(),
    )
    stack.callback(server.wait, timeout=20)
    stack.callback(server.terminate)
    return f"http://127.0.0.1:{port}"


def _is_up(url):
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/livez").status_code == 200


@pytest.mark.flow
def test_four_processes_share_one_count(servers, alice, mallory):
    spend = Throttle.TOKEN_LIMIT + 40

    for _ in range(3):  # once more where the minute turned meanwhile
        token, started = services.issue_login_token(alice.user), time.monotonic()
        answers = _ask_all(servers, token, spend)
        took_s = time.monotonic() - started
        resets = [reset for _, _, reset in answers]
        if max(resets) - min(resets) <= took_s + 1:  # they are whole seconds
            break

    statuses = Counter(status for status, _, _ in answers)
    assert statuses == {200: Throttle.TOKEN_LIMIT, 429: 40}
    remaining = sorted(left for status, left, _ in answers if status == 200)
    assert remaining == list(range(Throttle.TOKEN_LIMIT))
    (other,) = _ask_all(servers, services.issue_login_token(mallory.user), 1)
    assert other[:2] == (200, Throttle.TOKEN_LIMIT - 1)
    assert _guess(servers, mallory) == [401] * FAILURES + [429]


def _guess(urls, tenant):
    """What wrong passwords are answered, asked in one process after another."""
    guess = {"email": tenant.user.email, "password": "a wrong one that is long"}
    return [
        httpx.post(
            f"{urls[number % len(urls)]}/auth/login", json=guess, timeout=UP_WITHIN_S
        ).status_code
        for number in range(FAILURES + 1)
    ]


def _ask_all(urls, token, count):
    """Ask the processes in turn, several at once: `(status, remaining, reset)`."""
    with httpx.Client(
        headers={"Authorization": f"Bearer {token}"}, timeout=UP_WITHIN_S
    ) as client:

        def one(number):
            answer = client.get(f"{urls[number % len(urls)]}/api/auth/me")
            left, reset = (answer.headers[field] for field in FIELDS[1:])
            return answer.status_code, int(left), int(reset)

        started = time.monotonic()
        with ThreadPoolExecutor(2 * PROCESSES) as threads:
            answers = list(threads.map(one, range(count)))
        assert time.monotonic() - started < limits.WINDOW_S
    return answers
