"""Traces, by OpenTelemetry; only where its own variables ask for them.

Its packages are extra (`requirements-tracing.txt`) and are imported here alone, once
OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. What the
instrumentations collect is passed on by a list of what is harmless: they write
addresses with their queries, statements and the messages of errors into spans.
"""

import os

from voiceops.logs import route_of

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
# Of a span; of its events only the kind of an error.
KEPT = {
    *("http.request.method", "http.method", "http.route"),
    *("http.response.status_code", "http.status_code"),
    *("db.system", "db.system.name"),
    *("messaging.system", "messaging.operation", "messaging.destination"),
    *("celery.action", "celery.state", "celery.task_name"),
    "error.type",
}
ERROR_KIND = "exception.type"
NAMES_OF_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
NAMES_OF_STATEMENTS = {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "SAVEPOINT"}


def is_wanted() -> bool:
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    is_off = is_off or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not is_off and any(map(os.environ.get, ENDPOINTS))


def begin() -> None:
    """Trace this process from now on, if that is wanted.

    In a web process before its application is made, which reads the middlewares.
    """
    if not is_wanted():
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over this.
    named = os.environ.get("OTEL_SERVICE_NAME", "voiceops")
    provider = TracerProvider(resource=Resource.create({"service.name": named}))
    provider.add_span_processor(BatchSpanProcessor(harmless(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    instrument()


def begin_in_workers() -> None:
    """Once a worker starts; the children of one that forks go on with it."""
    from celery.signals import worker_init

    worker_init.connect(lambda **kwargs: begin(), weak=False)


def instrument() -> None:
    """What is asked of us, and what we ask: the database, the carrier, the broker."""
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.instrumentation.requests import RequestsInstrumentor

    DjangoInstrumentor().instrument(response_hook=_note_route)
    for one in (CeleryInstrumentor, PsycopgInstrumentor, RequestsInstrumentor):
        one().instrument()


def _note_route(span, request, response) -> None:
    """It looks for the route in a middleware, which webhooks do not pass."""
    span.set_attribute("http.route", route_of(request))


def harmless(exporter):
    """An exporter that hands on to `exporter` what may be told of each span."""
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Status

    def told(span):
        return ReadableSpan(
            name=name_of(span.name, span.attributes or {}),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=kept(span.attributes or {}),
            events=[
                Event(
                    "exception",
                    {ERROR_KIND: event.attributes[ERROR_KIND]},
                    event.timestamp,
                )
                for event in span.events
                if ERROR_KIND in (event.attributes or {})
            ],
            links=span.links,
            kind=span.kind,
            instrumentation_scope=span.instrumentation_scope,
            status=Status(span.status.status_code),  # its description quotes errors
            start_time=span.start_time,
            end_time=span.end_time,
        )

    class Harmless(SpanExporter):
        def export(self, spans):
            return exporter.export([told(span) for span in spans])

        def shutdown(self):
            exporter.shutdown()

        def force_flush(self, timeout_millis=30_000):
            return exporter.force_flush(timeout_millis)

    return Harmless()


def kept(attributes) -> dict:
    return {name: value for name, value in attributes.items() if name in KEPT}


def name_of(name: str, attributes) -> str:
    """A name of few words: a method and a route, a statement's verb, a task."""
    route = attributes.get("http.route")
    first = name.partition(" ")[0]
    if first in NAMES_OF_METHODS:
        return f"{first} {route}" if route else first
    if "celery.action" in attributes:
        return name
    return first if first in NAMES_OF_STATEMENTS else "work"
