"""`Idempotency-Key`: the first answer again, and never the work twice."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from accounts import idempotency, services
from accounts.models import AccessToken, KeptAnswer
from accounts.tasks import purge_kept_answers
from agents.models import Prompt
from telephony.models import CarrierAccount
from telephony.tests.carriers import UNREACHABLE

pytestmark = pytest.mark.django_db
PROMPT = {"name": "Desk", "text": "Hello"}


def ask(tenant, path, body, key="once", method="POST"):
    token = services.issue_login_token(tenant.user)
    return Client().generic(
        method,
        path,
        json.dumps(body),
        content_type="application/json",
        headers={"authorization": f"Bearer {token}", "idempotency-key": key},
    )


def test_the_same_key_and_body_are_answered_as_the_first_time(alice):
    first = ask(alice, "/api/prompts", PROMPT)
    again = ask(alice, "/api/prompts", PROMPT)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["content-type"] == first["content-type"]
    assert (first.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (
        None,
        "true",
    )
    assert Prompt.unscoped.count() == 1


def test_the_order_of_fields_and_the_older_address_are_the_same_request(alice):
    agent = {"name": "Desk", "direction": "outgoing"}

    first = ask(alice, "/api/agents", agent)
    again = ask(alice, "/agents", dict(reversed(agent.items())), key='"once"')

    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/prompts", PROMPT | {"text": "Bye"}),
        ("/api/agents", {"name": "Desk"}),
    ],
)
def test_the_same_key_with_another_request_is_refused(path, body, alice):
    ask(alice, "/api/prompts", PROMPT)

    answer = ask(alice, path, body)

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/idempotency-key-reused")
    assert Prompt.unscoped.count() == 1


def test_a_key_belongs_to_its_workspace(alice, mallory):
    first = ask(alice, "/api/prompts", PROMPT)
    other = ask(mallory, "/api/prompts", PROMPT)

    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]


def test_an_answer_is_not_shown_to_a_token_of_fewer_rights(alice):
    body = {"name": "All", "scopes": ["read", "write", "calls:place"]}
    ask(alice, "/api/api-keys", body)
    _, secret = services.issue_api_key(
        owner=alice.workspace, user=alice.user, name="w", scopes=["write"]
    )

    answer = Client().post(
        "/api/api-keys",
        json.dumps(body),
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}", "idempotency-key": "once"},
    )

    assert answer.status_code == 409
    assert b"vo_" not in answer.content


def test_the_secret_of_a_kept_answer_is_not_kept_in_clear(alice):
    body = {"name": "Reports", "scopes": ["read"]}

    first = ask(alice, "/api/api-keys", body)
    again = ask(alice, "/api/api-keys", body)

    assert again.json()["key"] == first.json()["key"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM accounts_keptanswer")
        assert first.json()["key"] not in cursor.fetchone()[0]


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "é", "a b", '"unclosed', "a\tb"])
def test_a_key_that_is_none_is_refused(key, alice):
    answer = ask(alice, "/api/prompts", PROMPT, key=key)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]
    assert Prompt.unscoped.count() == 0


def test_a_malformed_request_may_come_again_mended(alice):
    wrong = ask(alice, "/api/prompts", {"name": "Desk"})
    mended = ask(alice, "/api/prompts", PROMPT)

    assert (wrong.status_code, mended.status_code) == (400, 201)


def test_a_failure_is_not_kept(alice, carrier, settings):
    login = carrier.open_account()
    body = {
        "label": "Main",
        "account_sid": login.sid,
        "auth_token": login.auth_token,
    }
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    failed = ask(alice, "/api/carrier-accounts", body)
    settings.TWILIO_API_BASE_URL = carrier.url
    tried_again = ask(alice, "/api/carrier-accounts", body)

    assert (failed.status_code, tried_again.status_code) == (502, 201)
    assert CarrierAccount.unscoped.count() == 1


def test_a_refusal_is_kept(alice, carrier):
    login = carrier.open_account()
    body = {
        "label": "Main",
        "account_sid": login.sid,
        "auth_token": login.auth_token,
    }
    account = ask(alice, "/api/carrier-accounts", body, key="account").json()
    ask(alice, "/api/phones", {"number": login.numbers[0]}, key="one")
    phone = {"number": login.numbers[0], "carrier_account_id": account["id"]}

    refused = ask(alice, "/api/phones", phone, key="two")
    again = ask(alice, "/api/phones", phone, key="two")

    assert (refused.status_code, again.status_code) == (409, 409)
    assert again["content-type"] == "application/problem+json"
    assert again.json() == refused.json()
    assert again["Idempotent-Replayed"] == "true"


def test_without_a_key_nothing_is_kept(alice):
    assert alice.api("POST", "/api/prompts", PROMPT).status_code == 201
    assert KeptAnswer.unscoped.count() == 0


def in_progress(tenant, *, since):
    """A claim of the prompt's request that nobody has filled in."""
    ask(tenant, "/api/prompts", PROMPT)
    Prompt.unscoped.all().update(deleted_at=timezone.now())
    KeptAnswer.unscoped.update(
        status=None, body="", claimed_at=timezone.now() - timedelta(seconds=since)
    )


