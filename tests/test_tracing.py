"""Traces are off and cost nothing unless asked for, and tell nothing of anybody."""

import json
import os
import subprocess
import sys

import pytest
import redis

from tests import breaking
from tests.sink import running_sink
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
from django.conf import settings
import voiceops.wsgi
from django.test import Client
from opentelemetry import trace
from tests import breaking
client = Client(SERVER_NAME="localhost", raise_request_exception=False)
client.get("/livez?number=%2B4915112345678")
client.post("/webhooks/twilio/voice/tokenofthenumber", {"From": "+4915112345678"})
import requests
try:
    requests.get("http://127.0.0.1:9/Accounts/ACcanary?To=%2B4915112345678", timeout=1)
except requests.RequestException:
    pass
breaking.break_down.delay("idofthecall")
trace.get_tracer_provider().shutdown()
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


def test_spans_of_real_requests_reach_a_collector_without_what_was_sent(
    tmp_path, broker_url
):
    with running_sink() as collector:
        asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "REDIS_URL": broker_url}
        run(ASKED, tmp_path, **asked)
        told = b"".join(collector.bodies("/v1/traces"))
        spans = {span.name: span for span in collector.spans()}

    sending = f"apply_async/{breaking.break_down.name}"
    assert {
        "GET /livez",
        "POST /webhooks/twilio/voice/<str:token>",
        "GET",
        sending,
    } <= (spans.keys())
    with redis.Redis.from_url(broker_url) as broker:
        headers = json.loads(broker.lpop("celery"))["headers"]
    assert spans[sending].trace_id.hex() in headers["traceparent"]
    for secret in ("tokenofthenumber", "15112345678", "ACcanary", "idofthecall"):
        assert secret.encode() not in told
