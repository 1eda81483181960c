"""The API of webhooks."""

import pytest

from hooks.models import Delivery, Endpoint, Event
from hooks.tests.conftest import make_delivery, make_endpoint

pytestmark = pytest.mark.django_db

NEW = {"url": "https://hooks.example.com/in", "events": ["call.ended"]}
UNKNOWN = "01930c7e-0000-7000-8000-000000000000"


def test_webhook_is_made_read_changed_and_deleted(alice):
    made = alice.api("POST", "/api/webhooks", NEW)
    body = made.json()
    path = f"/api/webhooks/{body['id']}"

    read = alice.api("GET", path).json()
    listed = alice.api("GET", "/api/webhooks").json()["results"]
    changed = alice.api("PATCH", path, {"is_enabled": False, "description": "CRM"})
    replaced = alice.api("PUT", path, {"url": "https://other.example.com/"})
    gone = alice.api("DELETE", path)

    secret = body.pop("secret")
    assert made.status_code == 201
    assert secret == Endpoint.unscoped.get().secret
    assert read == body == listed[0]
    assert (changed.json()["is_enabled"], changed.json()["description"]) == (
        False,
        "CRM",
    )
    assert (replaced.json()["is_enabled"], replaced.json()["description"]) == (True, "")
    assert len(replaced.json()["events"]) == len(Event)
    assert (gone.status_code, alice.api("GET", path).status_code) == (204, 404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://192.168.0.1/"}, "url"),
        ({"url": ""}, "url"),
        ({"url": "https://x.example/" + "x" * 2_000}, "url"),
        ({"events": []}, "events"),
        ({"events": ["call.dropped"]}, "events"),
        ({"events": "call.ended"}, "events"),
        ({"signing_key": "mine"}, "signing_key"),
    ],
)
def test_wrong_field_is_refused_beside_it(alice, change, field):
    answer = alice.api("POST", "/api/webhooks", NEW | change)

    assert answer.status_code == 400
    assert [name.split(".")[0] for name in answer.json()["errors"]] == [field]


def test_repeated_request_makes_one_and_tells_its_secret_again(alice):
    keys = {"HTTP_IDEMPOTENCY_KEY": "once"}

    answers = [alice.api("POST", "/api/webhooks", NEW, **keys).json() for _ in "ab"]

    assert answers[0] == answers[1]
    assert Endpoint.unscoped.count() == 1


def test_secret_is_rotated(alice):
    endpoint = make_endpoint(alice.workspace)

    told = alice.api("POST", f"/api/webhooks/{endpoint.pk}/rotate-secret").json()

    old, endpoint.secret = endpoint.secret, ""
    endpoint.refresh_from_db()
    assert told["secret"] == endpoint.secret != old
    assert endpoint.old_secret == old


def test_deliveries_are_listed_filtered_and_read(alice):
    endpoint = make_endpoint(alice.workspace)
    dead = make_delivery(endpoint, status="dead", error="It answered 500.")
    make_delivery(endpoint, event="call.started")
    path = f"/api/webhooks/{endpoint.pk}/deliveries"

    everything = alice.api("GET", path).json()["results"]
    filtered = alice.api("GET", f"{path}?status=dead&event=call.ended").json()
    one = alice.api("GET", f"{path}/{dead.pk}").json()

    assert len(everything) == 2
    assert [row["id"] for row in filtered["results"]] == [str(dead.pk)]
    assert one["payload"] == dead.payload
    assert (one["attempts"], one["message_id"]) == ([], dead.message_id)
    assert alice.api("GET", f"{path}?status=odd").status_code == 400
    assert alice.api("GET", f"{path}?odd=1").status_code == 400


def test_events_are_sent_again_and_tests_sent(alice):
    endpoint = make_endpoint(alice.workspace)
    dead = [make_delivery(endpoint, status="dead") for _number in range(2)]
    path = f"/api/webhooks/{endpoint.pk}"

    replayed = alice.api("POST", f"{path}/deliveries/{dead[0].pk}/replay")
    again = alice.api("POST", f"{path}/deliveries/{dead[0].pk}/replay")
    rest = alice.api("POST", f"{path}/replay-dead")
    test = alice.api("POST", f"{path}/test")

    assert (replayed.status_code, replayed.json()["status"]) == (202, "pending")
    assert again.status_code == 409
    assert (rest.status_code, rest.json()) == (202, {"count": 1})
    assert (test.status_code, test.json()["event"]) == (202, "webhook.test")
    assert Delivery.unscoped.filter(status="pending").count() == 3


def test_disabled_webhook_is_a_conflict(alice):
    endpoint = make_endpoint(alice.workspace, is_enabled=False)
    path = f"/api/webhooks/{endpoint.pk}"

    assert alice.api("POST", f"{path}/test").status_code == 409
    assert alice.api("POST", f"{path}/replay-dead").status_code == 409


def test_strangers_webhook_is_not_found(alice, mallory):
    delivery = make_delivery(make_endpoint(alice.workspace))
    own = make_endpoint(mallory.workspace)
    path = f"/api/webhooks/{delivery.endpoint_id}"

    paths = {
        path: "GET",
        f"{path}/deliveries": "GET",
        f"{path}/deliveries/{delivery.pk}": "GET",
        f"{path}/deliveries/{delivery.pk}/replay": "POST",
        f"{path}/test": "POST",
        f"/api/webhooks/{own.pk}/deliveries/{delivery.pk}": "GET",
        f"/api/webhooks/{own.pk}/deliveries/{UNKNOWN}": "GET",
    }
    answers = [mallory.api(verb, asked) for asked, verb in paths.items()]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
