"""What production refuses to start on, and what error reports leave out."""

import json
import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.processes import NEUTRAL, PROJECT_DIR
from voiceops.production import (
    DEVELOPMENT_FIELD_KEY,
    DEVELOPMENT_SECRET_KEY,
    refusals,
)
from voiceops.secret_files import read_secret_files

FIELD_KEY = "b2YtdGhpcy10ZXN0LWFsb25lLTMyLWJ5dGVzLWxvbmc="
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-key-of-this-test-alone-which-is-as-long-as-it-has-to-be",
    "FIELD_ENCRYPTION_KEYS": FIELD_KEY,
    "PUBLIC_BASE_URL": "https://voiceops.example",
    "DATABASE_URL": "postgres://voiceops:word@database.example/voiceops",
    "REDIS_URL": "redis://broker.example:6379/0",
    "EMAIL_URL": "smtp+tls://mail.example:587",
    "SIMULATOR": "off",
    "RATE_LIMITS": "on",
}
# As the settings have read them.
READ = {
    **PRODUCTION,
    "DEMO": False,
    "DEBUG": False,
    "SECRET_KEY_FALLBACKS": [],
    "FIELD_ENCRYPTION_KEYS": [FIELD_KEY],
    "ALLOWED_HOSTS": ["voiceops.example"],
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "SIMULATOR": False,
    "RATE_LIMITS": True,
    "PATIENCE": 1.0,
    "TWILIO_API_BASE_URL": "",
    "METRICS_TOKEN": "",
}
CONSOLE = "django.core.mail.backends.console.EmailBackend"
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


