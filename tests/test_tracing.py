"""Traces are off and cost nothing unless asked for, and tell nothing of anybody."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from voiceops import tracing
from voiceops.run.children import PROJECT_DIR

IMPORTED = """
import sys
import voiceops.wsgi, voiceops.celery
# Others import the interface where it is installed; only we would import these.
ours = ("opentelemetry.instrumentation", "opentelemetry.exporter")
print(*[name for name in sys.modules if name.startswith(ours)])
"""
ASKED = """
import json, os
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
import voiceops.wsgi
from django.conf import settings
from django.test import Client
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from voiceops import tracing
told = InMemorySpanExporter()
provider = trace.get_tracer_provider()
provider._active_span_processor._span_processors = ()  # nobody is at the other end
provider.add_span_processor(SimpleSpanProcessor(tracing.harmless(told)))
client = Client(SERVER_NAME="localhost", raise_request_exception=False)
client.get("/livez?number=%2B4915112345678")
client.post("/webhooks/twilio/voice/tokenofthenumber", {"From": "+4915112345678"})
import requests
try:
    requests.get("http://127.0.0.1:9/Accounts/ACcanary?To=%2B4915112345678", timeout=1)
except requests.RequestException:
    pass
print("\\n".join(span.to_json() for span in told.get_finished_spans()))
"""


def run(script, tmp_path, **environment):
    path = os.pathsep.join(filter(None, sys.path))
    given = {"DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite3", "PYTHONPATH": path}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **given, **environment},
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_nothing_is_imported_unless_it_is_asked_for(tmp_path):
    assert run(IMPORTED, tmp_path).strip() == ""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector/v1/traces"}, True),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
                "OTEL_SDK_DISABLED": "true",
            },
            False,
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
                "OTEL_TRACES_EXPORTER": "none",
            },
            False,
        ),
    ],
)
def test_the_standard_variables_ask_for_traces(environment, expected, monkeypatch):
    for name in (*tracing.ENDPOINTS, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert tracing.is_wanted() == expected


def test_what_a_span_tells_is_on_a_list():
    collected = {
        "http.route": "calls/<uuid:pk>",
        "http.url": "https://host/calls?number=%2B4915112345678",
        "url.query": "number=%2B4915112345678",
        "db.statement": "SELECT 1",
        "celery.task_name": "telephony.tasks.place_call",
        "client.address": "192.0.2.1",
    }

    assert tracing.kept(collected) == {
        "http.route": "calls/<uuid:pk>",
        "celery.task_name": "telephony.tasks.place_call",
    }


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("GET calls/<uuid:pk>", {"http.route": "/calls/<uuid:pk>"}, None),
        ("POST /webhooks/secret", {}, "POST"),
        ("SELECT", {}, "SELECT"),
        ("INSERT INTO x", {}, "INSERT"),
        ("postgres", {}, "work"),
        ("run/telephony.tasks.rehearse", {"celery.action": "run"}, "same"),
    ],
)
def test_spans_have_few_names(name, attributes, expected):
    expected = {None: "GET /calls/<uuid:pk>", "same": name}.get(expected, expected)

    assert tracing.name_of(name, attributes) == expected


@pytest.mark.skipif(
    find_spec("opentelemetry") is None, reason="requirements-tracing.txt is optional"
)
def test_spans_of_real_requests_hold_nothing_of_what_was_sent(tmp_path):
    told = run(ASKED, tmp_path)

    assert '"name": "GET /livez"' in told
    assert '"name": "POST /webhooks/twilio/voice/<str:token>"' in told
    assert told.count('"kind": "SpanKind.CLIENT"') >= 1
    for secret in ("tokenofthenumber", "15112345678", "ACcanary"):
        assert secret not in told
