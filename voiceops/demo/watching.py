"""What is watched: alerts with their history, a budget, and webhooks that fail."""

import json
from datetime import timedelta
from decimal import Decimal

from alerts import services
from alerts.metrics import Metric
from alerts.models import Alert, Episode
from hooks.models import Attempt, Delivery, Endpoint, Event
from telephony.models import Call
from telephony.samples import id_of
from telephony.services import budgets
from voiceops.demo.campaigns import REFUSED_CALLS
from voiceops.demo.practices import AMERICA, LONDON
from voiceops.demo.stage import Stage, store

TWO_DAYS, SEVEN_DAYS = 2_880, 10_080  # minutes
BUDGET = Decimal(60)
DOWN = "<html><body><h1>503 Service Unavailable</h1></body></html>"


def make(stage: Stage) -> None:
    _alerts(stage)
    budgets.save(
        stage.owner,
        amount=BUDGET,
        currency="USD",
        warn_percent=80,
        stops_outgoing=False,
    )
    _webhooks(stage)


def _alerts(stage: Stage) -> None:
    """One that fires. The others were looked at, and have fired before."""
    fires = _alert(
        stage,
        name="London recalls fail",
        metric=Metric.FAILURE_RATE,
        agent=stage.agents["London recalls"],
        threshold=Decimal(20),
        window_minutes=TWO_DAYS,
        minimum_calls=10,
    )
    began_at = stage.latest(LONDON, "10:04")
    _episode(fires, began_at, Decimal(100), calls=REFUSED_CALLS)
    _found(fires, Alert.State.FIRING, Decimal(100), REFUSED_CALLS, stage)
    answered = _alert(
        stage,
        name="Callers are not answered",
        metric=Metric.ANSWER_RATE,
        direction=Call.Direction.INCOMING,
        threshold=Decimal(85),
        window_minutes=SEVEN_DAYS,
        minimum_calls=20,
    )
    for days, value, hours in ((-33, "81.4", 5), (-12, "83.2", 2)):
        at = stage.on(AMERICA, days, "11:20")
        _episode(answered, at, Decimal(value), calls=118, lasted=timedelta(hours=hours))
    slow = _alert(
        stage,
        name="Replies are slow",
        metric=Metric.REPLY_P95,
        threshold=Decimal(2_500),
        window_minutes=SEVEN_DAYS,
        minimum_calls=20,
    )
    at = stage.on(AMERICA, -20, "15:05")
    _episode(slow, at, Decimal(3_120), calls=64, lasted=timedelta(minutes=40))
    _alert(
        stage,
        name="A dear week",
        metric=Metric.SPEND,
        currency="USD",
        threshold=Decimal(25),
        window_minutes=SEVEN_DAYS,
    )


def _alert(stage: Stage, **fields) -> Alert:
    """Nobody is mailed: the people of the demo are invented."""
    return services.save(
        Alert(owner=stage.owner, mail_to=[], tells_webhooks=False, **fields)
    )


def _found(alert: Alert, state: str, value: Decimal, calls: int, stage: Stage) -> None:
    """What looking at it has found; soon the next look says the same."""
    found = {"state": state, "value": value, "calls": calls, "checked_at": stage.at}
    Alert.unscoped.filter(pk=alert.pk).update(**found)


def _episode(
    alert: Alert, at, value: Decimal, *, calls: int, lasted: timedelta | None = None
) -> None:
    is_over = lasted is not None
    Episode.unscoped.create(
        id=id_of(at),
        owner=alert.owner,
        alert=alert,
        threshold=alert.threshold,
        window_minutes=alert.window_minutes,
        created_at=at,
        started_at=at,
        told_at=at,
        ended_at=at + lasted if is_over else None,
        end_reason=Episode.EndReason.RECOVERED if is_over else "",
        value=value,
        worst=value,
        end_value=alert.threshold if is_over else None,
        calls=calls,
        end_calls=calls if is_over else None,
    )


# -- Webhooks --------------------------------------------------------------------------


def _webhooks(stage: Stage) -> None:
    """One that was switched off because nothing arrived, and one that hears of little:
    neither sends anything by itself.
    """
    at = stage.on(LONDON, -1, "08:30")
    crm = Endpoint.unscoped.create(
        owner=stage.owner,
        url="https://crm.brightside.example/voiceops",
        description="The CRM",
        is_enabled=False,
        disabled_at=at + timedelta(hours=26),
        disabled_reason="10 events in a row could not be delivered.",
        failing_since=at,
        dead_in_a_row=10,
    )
    Endpoint.unscoped.create(
        owner=stage.owner,
        url="https://books.brightside.example/hooks",
        description="Bookkeeping",
        events=[Event.BUDGET_WARNING, Event.BUDGET_REACHED],
    )
    calls = Call.unscoped.filter(owner=stage.owner, started_at__lt=at)
    rows: list = []
    for place, call in enumerate(calls.order_by("-pk")[:14]):
        is_dead = place < 10
        rows += _delivery(crm, call, is_dead=is_dead)
    store(rows)


def _delivery(endpoint: Endpoint, call: Call, *, is_dead: bool) -> list:
    at = call.ended_at
    told = {"id": str(call.pk), "status": call.status, "duration_s": call.duration_s}
    payload = {"type": Event.CALL_ENDED, "timestamp": at.isoformat(), "data": told}
    tries = 8 if is_dead else 1
    delivery = Delivery(
        id=id_of(at),
        owner=endpoint.owner,
        endpoint=endpoint,
        call=call,
        event=Event.CALL_ENDED,
        payload=json.dumps(payload),
        status=Delivery.Status.DEAD if is_dead else Delivery.Status.DELIVERED,
        attempts_made=tries,
        tries_left=0 if is_dead else 7,
        delivered_at=None if is_dead else at,
        error="It answered 503." if is_dead else "",
        created_at=at,
    )
    attempts = [
        Attempt(
            owner=endpoint.owner,
            delivery=delivery,
            number=number,
            at=at + timedelta(minutes=4**number // 4),
            status_code=503 if is_dead else 200,
            elapsed_ms=84 + number,
            error=delivery.error,
            answer=DOWN if is_dead else "ok",
            created_at=at,
        )
        for number in range(1, tries + 1)
    ]
    return [delivery, *attempts]
