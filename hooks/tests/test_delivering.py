"""Real requests to a real server that takes, refuses, stalls, breaks off or is gone."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from hooks import delivering, services, tasks
from hooks.models import TRIES, Attempt, Delivery, Endpoint
from hooks.tests.conftest import make_delivery, make_due, make_endpoint
from tests.people import join
from tests.processes import WITHIN_S, wait_until
from tests.worker import running_task

pytestmark = pytest.mark.django_db(transaction=True)


def at(stub_service, path):
    return f"{stub_service.url}{path}"


def stored(delivery):
    return Delivery.unscoped.get(pk=delivery.pk)


def attempts(delivery):
    rows = Attempt.unscoped.filter(delivery=delivery).order_by("number")
    return list(rows.values_list("number", "status_code"))


def bodies(stub_service):
    return [json.loads(one["body"]) for one in stub_service.requests]


def test_event_is_delivered_signed_once(endpoint, stub_service):
    delivery = make_delivery(endpoint)

    for _bell in range(2):
        tasks.deliver()

    (request,) = stub_service.requests
    told = Webhook(endpoint.secret).verify(request["body"], request["headers"])
    assert told["data"]["word"] == "Größe"
    assert request["method"] == "POST"
    assert request["headers"]["webhook-id"] == f"msg_{delivery.pk.hex}"
    assert request["headers"]["Content-Type"] == "application/json"
    row = stored(delivery)
    assert (row.status, row.next_try_at, row.claimed_until, row.error) == (
        *("delivered", None, None, ""),
    )
    (attempt,) = Attempt.unscoped.filter(delivery=delivery)
    assert (attempt.status_code, attempt.answer) == (200, '{"temperature": 21}')
    assert attempt.elapsed_ms is not None


def test_another_secret_does_not_verify(endpoint, stub_service):
    make_delivery(endpoint)
    tasks.deliver()
    (request,) = stub_service.requests

    with pytest.raises(WebhookVerificationError):
        Webhook(services.new_secret()).verify(request["body"], request["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(request["body"] + " ", request["headers"])


def test_both_secrets_sign_for_a_day_after_the_change(endpoint, stub_service):
    old = endpoint.secret
    new = services.rotate_secret(endpoint)
    make_delivery(endpoint)
    tasks.deliver()
    Endpoint.unscoped.update(old_secret_until=timezone.now())
    make_delivery(endpoint)
    tasks.deliver()

    first, second = stub_service.requests
    for secret in (old, new):
        Webhook(secret).verify(first["body"], first["headers"])
    Webhook(new).verify(second["body"], second["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(second["body"], second["headers"])


def test_failed_event_is_tried_again_later_with_its_id(alice, stub_service):
    endpoint = make_endpoint(alice.workspace, at(stub_service, "/status/500"))
    delivery = make_delivery(endpoint)
    before = timezone.now()

    tasks.deliver()
    row = stored(delivery)
    tasks.deliver()  # not due yet
    asked = len(stub_service.requests)
    Endpoint.unscoped.update(url=at(stub_service, "/answer"))
    make_due()
    tasks.deliver()

    wait_s = (row.next_try_at - before).total_seconds()
    assert (row.status, row.error, asked) == ("pending", "It answered 500.", 1)
    assert 8 <= wait_s < 13
    assert attempts(delivery) == [(1, 500), (2, 200)]
    ids = {one["headers"]["webhook-id"] for one in stub_service.requests}
    assert ids == {delivery.message_id}
    endpoint.refresh_from_db()
    assert (stored(delivery).status, endpoint.failing_since) == ("delivered", None)


def test_event_is_given_up_after_eight_tries_over_about_a_day(alice, stub_service):
    endpoint = make_endpoint(alice.workspace, at(stub_service, "/status/503"))
    delivery = make_delivery(endpoint)
    waits = []
    for _try in range(TRIES):
        started = timezone.now()
        tasks.deliver()
        if due := stored(delivery).next_try_at:
            waits.append((due - started).total_seconds())
        make_due()

    tasks.deliver()

    endpoint.refresh_from_db()
    row = stored(delivery)
    assert (row.status, row.error, row.next_try_at) == (
        "dead",
        "It answered 503.",
        None,
    )
    assert len(stub_service.requests) == TRIES == 8
    assert waits == sorted(waits)
    assert 0.8 * 86_400 < sum(waits) < 1.2 * 86_400
    assert endpoint.dead_in_a_row == 1


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/empty/204", "delivered", ""),
        ("/type/application/octet-stream", "delivered", ""),
        ("/endless/", "delivered", ""),
        ("/status/400", "dead", "It answered 400."),
        ("/status/404", "dead", "It answered 404."),
        ("/redirect/307", "dead", "It answered 307: redirects are not followed."),
        ("/status/408", "pending", "It answered 408."),
        ("/status/429", "pending", "It answered 429."),
        ("/broken/", "pending", "The host broke off or sent something unreadable."),
        ("/cut/", "pending", "The host broke off or sent something unreadable."),
    ],
)
def test_answer_decides_what_becomes_of_an_event(
    alice, stub_service, path, status, error
):
    delivery = make_delivery(make_endpoint(alice.workspace, at(stub_service, path)))

    tasks.deliver()

    assert (stored(delivery).status, stored(delivery).error) == (status, error)
    assert len(stub_service.requests) == 1


@pytest.mark.parametrize("path", ["/stall/", "/drip/"])
def test_slow_receiver_is_not_waited_for(alice, stub_service, monkeypatch, path):
    monkeypatch.setattr(delivering, "TIMEOUT_S", 0.5)
    delivery = make_delivery(make_endpoint(alice.workspace, at(stub_service, path)))

    tasks.deliver()

    assert stored(delivery).status == "pending"
    assert "within 0.5 seconds" in stored(delivery).error


def test_dead_receiver_is_tried_again(alice, settings):
    settings.TOOL_ALLOWED_HOSTS = ["localhost:9"]
    delivery = make_delivery(make_endpoint(alice.workspace, "http://localhost:9/"))

    tasks.deliver()

    row = stored(delivery)
    assert (row.status, row.error) == ("pending", "The host took no connection.")
    assert attempts(delivery) == [(1, None)]


def test_private_address_is_never_asked(alice, stub_service, settings):
    settings.TOOL_ALLOWED_HOSTS = []
    delivery = make_delivery(make_endpoint(alice.workspace, at(stub_service, "/")))

    tasks.deliver()

    assert stored(delivery).status == "dead"
    assert "private network" in stored(delivery).error
    assert stub_service.requests == []


@pytest.mark.parametrize(
    ("asked", "least_s", "most_s"),
    [
        ("600", 590, 605),
        ("1", 4, 13),
        ("999999", 6 * 3600 - 10, 6 * 3600 + 5),
        ("9" * 400, 4, 13),
        ("soon", 4, 13),
    ],
)
def test_retry_after_is_obeyed_within_bounds(
    alice, stub_service, asked, least_s, most_s
):
    endpoint = make_endpoint(alice.workspace, at(stub_service, f"/busy/{asked}"))
    delivery = make_delivery(endpoint)

    tasks.deliver()

    wait = stored(delivery).next_try_at - timezone.now()
    assert least_s <= wait.total_seconds() <= most_s


# -- Switching off ---------------------------------------------------------------------


def test_gone_receiver_is_switched_off_and_owner_and_admins_are_told_once(
    alice, stub_service
):
    for role in ("admin", "member", "viewer"):
        join(alice, role, role)
    endpoint = make_endpoint(alice.workspace, at(stub_service, "/status/410"))
    delivery = make_delivery(endpoint)
    waiting = make_delivery(endpoint, next_try_at=timezone.now() + timedelta(hours=1))

    tasks.deliver()
    for _bell in range(2):
        tasks.send_notices()

    endpoint.refresh_from_db()
    assert endpoint.was_switched_off
    assert "410" in endpoint.disabled_reason
    assert (stored(delivery).status, stored(waiting).status) == ("dead", "dead")
    told = [message.to for message in mail.outbox]
    assert sorted(told) == [["admin@example.com"], ["alice@example.com"]]
    assert endpoint.get_absolute_url() in mail.outbox[0].body
    page = alice.client.get("/settings/webhooks").content.decode()
    assert "This webhook was switched off" in page


def test_many_events_given_up_in_a_row_switch_off(alice, stub_service):
    endpoint = make_endpoint(alice.workspace, at(stub_service, "/status/401"))
    for _event in range(delivering.MOST_DEAD_IN_A_ROW):
        make_delivery(endpoint)
        endpoint.refresh_from_db()
        assert endpoint.is_enabled
        tasks.deliver()

    endpoint.refresh_from_db()
    assert not endpoint.is_enabled
    assert "10 events in a row" in endpoint.disabled_reason


def test_days_of_failure_switch_off(alice, stub_service):
    long_ago = timezone.now() - timedelta(days=5, minutes=1)
    endpoint = make_endpoint(
        alice.workspace, at(stub_service, "/status/500"), failing_since=long_ago
    )
    delivery = make_delivery(endpoint)

    tasks.deliver()
    endpoint.refresh_from_db()
    after_one_try = endpoint.is_enabled
    Delivery.unscoped.filter(pk=delivery.pk).update(tries_left=1)
    make_due()
    tasks.deliver()

    endpoint.refresh_from_db()
    assert after_one_try  # it may work again in a minute
    assert "5 days" in endpoint.disabled_reason


def test_tests_of_an_address_do_not_count_as_its_failures(alice, stub_service):
    endpoint = make_endpoint(alice.workspace, at(stub_service, "/status/404"))
    for _test in range(delivering.MOST_DEAD_IN_A_ROW):
        services.send_test(endpoint)
        tasks.deliver()

    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.failing_since, endpoint.dead_in_a_row) == (
        *(True, None, 0),
    )


def test_what_is_given_up_before_it_is_sent_is_not_sent(alice, stub_service):
    endpoint = make_endpoint(alice.workspace, at(stub_service, "/answer"))
    delivery = make_delivery(endpoint)
    (claimed,) = delivering._claim(1)

    services.disable(endpoint)

    assert delivering._begin(claimed) is None
    row = stored(delivery)
    assert (row.status, row.attempts_made, row.error) == (
        *("dead", 0, "The webhook was switched off."),
    )


def test_notice_that_cannot_be_mailed_is_mailed_later(alice, settings):
    endpoint = make_endpoint(alice.workspace)
    services.switch_off(endpoint, "It is broken.", at=timezone.now())
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 9

    tasks.send_notices()
    settings.EMAIL_BACKEND = working
    tasks.send_notices()

    assert len(mail.outbox) == 1


# -- Several workers -------------------------------------------------------------------


def test_worker_killed_in_mid_delivery_sends_the_same_message_again(
    alice, stub_service, settings
):
    endpoint = make_endpoint(alice.workspace, at(stub_service, "/stall/"))
    delivery = make_delivery(endpoint)
    allowed = {"TOOL_ALLOWED_HOSTS": stub_service.host}

    with running_task("hooks.tasks", "deliver", **allowed) as worker:
        wait_until(lambda: stub_service.requests, WITHIN_S, "the request is sent")
        tasks.deliver()  # another worker: it is claimed
        worker.kill()
    while_claimed = len(stub_service.requests)
    Endpoint.unscoped.update(url=at(stub_service, "/answer"))
    Delivery.unscoped.update(claimed_until=timezone.now())
    tasks.deliver()

    assert while_claimed == 1
    assert attempts(delivery) == [(1, None), (2, 200)]
    assert Attempt.unscoped.get(number=1).elapsed_ms is None
    assert stored(delivery).status == "delivered"
    ids = [one["headers"]["webhook-id"] for one in stub_service.requests]
    assert ids == [delivery.message_id] * 2
    assert bodies(stub_service)[0] == bodies(stub_service)[1]


def test_two_workers_send_each_event_once(endpoint, stub_service):
    deliveries = [make_delivery(endpoint) for _number in range(20)]
    allowed = {"TOOL_ALLOWED_HOSTS": stub_service.host}

    with running_task("hooks.tasks", "deliver", **allowed) as worker:
        tasks.deliver()
        worker.wait(WITHIN_S)
    tasks.deliver()

    ids = [one["headers"]["webhook-id"] for one in stub_service.requests]
    assert sorted(ids) == sorted(delivery.message_id for delivery in deliveries)


def test_dead_receiver_of_one_does_not_hold_up_another(
    alice, mallory, stub_service, monkeypatch
):
    monkeypatch.setattr(delivering, "TIMEOUT_S", 10)
    dead = make_endpoint(alice.workspace, at(stub_service, "/drip/"))
    for _event in range(60):
        make_delivery(dead)
    worker = threading.Thread(target=tasks.deliver)
    worker.start()
    wait_until(lambda: len(stub_service.requests) == 4, WITHIN_S, "it hangs")
    started = time.monotonic()

    alive = make_endpoint(mallory.workspace, at(stub_service, "/answer"))
    delivery = make_delivery(alive)
    wait_until(lambda: stored(delivery).status == "delivered", WITHIN_S, "delivered")

    took_s = time.monotonic() - started
    Delivery.unscoped.filter(endpoint=dead).update(next_try_at=None)
    worker.join(WITHIN_S)
    assert took_s < delivering.TIMEOUT_S
    assert not worker.is_alive()


def test_claims_of_an_endpoint_are_bounded(alice, mallory, endpoint):
    other = make_endpoint(mallory.workspace)
    for _event in range(20):
        make_delivery(endpoint)
    make_delivery(other)

    first, second = delivering._claim(50), delivering._claim(50)

    most = delivering.AT_ONCE_OF_AN_ENDPOINT
    claimed = [delivery.endpoint_id for delivery in first]
    assert (claimed.count(endpoint.pk), claimed.count(other.pk)) == (most, 1)
    assert second == []
