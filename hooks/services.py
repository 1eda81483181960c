"""Verbs about endpoints and what they are told of."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import audit
from agents.tools import guard
from hooks import tasks
from hooks.models import TEST_EVENT, TRIES, Delivery, Endpoint, Event, new_secret

Action, Status = audit.Action, Delivery.Status

MOST_ENDPOINTS = 20  # of a workspace
OLD_SECRET_LASTS = timedelta(hours=24)
MOST_OLD_SECRETS = 3  # of an endpoint: each makes a signature
REPLAYED_AT_ONCE = 200

# What every event asks for, but for whose it is: `filter` makes a copy.
_ENABLED = Endpoint.unscoped.filter(is_enabled=True, deleted_at=None)


class Refused(Exception):
    """It cannot be done; `str()` says why, `field` which field is to blame."""

    def __init__(self, why: str, field: str | None = None):
        super().__init__(why)
        self.field = field


def save_endpoint(endpoint: Endpoint) -> Endpoint:
    """Save a new endpoint or a changed one. Raises Refused."""
    _refuse_bad_address(endpoint.url)
    if not endpoint.events or set(endpoint.events) - set(Event.values):
        raise Refused(_("Choose at least one of the events."), "events")
    others = Endpoint.objects.for_owner(endpoint.owner_id).exclude(pk=endpoint.pk)
    if endpoint._state.adding and others.count() >= MOST_ENDPOINTS:
        message = _("A workspace can have %(count)d webhooks.")
        raise Refused(message % {"count": MOST_ENDPOINTS})
    # A secret or a state that changes at this moment is not put back.
    own = None if endpoint._state.adding else ["url", "description", "events"]
    with audit.changing(endpoint):
        endpoint.save(update_fields=own)
    return endpoint


def _refuse_bad_address(url: str) -> None:
    try:
        guard.check_url(url, guard.installed_rules())
    except guard.Blocked as blocked:
        raise Refused(str(blocked), "url") from None


def rotate_secret(endpoint: Endpoint) -> str:
    """Give it a new secret and return it; those that sign now do for a day as well.

    Whoever rotates twice, as by a double click, has not deployed the one in between.
    """
    at = now()
    with transaction.atomic():
        Endpoint.unscoped.select_for_update(no_key=True).get(pk=endpoint.pk)
        endpoint.refresh_from_db(fields=["secret", "old_secret", "old_secret_until"])
        with audit.changing(endpoint):
            signing = endpoint.secrets_at(at)[:MOST_OLD_SECRETS]
            endpoint.secret, endpoint.old_secret = new_secret(), " ".join(signing)
            endpoint.old_secret_until = at + OLD_SECRET_LASTS
            endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return endpoint.secret


def enable(endpoint: Endpoint) -> None:
    """Tell it again, of what happens from now on."""
    with audit.changing(endpoint, Action.ACTIVATED):
        endpoint.is_enabled = True
        endpoint.disabled_at = endpoint.failing_since = None
        endpoint.disabled_reason, endpoint.dead_in_a_row = "", 0
        endpoint.notice_due = False
        endpoint.save(
            update_fields=[
                "is_enabled",
                "disabled_at",
                "failing_since",
                "disabled_reason",
                "dead_in_a_row",
                "notice_due",
            ]
        )


def disable(endpoint: Endpoint) -> None:
    """Tell it nothing any more; what was not delivered is given up."""
    with audit.changing(endpoint, Action.DEACTIVATED):
        endpoint.is_enabled, endpoint.disabled_at = False, now()
        endpoint.save(update_fields=["is_enabled", "disabled_at"])
        give_up_on(endpoint)


def switch_off(endpoint: Endpoint, reason: str, *, at: datetime) -> bool:
    """Disable an endpoint that does not work, and tell its owner once."""
    with transaction.atomic():
        enabled = Endpoint.unscoped.filter(pk=endpoint.pk, is_enabled=True)
        won = enabled.update(
            is_enabled=False,
            disabled_at=at,
            disabled_reason=reason,
            notice_due=True,
            updated_at=at,
        )
        if won:
            changes = {"is_enabled": [True, False], "reason": [None, reason]}
            audit.record(Action.DEACTIVATED, endpoint, changes=changes)
            give_up_on(endpoint)
            transaction.on_commit(
                partial(tasks.send_notices.apply_async, retry=False), robust=True
            )
    return bool(won)


def delete_endpoint(endpoint: Endpoint) -> None:
    """Put it away; what was not delivered is given up."""
    with transaction.atomic():
        endpoint.put_away()
        give_up_on(endpoint)
        audit.record(Action.DELETED, endpoint)


def give_up_on(endpoint: Endpoint) -> None:
    pending = Delivery.unscoped.filter(endpoint=endpoint, status=Status.PENDING)
    pending.update(
        status=Status.DEAD,
        next_try_at=None,
        claimed_until=None,  # whoever is about to send it has no say any more
        error=_("The webhook was switched off."),
        updated_at=now(),
    )


# -- Deliveries ------------------------------------------------------------------------


def announce(
    *,
    owner_id,
    event: Event,
    call_id=None,
    text_id=None,
    data: Callable[[], dict],
    at: datetime,
    edition: int = 1,
) -> None:
    """Note an event for every endpoint that wants it. Repeating is safe.

    Call it in the transaction in which the event happens. `data` is asked for only if
    somebody wants to know.
    """
    told = [
        endpoint
        for endpoint in _ENABLED.filter(owner_id=owner_id)
        if event in endpoint.events
    ]
    if not told:
        return
    payload = payload_of(event, data(), at)
    deliveries = [
        Delivery(
            owner_id=owner_id,
            endpoint=endpoint,
            call_id=call_id,
            text_id=text_id,
            event=event,
            edition=edition,
            payload=payload,
            next_try_at=now(),
        )
        for endpoint in told
    ]
    Delivery.unscoped.bulk_create(deliveries, ignore_conflicts=True)
    ring_the_bell()


def payload_of(event: str, data: dict, at: datetime) -> str:
    """The body, by the Standard Webhooks specification; `at` is when it happened."""
    moment = at.isoformat().replace("+00:00", "Z")
    told = {"type": event, "timestamp": moment, "data": data}
    return json.dumps(told, ensure_ascii=False)


def ring_the_bell() -> None:
    """Start delivering after the commit; without a broker, beat does it later."""
    transaction.on_commit(partial(tasks.deliver.apply_async, retry=False), robust=True)


def send_test(endpoint: Endpoint) -> Delivery:
    """Send an event that means nothing, once. Raises Refused."""
    if not endpoint.is_enabled:
        raise Refused(_("Enable the webhook first."))
    at = now()
    data = {"webhook_id": str(endpoint.pk), "message": "This is a test of a webhook."}
    with transaction.atomic():
        delivery = Delivery.unscoped.create(
            owner_id=endpoint.owner_id,
            endpoint=endpoint,
            event=TEST_EVENT,
            payload=payload_of(TEST_EVENT, data, at),
            tries_left=1,
            next_try_at=at,
        )
        ring_the_bell()
    return delivery


def replay(delivery: Delivery) -> bool:
    """Send it once more, with all its tries; False while it is pending.

    The message keeps its id, so that a receiver who has had it can tell.
    """
    if not delivery.endpoint.is_enabled:
        raise Refused(_("Enable the webhook first."))
    done = Delivery.unscoped.filter(pk=delivery.pk).exclude(status=Status.PENDING)
    return bool(_send_again(done))


def send_now(delivery: Delivery) -> bool:
    """Send it at once: again, or, where it waits for its next try, sooner; False while
    it is being sent. Raises Refused.
    """
    if delivery.status != Status.PENDING:
        return replay(delivery)
    if not delivery.endpoint.is_enabled:
        raise Refused(_("Enable the webhook first."))
    waiting = Delivery.unscoped.filter(pk=delivery.pk, status=Status.PENDING)
    free = Q(claimed_until=None) | Q(claimed_until__lte=now())
    with transaction.atomic():
        is_due = bool(waiting.filter(free).update(next_try_at=now(), updated_at=now()))
        if is_due:
            ring_the_bell()
    return is_due


def replay_dead(endpoint: Endpoint) -> int:
    """Send the oldest of what was given up once more; how many. Raises Refused."""
    if not endpoint.is_enabled:
        raise Refused(_("Enable the webhook first."))
    dead = Delivery.unscoped.filter(endpoint=endpoint, status=Status.DEAD)
    oldest = dead.order_by("pk").values_list("pk", flat=True)[:REPLAYED_AT_ONCE]
    return _send_again(dead.filter(pk__in=list(oldest)))


def _send_again(deliveries) -> int:
    with transaction.atomic():
        count = deliveries.update(
            status=Status.PENDING,
            tries_left=TRIES,
            next_try_at=now(),
            claimed_until=None,
            delivered_at=None,
            error="",
            updated_at=now(),
        )
        if count:
            ring_the_bell()
    return count