READ_BACK = """
import json
from django.conf import settings
names = NAMES.split()
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


def test_cookies_of_production_are_of_this_host_over_https(tmp_path):
    """What the prefix asks of a cookie: Secure, the path /, and no domain."""
    expected = {"SECURE_HSTS_SECONDS": 31_536_000, "SECURE_SSL_REDIRECT": True}
    for name in ("SESSION_COOKIE", "CSRF_COOKIE"):
        expected |= {f"{name}_SECURE": True, f"{name}_SAMESITE": "Lax"}
        expected |= {f"{name}_PATH": "/", f"{name}_DOMAIN": None}
    expected |= {
        "SESSION_COOKIE_NAME": "__Host-session",
        "SESSION_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "SECURE_HSTS_PRELOAD": False,
        "ADMIN_PATH": "operators",
    }
    script = READ_BACK.replace("NAMES", repr(" ".join(expected)))

    read = run(tmp_path, script, **PRODUCTION)

    assert json.loads(read.stdout) == expected


def test_production_says_at_once_what_is_wrong_and_no_secret(tmp_path):
    wrong = {"SECRET_KEY": "too-short-a-secret", "FIELD_ENCRYPTION_KEYS": "no-key"}
    wrong |= {"REDIS_URL": "", "DEBUG": "on"}

    refused = run(tmp_path, "import voiceops.settings", **PRODUCTION | wrong)

    told = [line for line in refused.stderr.splitlines() if line.startswith("- ")]
    names = ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "REDIS_URL", "DEBUG"]
    assert refused.returncode == 1
    assert [line.split()[1] for line in told] == names
    assert "too-short-a-secret" not in refused.stderr
    assert "no-key" not in refused.stderr


def test_a_demonstration_starts_with_the_simulator_on_ones_own_machine(tmp_path):
    demo = {"ENVIRONMENT": "demo", "PUBLIC_BASE_URL": "http://localhost:8000"}
    demo |= {"SIMULATOR": "on", "EMAIL_URL": "consolemail://"}

    started = run(tmp_path, "import voiceops.settings", **PRODUCTION | demo)

    assert (started.returncode, started.stderr) == (0, "")


def test_nothing_is_said_against_good_settings():
    assert refusals(READ) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": DEVELOPMENT_SECRET_KEY}, "SECRET_KEY is the public"),
        ({"SECRET_KEY": 49 * "k"}, "SECRET_KEY is too simple"),
        ({"SECRET_KEY": 90 * "k"}, "SECRET_KEY is too simple"),
        (
            {"SECRET_KEY_FALLBACKS": [DEVELOPMENT_SECRET_KEY]},
            "SECRET_KEY_FALLBACKS is the public",
        ),
        ({"FIELD_ENCRYPTION_KEYS": []}, "FIELD_ENCRYPTION_KEYS must be set"),
        ({"FIELD_ENCRYPTION_KEYS": [""]}, "FIELD_ENCRYPTION_KEYS must be set"),
        (
            {"FIELD_ENCRYPTION_KEYS": [FIELD_KEY, DEVELOPMENT_FIELD_KEY]},
            "FIELD_ENCRYPTION_KEYS holds the public",
        ),
        (
            {"FIELD_ENCRYPTION_KEYS": [FIELD_KEY, FIELD_KEY[:-4]]},
            "FIELD_ENCRYPTION_KEYS holds what is no Fernet key",
        ),
        ({"PUBLIC_BASE_URL": ""}, "PUBLIC_BASE_URL must be set"),
        ({"PUBLIC_BASE_URL": "http://voiceops.example"}, "PUBLIC_BASE_URL must be ht"),
        ({"PUBLIC_BASE_URL": "https://localhost"}, "PUBLIC_BASE_URL is this machine"),
        ({"PUBLIC_BASE_URL": "https://127.0.0.1:8"}, "PUBLIC_BASE_URL is this machine"),
        ({"PUBLIC_BASE_URL": "https://[::1]"}, "PUBLIC_BASE_URL is this machine"),
        ({"TWILIO_API_BASE_URL": "http://a.example"}, "TWILIO_API_BASE_URL must be"),
        ({"ALLOWED_HOSTS": ["*"]}, "ALLOWED_HOSTS is *"),
        ({"REDIS_URL": ""}, "REDIS_URL must be set"),
        ({"DATABASE_URL": ""}, "DATABASE_URL must be set"),
        ({"RATE_LIMITS": False}, "RATE_LIMITS cannot be off"),
        ({"DEBUG": True}, "DEBUG shows code and settings"),
        ({"PATIENCE": 0.1}, "PATIENCE is for tests"),
        ({"SIMULATOR": True}, "SIMULATOR is on"),
        ({"EMAIL_BACKEND": CONSOLE}, "EMAIL_URL must name a mail server"),
        ({"METRICS_TOKEN": "a-short-one"}, "METRICS_TOKEN is too simple"),
    ],
)
def test_production_refuses_what_is_not_safe(change, told):
    (sentence,) = refusals(READ | change)

    assert sentence.startswith(told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"SECRET_KEY": DEVELOPMENT_SECRET_KEY}, "SECRET_KEY is the public"),
        ({"PUBLIC_BASE_URL": "http://demo.example"}, "PUBLIC_BASE_URL must be https"),
        ({"DEBUG": True}, "DEBUG shows code and settings"),
    ],
)
def test_a_demonstration_for_others_refuses_it_too(change, told):
    (sentence,) = refusals(READ | {"DEMO": True, "SIMULATOR": True} | change)

    assert sentence.startswith(told)


SECRETS = {
    "SECRET_KEY": "a-key-out-of-a-file-which-is-as-long-as-it-has-to-be",
    "SECRET_KEY_FALLBACKS": "an-earlier-key-which-is-as-long-as-it-had-to-be-too",
    "FIELD_ENCRYPTION_KEYS": "b3V0LW9mLWEtZmlsZS0zMi1ieXRlcy1sb25nLTEyMzQ=",
    "DATABASE_URL": "postgres://who:secret@db.example/calls",
    "REDIS_URL": "redis://:secret@broker.example:6379/0",
    "EMAIL_URL": "smtp+tls://who:secret@mail.example:587",
    "LLM_API_KEY": "sk-one",
    "LLM_FALLBACK_API_KEY": "sk-two",
}
TELL_SECRETS = """
from voiceops import settings as s
print(
    s.SECRET_KEY, *s.SECRET_KEY_FALLBACKS, *s.FIELD_ENCRYPTION_KEYS,
    s.DATABASES["default"]["PASSWORD"], s.REDIS_URL, s.EMAIL_HOST_PASSWORD,
    s.LLM_API_KEY, s.LLM_FALLBACK_API_KEY, sep="\\n",
)
"""


def test_secrets_may_come_from_files(tmp_path):
    (tmp_path / "secrets.env").write_text("SECRET_KEY=made-on-the-first-run\n")
    unset = dict.fromkeys(SECRETS, "")
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(f"{value}\n")
    files = {f"{name}_FILE": str(tmp_path / name) for name in SECRETS}

    told = run(tmp_path, TELL_SECRETS, **PRODUCTION | unset | files)

    passwords = {"DATABASE_URL": "secret", "EMAIL_URL": "secret"}
    assert told.stderr == ""
    assert told.stdout.splitlines() == list((SECRETS | passwords).values())


@pytest.mark.parametrize(
    ("value", "content", "told"),
    [
        ("another", b"hush", "LLM_API_KEY and LLM_API_KEY_FILE are both set"),
        ("", None, "LLM_API_KEY_FILE names a file that cannot be read: No such file"),
        ("", b"", "LLM_API_KEY_FILE names a file that is empty"),
        ("", b"hush \xff", "LLM_API_KEY_FILE names a file that cannot be read"),
    ],
)
def test_secret_file_that_serves_for_nothing_is_refused(value, content, told, tmp_path):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    environment = {"LLM_API_KEY": value, "LLM_API_KEY_FILE": str(path)}

    with pytest.raises(ImproperlyConfigured) as refused:
        read_secret_files(environment)

    assert str(refused.value).startswith(told)
    assert "hush" not in str(refused.value)


TELL_CONNECTIONS = """
from voiceops.settings import DATABASES
database = DATABASES["default"]
print(database["DISABLE_SERVER_SIDE_CURSORS"], database["OPTIONS"].get("options"))
"""


@pytest.mark.parametrize(
    ("pgbouncer", "told"),
    [("off", "False -c statement_timeout=10s"), ("on", "True None")],
)
def test_pgbouncer_is_asked_for_nothing_that_it_refuses(pgbouncer, told, tmp_path):
    given = PRODUCTION | {"DATABASE_PGBOUNCER": pgbouncer}

    assert run(tmp_path, TELL_CONNECTIONS, **given).stdout.strip() == told


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
