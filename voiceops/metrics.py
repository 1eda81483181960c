"""What this process counts, for Prometheus; the names are explained in
docs/observability.md.

A label has few values, all of them known here: never a number, a name, an id, or
anything that a tenant or a client has chosen.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

# Where several processes answer at one address, they count in files there. The library
# looks for it when it is imported, and does not make it.
MULTIPROC_DIR = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if MULTIPROC_DIR:
    Path(MULTIPROC_DIR).mkdir(parents=True, exist_ok=True)

from prometheus_client import (  # noqa: E402
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

# Seconds. The carrier gives up on a webhook after 15.
OF_REQUESTS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
OF_REPLIES = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
OF_WORK = (0.05, 0.25, 1, 5, 15, 60, 120)

KINDS_OF_ROUTES = {
    "/webhooks/": "webhook",
    "/api/": "api",
    "/account/": "sign_in",
    "/admin/": "operator",
    "/operators/": "operator",
    "/livez": "probe",
    "/readyz": "probe",
    "/metrics": "probe",
    "unknown": "unknown",
}

_requests = Histogram(
    "voiceops_request_seconds",
    "Requests, by the kind of their route and their status.",
    ["kind", "status"],
    buckets=OF_REQUESTS,
)
_apologies = Counter(
    "voiceops_webhook_apologies", "Callers who heard one: a webhook broke."
)
_sessions = Gauge(
    "voiceops_live_sessions",
    "Call sockets that are open in this process.",
    multiprocess_mode="livesum",
)
_calls_begun = Counter(
    "voiceops_calls_begun", "Calls that were written down.", ["direction"]
)
_calls_ended = Counter(
    "voiceops_calls_ended",
    "Calls that have ended, by the reason as it was known then.",
    ["direction", "reason"],
)
_replies = Histogram(
    "voiceops_reply_seconds",
    "From a caller's last word to the agent's first.",
    buckets=OF_REPLIES,
)
_model_failures = Counter(
    "voiceops_model_failures", "Answers of models that failed.", ["reason"]
)
_tool_uses = Counter("voiceops_tool_uses", "Tools used in calls.", ["status"])
_carrier = Histogram(
    "voiceops_carrier_request_seconds",
    "Requests to the carrier's API, by what became of them.",
    ["outcome"],
    buckets=OF_REQUESTS,
)
_deliveries = Counter(
    "voiceops_webhook_attempts",
    "Tries to deliver outgoing webhooks.",
    ["outcome"],
)
_tasks = Histogram(
    "voiceops_task_seconds",
    "Tasks of workers, by how they ended.",
    ["task", "state"],
    buckets=OF_WORK,
)


def note_request(route: str, status: int, elapsed_s: float) -> None:
    kinds = (kind for start, kind in KINDS_OF_ROUTES.items() if route.startswith(start))
    _requests.labels(next(kinds, "page"), status).observe(elapsed_s)


def note_apology() -> None:
    _apologies.inc()


def note_task(name: str, state: str | None, elapsed_s: float) -> None:
    _tasks.labels(name, (state or "unknown").lower()).observe(elapsed_s)


def note_call_begun(direction: str) -> None:
    _calls_begun.labels(direction).inc()


def note_call_ended(direction: str, reason: str) -> None:
    _calls_ended.labels(direction, reason or "not_known_yet").inc()


def note_reply(reply_ms: int | None) -> None:
    if reply_ms is not None:
        _replies.observe(reply_ms / 1000)


def note_model_failure(reason: str) -> None:
    _model_failures.labels(reason).inc()


def note_tool_use(status: str) -> None:
    _tool_uses.labels(status).inc()


def note_webhook_attempt(outcome: str) -> None:
    _deliveries.labels(outcome).inc()


@contextmanager
def live_session() -> Iterator[None]:
    """A call's socket is open as long as the block lasts."""
    with _sessions.track_inprogress():
        yield


@contextmanager
def carrier_request() -> Iterator[None]:
    """One request to the carrier; an exception's name is what became of it."""
    began, outcome = perf_counter(), "ok"
    try:
        yield
    except Exception as error:
        outcome = type(error).__name__
        raise
    finally:
        _carrier.labels(outcome).observe(perf_counter() - began)


def exposition() -> bytes:
    """All that the processes of this address have counted, as Prometheus reads it."""
    if not MULTIPROC_DIR:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)
