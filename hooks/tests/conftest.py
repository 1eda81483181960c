"""Endpoints of two workspaces, and a real server that listens to them."""

import pytest
from django.utils import timezone

from hooks import services
from hooks.models import Delivery, Endpoint
from tests.stub_service import stub_service

__all__ = ["stub_service"]


def make_endpoint(owner, url="https://hooks.example.com/", **fields):
    return Endpoint.unscoped.create(owner=owner, url=url, **fields)


def make_delivery(endpoint, event="call.ended", **fields):
    payload = services.payload_of(event, {"id": "1", "word": "Größe"}, timezone.now())
    given = {"payload": payload, "next_try_at": timezone.now()}
    return Delivery.unscoped.create(
        owner_id=endpoint.owner_id,
        endpoint=endpoint,
        event=event,
        **{**given, **fields},
    )


def make_due(**which):
    """As if the time had come, and any worker at it had died long ago."""
    pending = Delivery.unscoped.filter(status="pending", **which)
    pending.update(next_try_at=timezone.now(), claimed_until=None)


@pytest.fixture
def endpoint(alice, stub_service):
    """One of alice's that takes everything."""
    return make_endpoint(alice.workspace, f"{stub_service.url}/answer")
