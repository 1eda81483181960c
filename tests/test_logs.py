"""Logs carry ids and routes; never numbers, words, tokens or keys."""

import json
import logging

import pytest
import uvicorn

from telephony import twilio
from voiceops.logs import logging_config

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(settings, tmp_path):
    """What the JSON log says, line by line, after the `with` block."""
    # As its command does it, before it loads the application.
    uvicorn.Config("voiceops.asgi:application", log_level="info")
    logging.config.dictConfig(logging_config("json"))
    stream = (tmp_path / "log").open("w+")
    handler = logging.getLogger().handlers[-1]
    handler.setStream(stream)

    def read():
        stream.flush()
        stream.seek(0)
        return [json.loads(line) for line in stream.read().splitlines()]

    yield read
    logging.config.dictConfig(settings.LOGGING)


def test_a_request_is_one_line_with_its_route(alice, lines):
    alice.client.get("/calls?number=%2B4930123456&q=invoice")

    (line,) = [line for line in lines() if line["logger"] == "voiceops.requests"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/calls", 200)
    assert line["user"] == str(alice.user.pk)
    assert line["request_id"]


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/twilio/voice/a-secret-token",
        "/account/password/reset/key/1-a-secret-token/",
        "/nothing/a-secret-token?number=a-secret-token",
        "/api/calls/a-secret-token",
    ],
)
def test_no_token_of_a_path_is_logged(path, client, lines):
    client.get(path)
    client.post(path)

    assert lines()
    assert "a-secret-token" not in json.dumps(lines())


def test_a_crash_is_logged_without_values(client, lines, monkeypatch):
    from voiceops import health

    def broken():
        secret = "a-secret-token"
        raise RuntimeError(f"{len(secret)}")

    monkeypatch.setattr(health, "_database", broken)

    assert client.get("/readyz").status_code == 503
    assert "a-secret-token" not in json.dumps(lines())


def test_an_error_in_a_line_is_logged_by_its_kind(lines):
    refused = twilio.Rejected(21211, "+4915112345678 is not a valid number")
    logging.getLogger("telephony").warning("call %s: not ended: %s", 1, refused)

    assert [line["event"] for line in lines()] == ["call 1: not ended: Rejected"]


def test_a_line_about_a_call_has_its_id(lines):
    call_id = "0199d0c2-7a55-7c3e-9d1f-3f6a1c7b2e10"
    logging.getLogger("telephony").warning("call %s: its end was lost", call_id)
    logging.getLogger("telephony").warning("calls are late")

    assert [line.get("call_id") for line in lines()] == [call_id, None]


def test_servers_log_no_addresses_and_no_lines_of_their_own_kind(lines):
    for name in ("uvicorn.error", "uvicorn.access", "granian.access"):
        logging.getLogger(name).info('127.0.0.1 - "WebSocket /a-secret-token"')
    for name in ("uvicorn.error", "_granian.workers"):
        logging.getLogger(name).warning("a worker has ended")

    told = [(line["logger"], line["event"]) for line in lines()]
    assert told == [
        ("uvicorn.error", "a worker has ended"),
        ("_granian.workers", "a worker has ended"),
    ]