def test_a_request_under_way_is_told_so(alice):
    in_progress(alice, since=1)

    answer = ask(alice, "/api/prompts", PROMPT)

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/idempotency-key-in-use")
    assert answer["Retry-After"] == "1"


def test_an_abandoned_claim_is_taken_over(alice):
    in_progress(alice, since=idempotency.TAKE_OVER_S)

    first, again = (ask(alice, "/api/prompts", PROMPT) for _ in range(2))

    assert (first.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == first.json()


def test_a_slow_worker_does_not_write_over_who_took_over(alice):
    in_progress(alice, since=idempotency.TAKE_OVER_S)
    slow = KeptAnswer.unscoped.get()
    answered = ask(alice, "/api/prompts", PROMPT)

    idempotency.keep(slow, status=500, body="late", media_type="text/plain")
    idempotency.release(slow)

    assert json.loads(KeptAnswer.unscoped.get().body) == answered.json()


def test_after_a_day_a_key_is_new_again(alice):
    ask(alice, "/api/prompts", PROMPT)
    KeptAnswer.unscoped.update(claimed_at=timezone.now() - idempotency.KEPT_FOR)

    answer = ask(alice, "/api/prompts", PROMPT | {"name": "Another"})

    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer


def test_purging_forgets_yesterday_only(alice, mallory):
    ask(alice, "/api/prompts", PROMPT, key="old")
    KeptAnswer.unscoped.update(claimed_at=timezone.now() - idempotency.KEPT_FOR)
    ask(mallory, "/api/prompts", PROMPT, key="new")

    purge_kept_answers()

    assert [kept.key for kept in KeptAnswer.unscoped.all()] == ["new"]


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_does_the_work(alice):
    answers, start = [], threading.Barrier(4)

    def one():
        start.wait()
        answers.append(ask(alice, "/api/api-keys", {"name": "k", "scopes": ["read"]}))
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert AccessToken.unscoped.api_keys().count() == 1
    told = [
        (answer.status_code, answer.get("Idempotent-Replayed")) for answer in answers
    ]
    assert told.count((201, None)) == 1
    assert set(told) <= {(201, None), (201, "true"), (409, None)}


KILLED_IN_THE_MIDDLE = """
import os, signal
import django
django.setup()
from django.contrib.auth import get_user_model
from accounts import services
from accounts.models import AccessToken
from django.test import Client

def killed(self, *args, **kwargs):
    save(self, *args, **kwargs)
    if self.kind == AccessToken.Kind.API_KEY:
        os.kill(os.getpid(), signal.SIGKILL)

token = services.issue_login_token(get_user_model().objects.get())
save, AccessToken.save = AccessToken.save, killed
Client(SERVER_NAME="localhost").post(
    "/api/api-keys",
    '{"name": "k", "scopes": ["read"]}',
    content_type="application/json",
    headers={"authorization": f"Bearer {token}", "idempotency-key": "once"},
)
"""


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_nothing_is_made_and_the_claim_is_taken_over(alice):
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_MIDDLE],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "VAR_DIR": str(settings.VAR_DIR),
            "DATABASE_URL": database_url(),
        },
    )
    body = {"name": "k", "scopes": ["read"]}

    assert ended.returncode == -signal.SIGKILL
    assert AccessToken.unscoped.api_keys().count() == 0
    assert KeptAnswer.unscoped.get().is_in_progress
    assert ask(alice, "/api/api-keys", body).status_code == 409
    KeptAnswer.unscoped.update(
        claimed_at=timezone.now() - timedelta(seconds=idempotency.TAKE_OVER_S)
    )
    assert ask(alice, "/api/api-keys", body).status_code == 201
    assert AccessToken.unscoped.api_keys().count() == 1


def database_url() -> str:
    """The database of this test, for another process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return os.environ["DATABASE_URL"].replace("/postgres?", f"/{name}?")
