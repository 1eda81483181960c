"""The pages of webhooks, as the owner, a viewer and a stranger."""

import re

import pytest
from django.db import connection

from hooks.models import Attempt, Delivery, Endpoint, Event
from hooks.tests.conftest import make_delivery, make_endpoint
from tests.people import join

pytestmark = pytest.mark.django_db

FORM = {
    "url": "https://hooks.example.com/in",
    "description": "The CRM",
    "events": ["call.ended", "call.analyzed"],
}


def page_of(tenant, path, **options):
    return tenant.client.get(path, **options).content.decode()


def test_secret_is_shown_once_and_stored_encrypted(alice):
    made = alice.client.post("/settings/webhooks/new", FORM).content.decode()

    endpoint = Endpoint.unscoped.get()
    assert (endpoint.url, endpoint.description, endpoint.events) == tuple(FORM.values())
    assert endpoint.secret.startswith("whsec_")
    assert endpoint.secret in made
    for path in ("/settings/webhooks", endpoint.get_absolute_url()):
        assert "whsec_" not in page_of(alice, path)
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM hooks_endpoint")
        assert "whsec_" not in cursor.fetchone()[0]


def test_new_webhook_is_offered_every_event(alice):
    page = page_of(alice, "/settings/webhooks/new")

    assert len(re.findall(r'name="events"[^>]* checked', page)) == len(Event)
    assert "call.ended: A call ended" in page


def test_new_secret_is_shown_once(alice):
    endpoint = make_endpoint(alice.workspace)
    old = endpoint.secret

    page = alice.client.post(f"{endpoint.get_absolute_url()}/rotate-secret")

    endpoint.refresh_from_db()
    assert endpoint.secret != old
    assert endpoint.old_secret == old
    text = page.content.decode()
    assert endpoint.secret in text
    assert old not in text
    assert page["Cache-Control"].startswith("max-age=0")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"url": "http://10.0.0.1/"}, "private network"),
        ({"url": "nonsense"}, "An address begins with https://"),
        ({"events": []}, "This field is required."),
    ],
)
def test_webhook_that_cannot_be_is_refused_in_words(alice, change, told):
    answer = alice.client.post("/settings/webhooks/new", FORM | change)

    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert not Endpoint.unscoped.exists()


def test_webhook_is_changed_disabled_enabled_and_deleted(alice):
    endpoint = make_endpoint(alice.workspace)
    path = endpoint.get_absolute_url()

    alice.client.post(path, FORM)
    endpoint.refresh_from_db()
    changed = endpoint.description
    alice.client.post(f"{path}/disable")
    endpoint.refresh_from_db()
    disabled = endpoint.is_enabled
    alice.client.post(f"{path}/enable")
    endpoint.refresh_from_db()
    enabled = endpoint.is_enabled
    alice.client.post(f"{path}/delete")

    assert (changed, disabled, enabled) == ("The CRM", False, True)
    assert alice.client.get(path).status_code == 404
    assert "No webhooks yet" in page_of(alice, "/settings/webhooks")


def test_log_is_filtered_and_paged_by_key(alice, monkeypatch):
    from hooks import views

    monkeypatch.setattr(views, "PER_PAGE", 2)
    endpoint = make_endpoint(alice.workspace)
    path = endpoint.get_absolute_url()
    for error in ("one", "two", "three"):
        make_delivery(endpoint, error=error, status="dead")
    make_delivery(endpoint, event="call.started", error="four")

    first = page_of(alice, path)
    older = first.split('rel="next"')[0].split('href="')[-1].split('"')[0]
    second = page_of(alice, path + older.replace("&amp;", "&"))
    dead = page_of(alice, f"{path}?status=dead&event=call.ended")
    none = page_of(alice, f"{path}?status=delivered")
    part = page_of(alice, path, headers={"HX-Request": "true"})

    assert "four" in first and "three" in first and "two" not in first
    assert "two" in second and "one" in second
    assert "three" in dead and "four" not in dead
    assert "Nothing matches" in none
    assert "<html" not in part and "three" in part
    assert alice.client.get(f"{path}?status=odd").status_code == 422


def test_delivery_shows_its_attempts_and_what_is_sent_escaped(alice):
    delivery = make_delivery(
        make_endpoint(alice.workspace),
        status="dead",
        payload='{"data": {"summary": "<script>alert(1)</script>"}}',
    )
    Attempt.unscoped.create(
        owner=alice.workspace,
        delivery=delivery,
        number=1,
        at=delivery.created_at,
        status_code=500,
        elapsed_ms=12,
        error="It answered 500.",
        answer="<b>oops</b>",
    )

    page = page_of(alice, delivery.get_absolute_url())

    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;b&gt;oops&lt;/b&gt;" in page
    assert "<script>alert" not in page
    assert delivery.message_id in page


def test_events_are_sent_again_by_hand(alice):
    endpoint = make_endpoint(alice.workspace)
    one = make_delivery(endpoint, status="delivered", next_try_at=None)
    two = make_delivery(endpoint, status="dead", next_try_at=None)

    alice.client.post(f"{one.get_absolute_url()}/replay")
    alice.client.post(f"{endpoint.get_absolute_url()}/replay-dead")

    for row in (one, two):
        row.refresh_from_db()
        assert (row.status, row.tries_left) == ("pending", 8)


def test_test_event_is_tried_once(alice):
    endpoint = make_endpoint(alice.workspace)

    answer = alice.client.post(f"{endpoint.get_absolute_url()}/test")

    delivery = Delivery.unscoped.get()
    assert (delivery.event, delivery.tries_left) == ("webhook.test", 1)
    assert answer.url == delivery.get_absolute_url()


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_who_may_not_manage_webhooks_reads_them(alice, role):
    endpoint = make_endpoint(alice.workspace)
    delivery = make_delivery(endpoint, status="dead")
    other = join(alice, role, role)
    path = endpoint.get_absolute_url()

    assert other.client.get(path).status_code == 200
    assert other.client.get(delivery.get_absolute_url()).status_code == 200
    assert "Send a test event" not in page_of(other, path)
    for refused in (path, f"{path}/test", f"{path}/replay-dead", f"{path}/delete"):
        assert other.client.post(refused, FORM).status_code == 403


def test_delivery_of_another_endpoint_is_not_found(alice, mallory):
    mine, other = make_endpoint(alice.workspace), make_endpoint(alice.workspace)
    delivery = make_delivery(other)
    path = f"{mine.get_absolute_url()}/deliveries/{delivery.pk}"

    assert alice.client.get(path).status_code == 404
    assert mallory.client.get(delivery.get_absolute_url()).status_code == 404
