"""What production refuses to start on, and what error reports leave out."""

import os
import subprocess
import sys

import pytest

from tests.processes import NEUTRAL, PROJECT_DIR

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-key-of-this-test-alone",
    "FIELD_ENCRYPTION_KEYS": "b2YtdGhpcy10ZXN0LWFsb25lLTMyLWJ5dGVzLWxvbmc=",
    "PUBLIC_BASE_URL": "https://voiceops.example",
    "REDIS_URL": "redis://broker.example:6379/0",
    "RATE_LIMITS": "on",
}
# The tables are missing, so the webhook fails, apologizes and is reported.
REPORT_A_FAILURE = """
import json
import django
import sentry_sdk
django.setup()
from django.test import Client

reports = []
sentry_sdk.get_client().transport.capture_envelope = reports.append
Client(SERVER_NAME="localhost").post(
    "/webhooks/twilio/voice/tokenofthenumber",
    {"From": "+4915112345678", "SpeechResult": "what the caller said"},
)
print(json.dumps([item.payload.json for report in reports for item in report.items]))
"""


def run(tmp_path, script, **environment):
    """A Python of its own, whose settings are read from this environment."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **NEUTRAL, "VAR_DIR": str(tmp_path), **environment},
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
    )


def test_production_starts_on_values_of_its_own(tmp_path):
    started = run(tmp_path, "import voiceops.settings", **PRODUCTION)

    assert (started.returncode, started.stderr) == (0, "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"FIELD_ENCRYPTION_KEYS": ""}, "FIELD_ENCRYPTION_KEYS must be set"),
        ({"PUBLIC_BASE_URL": ""}, "PUBLIC_BASE_URL must be set"),
        ({"PUBLIC_BASE_URL": "http://voiceops.example"}, "must be https"),
        ({"REDIS_URL": ""}, "REDIS_URL must be set"),
        ({"RATE_LIMITS": "off"}, "RATE_LIMITS cannot be off"),
        ({"DEBUG": "on"}, "DEBUG shows code and settings"),
        ({"PATIENCE": "0.1"}, "PATIENCE is for tests"),
    ],
)
def test_production_refuses_what_is_not_safe(change, told, tmp_path):
    refused = run(tmp_path, "import voiceops.settings", **PRODUCTION | change)

    assert refused.returncode == 1
    assert told in refused.stderr.splitlines()[-1]


def test_error_reports_hold_nothing_of_what_was_sent(tmp_path):
    reported = run(
        tmp_path,
        REPORT_A_FAILURE,
        SENTRY_DSN="http://key@127.0.0.1:1/1",
        DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3",
    )

    report = reported.stdout.splitlines()[-1]
    assert "no such table" in report
    for secret in ("tokenofthenumber", "4915112345678", "what the caller said"):
        assert secret not in report
