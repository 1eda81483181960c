"""Reports of errors, to Sentry or what speaks its protocol; only where it is set up.

A report is built anew of what is known to be harmless, not cleaned of what is known
not to be: where in the code it was, on which route, and by which ids it is found in
the log. No request, person, breadcrumb or value leaves the installation.
"""

from typing import Any

from voiceops import redaction

KEPT = {
    *("event_id", "timestamp", "level", "platform", "environment", "release"),
    *("sdk", "logger", "type"),
}
KEPT_OF_A_FRAME = {
    *("filename", "function", "module", "lineno", "in_app"),
    *("context_line", "pre_context", "post_context"),
}
KEPT_CONTEXTS = {"runtime"}
TRAIL = ("request_id", "call_id", "task")

Report = dict[str, Any]


def begin(dsn: str, environment: str) -> None:
    import sentry_sdk  # slow to import, and not wanted by everybody
    from sentry_sdk.integrations.logging import ignore_logger

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        send_default_pii=False,
        include_local_variables=False,
        # Bodies are what callers said, telephone numbers and secrets.
        max_request_body_size="never",
        # Addresses of requests, lines of the log: none of it is sent, none is kept.
        max_breadcrumbs=0,
        auto_session_tracking=False,
        # Nor do others get to see the ids of reports: carriers, models, receivers.
        trace_propagation_targets=[],
        before_send=harmless,
    )
    # Said by the exception itself already.
    ignore_logger("django.request")


def harmless(event: Report, hint: object = None) -> Report:
    """The report of an event, of what may be told."""
    import structlog

    known = structlog.contextvars.get_contextvars()
    report = {name: event[name] for name in KEPT if name in event}
    report["tags"] = {name: str(known[name]) for name in TRAIL if name in known}
    if (event.get("transaction_info") or {}).get("source") in {"route", "task"}:
        report["transaction"] = event["transaction"]
        report["transaction_info"] = event["transaction_info"]
    contexts = event.get("contexts") or {}
    report["contexts"] = {n: contexts[n] for n in KEPT_CONTEXTS if n in contexts}
    if entry := event.get("logentry"):
        # What is filled in are ids mostly, and once something else.
        report["logentry"] = {"message": redaction.without_secrets(_words(entry))}
    if errors := (event.get("exception") or {}).get("values"):
        report["exception"] = {"values": [_error(error) for error in errors]}
    return report


def _words(entry: Report) -> str:
    """The words that stand in the code."""
    return str(entry.get("message") or "").partition("\n")[0]


def _error(error: Report) -> Report:
    kind = str(error.get("type"))
    frames = (error.get("stacktrace") or {}).get("frames") or []
    return {
        "type": kind,
        "module": error.get("module"),
        "value": redaction.said_by(kind, str(error.get("value") or "")),
        "stacktrace": {"frames": [_frame(frame) for frame in frames]},
    }


def _frame(frame: Report) -> Report:
    return {name: frame[name] for name in KEPT_OF_A_FRAME if name in frame}
