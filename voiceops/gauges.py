"""How the installation stands: what is open, what waits and for how long.

Asked of the database when somebody scrapes, and kept for some seconds, so that ten
processes that are scraped cost no more than one. Every question is answered by an
index, and nothing is counted beyond 10,000 rows.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import QuerySet
from django.utils.timezone import now
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from alerts.models import Episode, Mail
from hooks.models import Delivery
from telephony.models import (
    AfterCall,
    Call,
    Conversation,
    Message,
    ScheduledCall,
)
from voiceops import pulse
from voiceops.paging import counted
from voiceops.tasks import HEARTBEAT_KEY

KEPT_FOR_S = 10
KEPT_AS = "metrics:gauges"
# As the conditions of the indexes have them: asked for one of these alone, SQLite finds
# no index.
NOT_PLACED_YET = ("opened", "asked", "lost", "unknown")
NOT_SENT_YET = ("waiting", "asking")

Labels = tuple[str, ...]
Sample = tuple[Labels, float]

logger = logging.getLogger(__name__)


def outboxes(at: datetime) -> dict[str, tuple[QuerySet, str]]:
    """What is due and not done yet, and since when it could be."""
    due = {"next_try_at__lte": at}
    unsent = Message.unscoped.filter(status__in=NOT_SENT_YET)
    waiting = unsent.filter(status=Message.Status.WAITING)
    return {
        "scheduled_calls": (ScheduledCall.unscoped.due(at), "next_attempt_at"),
        "after_calls": (AfterCall.unscoped.filter(**due), "next_try_at"),
        "texts_to_answer": (Conversation.unscoped.filter(**due), "next_try_at"),
        "texts_to_send": (waiting, "created_at"),
        "webhook_deliveries": (Delivery.unscoped.filter(**due), "next_try_at"),
        "alert_mails": (Mail.unscoped.filter(**due), "next_try_at"),
    }


def _waiting() -> Iterator[Sample]:
    for what, (rows, _since) in outboxes(now()).items():
        yield (what,), counted(rows)


def oldest_of(rows: QuerySet, since: str) -> datetime | None:
    # Ids are made in the order of time, and texts that wait are indexed by them.
    order = "pk" if since == "created_at" else since
    return rows.order_by(order).values_list(since, flat=True).first()


def _oldest_waiting() -> Iterator[Sample]:
    at = now()
    for what, (rows, since) in outboxes(at).items():
        oldest = oldest_of(rows, since)
        yield (what,), max(0.0, (at - oldest).total_seconds()) if oldest else 0.0


def _open_calls() -> Iterator[Sample]:
    yield (), counted(Call.unscoped.filter(ended_at=None))


def _unknown_attempts() -> Iterator[Sample]:
    unplaced = Call.unscoped.filter(placement__in=NOT_PLACED_YET)
    yield (), counted(unplaced.filter(placement=Call.Placement.UNKNOWN))


def _alerts_firing() -> Iterator[Sample]:
    yield (), counted(Episode.unscoped.filter(ended_at=None))


def _heartbeat_age() -> Iterator[Sample]:
    seen = cache.get(HEARTBEAT_KEY)
    yield (), math.inf if seen is None else max(0.0, time.time() - seen)


def _queue_depth() -> Iterator[Sample]:
    if settings.REDIS_URL:
        yield (), pulse.client().llen(pulse.QUEUE)


# By name: what it says, its labels, who knows.
GAUGES: dict[str, tuple[str, Labels, Callable[[], Iterator[Sample]]]] = {
    "voiceops_open_calls": ("Calls that have not ended.", (), _open_calls),
    "voiceops_waiting": ("What is due and not done.", ("what",), _waiting),
    "voiceops_oldest_waiting_seconds": (
        "How long the oldest of what is due has waited.",
        ("what",),
        _oldest_waiting,
    ),
    "voiceops_unknown_attempts": (
        "Calls of which nobody knows whether they were placed: for a person to settle.",
        (),
        _unknown_attempts,
    ),
    "voiceops_alerts_firing": (
        "Alerts of all workspaces that fire.",
        (),
        _alerts_firing,
    ),
    "voiceops_worker_heartbeat_age_seconds": (
        "Since a worker last took up a task; infinite if none ever did.",
        (),
        _heartbeat_age,
    ),
    "voiceops_queue_depth": (
        "Tasks in the broker that no worker has taken yet.",
        (),
        _queue_depth,
    ),
}
FAILED = "voiceops_gauge_failed"


def exposition() -> bytes:
    """The gauges as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(_Given([*_families(_kept()), *_pool()]))
    return generate_latest(registry)


class _Given:
    """A collector of what is known already."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def describe(self) -> list[GaugeMetricFamily]:
        return self._families

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families


def _kept() -> dict[str, list[Sample] | None]:
    """The samples of each gauge; None where it could not be told."""
    try:
        if kept := cache.get(KEPT_AS):
            return kept
    except redis.RedisError:
        return _asked()  # everything but what Redis knows can be told still
    found = _asked()
    try:
        cache.set(KEPT_AS, found, timeout=KEPT_FOR_S)
    except redis.RedisError as error:
        logger.warning("gauges were not kept: %s", type(error).__name__)
    return found


def _asked() -> dict[str, list[Sample] | None]:
    return {name: _samples(name, tell) for name, (_, _, tell) in GAUGES.items()}


def _samples(name: str, tell: Callable[[], Iterator[Sample]]) -> list[Sample] | None:
    try:
        return list(tell())
    # Whatever a driver raises: the others can be told still.
    except Exception as error:
        logger.warning("%s cannot be told: %s", name, type(error).__name__)
        return None


def _families(found: dict[str, list[Sample] | None]) -> Iterator[GaugeMetricFamily]:
    failed = GaugeMetricFamily(FAILED, "Gauges that cannot be told.", labels=["gauge"])
    for name, (text, labels, _tell) in GAUGES.items():
        samples = found.get(name)
        failed.add_metric([name], 1 if samples is None else 0)
        family = GaugeMetricFamily(name, text, labels=labels)
        for values, value in samples or []:
            family.add_metric(values, value)
        yield family
    yield failed


def _pool() -> Iterator[GaugeMetricFamily]:
    """The database connections of the process that answers, where it has a pool."""
    pool = getattr(connection, "pool", None)
    if pool is None:
        return
    stats = pool.get_stats()
    text = "Connections to the database, of the process that answered."
    family = GaugeMetricFamily("voiceops_database_pool", text, labels=["state"])
    family.add_metric(["open"], stats.get("pool_size", 0))
    family.add_metric(["idle"], stats.get("pool_available", 0))
    family.add_metric(["waited_for"], stats.get("requests_waiting", 0))
    yield family
