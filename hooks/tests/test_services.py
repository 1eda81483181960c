"""What endpoints are told of, and what is sent again."""

import pytest
from django.utils import timezone

from hooks import services
from hooks.models import Delivery, Event
from hooks.tests.conftest import make_delivery, make_endpoint
from telephony.tests.calls import make_call

pytestmark = pytest.mark.django_db


def announce(call, event=Event.CALL_ENDED, **more):
    services.announce(
        owner_id=call.owner_id,
        event=event,
        call_id=call.pk,
        data=lambda: {"id": str(call.pk)},
        at=timezone.now(),
        **more,
    )


def told(endpoint):
    rows = Delivery.unscoped.filter(endpoint=endpoint).order_by("pk")
    return list(rows.values_list("event", "edition"))


def test_event_is_noted_once_for_whoever_wants_it(alice, mallory):
    wants = make_endpoint(alice.workspace)
    wants_another = make_endpoint(alice.workspace, events=["call.started"])
    disabled = make_endpoint(alice.workspace, is_enabled=False)
    deleted = make_endpoint(alice.workspace, deleted_at=timezone.now())
    strangers = make_endpoint(mallory.workspace)
    call = make_call(alice.workspace)

    for _time in range(2):
        announce(call)
    announce(call, edition=2)

    assert told(wants) == [("call.ended", 1), ("call.ended", 2)]
    for other in (wants_another, disabled, deleted, strangers):
        assert told(other) == []


def test_nobody_wants_to_know_and_nothing_is_read(alice):
    call = make_call(alice.workspace)

    services.announce(
        owner_id=call.owner_id,
        event=Event.CALL_ENDED,
        call_id=call.pk,
        data=lambda: pytest.fail("read for nobody"),
        at=timezone.now(),
    )


def test_payload_stays_as_it_was_when_the_event_happened(alice):
    endpoint = make_endpoint(alice.workspace)
    call = make_call(alice.workspace)
    announce(call)
    before = Delivery.unscoped.get(endpoint=endpoint).payload

    announce(call)

    assert Delivery.unscoped.get(endpoint=endpoint).payload == before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "https://a:b@example.com/"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["call.started", "call.dropped"]}, "events"),
    ],
)
def test_endpoint_that_cannot_be_served_is_refused(alice, fields, field):
    given = {"url": "https://hooks.example.com/"} | fields
    endpoint = services.Endpoint(owner=alice.workspace, **given)

    with pytest.raises(services.Refused) as refused:
        services.save_endpoint(endpoint)

    assert refused.value.field == field


def test_workspace_has_so_many_endpoints(alice, mallory):
    for _number in range(services.MOST_ENDPOINTS):
        make_endpoint(alice.workspace)

    for tenant, is_refused in ((alice, True), (mallory, False)):
        endpoint = services.Endpoint(owner=tenant.workspace, url="https://example.com/")
        try:
            services.save_endpoint(endpoint)
        except services.Refused:
            assert is_refused
        else:
            assert not is_refused


def test_change_does_not_put_back_a_secret_that_was_rotated_meanwhile(alice):
    endpoint = make_endpoint(alice.workspace)
    slow = services.Endpoint.unscoped.get(pk=endpoint.pk)
    secret = services.rotate_secret(endpoint)

    slow.description = "orders"
    services.save_endpoint(slow)

    endpoint.refresh_from_db()
    assert (endpoint.secret, endpoint.description) == (secret, "orders")


def test_secret_that_is_deployed_signs_also_after_it_was_rotated_twice(alice):
    endpoint = make_endpoint(alice.workspace)
    deployed = endpoint.secret

    for same in (endpoint, services.Endpoint.unscoped.get(pk=endpoint.pk)) * 3:
        newest = services.rotate_secret(same)
        signing = same.secrets_at(timezone.now())
        assert signing[0] == newest
        if len(signing) <= services.MOST_OLD_SECRETS:
            assert signing[-1] == deployed

    assert len(set(signing)) == len(signing) == services.MOST_OLD_SECRETS + 1
    assert signing == services.Endpoint.unscoped.get().secrets_at(timezone.now())


def test_disabled_endpoint_is_given_up_on_and_enabled_forgets_its_failures(alice):
    endpoint = make_endpoint(
        alice.workspace, failing_since=timezone.now(), dead_in_a_row=9
    )
    delivery = make_delivery(endpoint)

    services.disable(endpoint)
    delivery.refresh_from_db()
    given_up = delivery.status
    with pytest.raises(services.Refused):
        services.replay(delivery)
    with pytest.raises(services.Refused):
        services.replay_dead(endpoint)
    with pytest.raises(services.Refused):
        services.send_test(endpoint)
    services.enable(endpoint)

    endpoint.refresh_from_db()
    assert given_up == "dead"
    assert (endpoint.is_enabled, endpoint.failing_since, endpoint.dead_in_a_row) == (
        *(True, None, 0),
    )


def test_what_was_given_up_is_sent_again_within_bounds(alice, monkeypatch):
    monkeypatch.setattr(services, "REPLAYED_AT_ONCE", 2)
    endpoint, other = make_endpoint(alice.workspace), make_endpoint(alice.workspace)
    dead = [
        make_delivery(endpoint, status="dead", tries_left=0, next_try_at=None)
        for _number in range(3)
    ]
    kept = make_delivery(endpoint, status="delivered", next_try_at=None)
    others = make_delivery(other, status="dead", next_try_at=None)

    count = services.replay_dead(endpoint)

    for row in (*dead, kept, others):
        row.refresh_from_db()
    assert count == 2
    assert [row.status for row in dead] == ["pending", "pending", "dead"]
    assert dead[0].tries_left == 8
    assert (kept.status, others.status) == ("delivered", "dead")


def test_pending_event_is_not_sent_again(alice):
    delivery = make_delivery(make_endpoint(alice.workspace))

    assert not services.replay(delivery)
