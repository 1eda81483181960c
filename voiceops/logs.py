"""Structured logs: one event a line, with ids; never numbers, words or secrets.

Addresses are logged as routes: paths hold webhook tokens and reset keys, query strings
telephone numbers and what people searched for. Errors are logged without what they
quote (`voiceops.redaction`).

What belongs together has a `request_id`: a request's lines, and those of the tasks that
it started (`voiceops.trails`). A `call_id` is in every line about a call.
"""

import logging
import re
import time

import structlog

from voiceops import metrics, redaction, trails

logger = structlog.get_logger("voiceops.requests")

OF_A_CALL = re.compile(r"call ([0-9a-f-]{36})\b")


def _name_its_call(logger, method, event):
    """Work on many calls says in words which one a line is about."""
    if found := OF_A_CALL.match(event["event"]):
        event["call_id"] = found[1]
    return event


SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    _name_its_call,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def logging_config(log_format: str) -> dict:
    """Django's LOGGING for `console` or `json`, and structlog set up to match.

    Tracebacks are plain text: the pretty renderers print local variables, which hold
    tokens and telephone numbers.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.ExceptionRenderer(redaction.format_traceback),
                    _renderer(log_format),
                ],
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["routes", "errors"],
            }
        },
        "filters": {
            "routes": {"()": RoutesNotPaths},
            "errors": {"()": ErrorsWithoutQuotations},
        },
        "root": {"handlers": ["stdout"], "level": "INFO"},
        "loggers": {
            # Said by the request's own line already.
            "django.request": {"level": "ERROR"},
            # They log addresses and bodies of requests to carrier and model.
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "openai": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            # Beat rings every few seconds: three lines a bell would hide the rest.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # The servers have handlers of their own, which would print errors whole.
            "_granian": {"handlers": [], "propagate": True},
            "uvicorn": {"handlers": [], "propagate": True},
            # These name addresses, whatever level they were started with: the first
            # those of call sockets.
            "uvicorn.error": {"level": "WARNING"},
            "uvicorn.access": {"handlers": [], "propagate": False},
            "granian.access": {"handlers": [], "propagate": False},
        },
    }


def _renderer(log_format: str):
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )


class RoutesNotPaths(logging.Filter):
    """Django's own records name the path of their request: make that its route."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        path = getattr(request, "path", None)
        if path and isinstance(record.args, tuple):
            record.args = tuple(
                arg.replace(path, route_of(request)) if isinstance(arg, str) else arg
                for arg in record.args
            )
        return True


class ErrorsWithoutQuotations(logging.Filter):
    """Errors that are written into the message, past all formatters.

    Celery and asyncio do so, and who logs what the carrier said.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "celery.app.trace" and isinstance(record.args, dict):
            error = record.exc_info[1] if record.exc_info else None
            told = redaction.summary(error) if error else redaction.SECRET
            # Its traceback is in the record besides, and in words.
            quoted = {"exc": told, "traceback": "", "args": "", "kwargs": ""}
            record.args = {**record.args, **quoted}
        elif record.name == "asyncio":
            record.msg, record.args = str(record.msg).partition("\n")[0], ()
        elif isinstance(record.args, tuple):
            record.args = tuple(
                redaction.summary(arg) if isinstance(arg, BaseException) else arg
                for arg in record.args
            )
        return True


def route_of(request) -> str:
    """The pattern that the request's path matched; `unknown` when none did."""
    match = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match else "unknown"


def request_log_middleware(get_response):
    """One line a request, and its id in every line that is logged meanwhile."""

    def middleware(request):
        started = time.perf_counter()
        # What the request finds out about itself, such as its call, ends with it.
        outside = structlog.contextvars.get_contextvars()
        structlog.contextvars.clear_contextvars()
        request_id = trails.about_request()
        try:
            response = get_response(request)
            elapsed_s = time.perf_counter() - started
            route = route_of(request)
            logger.info(
                "request",
                method=request.method,
                route=route,
                status=response.status_code,
                ms=round(elapsed_s * 1000, 1),
                user=_user_id(request),
            )
            metrics.note_request(route, response.status_code, elapsed_s)
            response.headers["X-Request-ID"] = request_id
        finally:
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(**outside)
        return response

    return middleware


def _user_id(request) -> str | None:
    """Who asked, if somebody has looked already: logging alone asks no database."""
    user = getattr(request, "_cached_user", None)
    return str(user.pk) if user is not None and user.pk else None
