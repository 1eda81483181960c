"""The carrier client against a carrier on a real socket, healthy and otherwise."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest

from telephony import twilio
from telephony.models import CarrierAccount
from telephony.tests.carriers import UNREACHABLE
from tests.processes import wait_until


def account_of(login) -> CarrierAccount:
    return CarrierAccount(account_sid=login.sid, auth_token=login.auth_token)


@pytest.fixture
def login(carrier):
    return carrier.open_account()


@pytest.fixture
def account(login):
    return account_of(login)


@contextlib.contextmanager
def answering_with(raw: bytes):
    """A server that gives everybody one raw answer and closes the connection."""
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve():
            while not is_over.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(raw)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        is_over.set()
        thread.join(timeout=5)


def http(status: str, body: str, *, length: int | None = None) -> bytes:
    declared = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {declared}\r\nConnection: close\r\n\r\n{body}"
    ).encode()


def test_fetch_account_tells_whose_it_is(login, account):
    identity = twilio.fetch_account(account)

    assert identity == twilio.CarrierIdentity(login.sid, "Test account", "active")


@pytest.mark.parametrize("token", ["0" * 32, "tökén–not–in–latin–1"])
def test_wrong_token_is_bad_credentials(account, token):
    account.auth_token = token

    with pytest.raises(twilio.BadCredentials):
        twilio.fetch_account(account)
    with pytest.raises(twilio.BadCredentials):
        twilio.list_numbers(account)


def test_list_numbers_follows_every_page(carrier, monkeypatch):
    login = carrier.open_account(count=5)
    monkeypatch.setattr(twilio, "PAGE_SIZE", 2)

    numbers = twilio.list_numbers(account_of(login))

    assert sorted(n.number for n in numbers) == sorted(login.numbers)


def test_find_number_of_the_account(login, account):
    found = twilio.find_number(account, login.numbers[0])

    assert found.number == login.numbers[0]
    assert found.takes_calls
    assert twilio.find_number(account, "+442079460000") is None


def test_find_number_does_not_take_a_part_for_the_whole(login, account):
    assert twilio.find_number(account, login.numbers[0][:-1]) is None


def test_point_number_sends_calls_and_texts_here(carrier, login, account):
    number = login.numbers[0]
    carrier.update_number(login, number, SmsUrl="https://elsewhere.example/sms")
    sid = twilio.find_number(account, number).sid

    twilio.point_number(
        account,
        sid,
        voice_url="https://we.example/voice",
        fallback_url="https://we.example/fallback",
        status_callback="https://we.example/status",
        sms_url="https://we.example/text",
    )

    shown = carrier.number(login, number)
    assert {
        name: shown[name]
        for name in (
            *("voice_url", "voice_method", "voice_fallback_url"),
            *("status_callback", "sms_url", "sms_fallback_url"),
        )
    } == {
        "voice_url": "https://we.example/voice",
        "voice_method": "POST",
        "voice_fallback_url": "https://we.example/fallback",
        "status_callback": "https://we.example/status",
        "sms_url": "https://we.example/text",
        "sms_fallback_url": "https://we.example/text",
    }


def test_clear_number_empties_only_our_addresses(carrier, login, account):
    number = login.numbers[0]
    carrier.update_number(
        login,
        number,
        VoiceUrl="https://we.example/voice/our-token",
        VoiceFallbackUrl="https://we.example/fallback/our-token",
        StatusCallback="https://elsewhere.example/status",
        SmsUrl="https://we.example/texts/our-token",
    )
    sid = twilio.find_number(account, number).sid

    twilio.clear_number(account, sid, token="our-token")

    shown = carrier.number(login, number)
    assert not (shown["voice_url"] or shown["voice_fallback_url"] or shown["sms_url"])
    assert shown["status_callback"] == "https://elsewhere.example/status"


def test_clear_number_that_left_the_account_has_nothing_to_do(account):
    twilio.clear_number(account, "PN" + "0" * 32, token="our-token")


def test_point_number_that_left_the_account_is_not_found(account):
    with pytest.raises(twilio.NotFound):
        twilio.point_number(
            account,
            "PN" + "0" * 32,
            voice_url="https://a.b",
            fallback_url="",
            status_callback="",
            sms_url="",
        )


def test_fetch_call_that_does_not_exist_is_not_found(account):
    with pytest.raises(twilio.NotFound):
        twilio.fetch_call(account, "CA" + "0" * 32)


def test_call_is_fetched_and_ended_and_ending_again_is_safe(login, account):
    sid = (
        twilio.client_for(login.sid, login.auth_token)
        .account.calls.create(
            to="+12025550408",  # rings, and nobody answers
            from_=login.numbers[0],
            url="https://we.example/never-asked",
            timeout=60,
        )
        .sid
    )

    twilio.end_call(account, sid)
    twilio.end_call(account, sid)

    call = twilio.fetch_call(account, sid)
    assert call.status in {"completed", "canceled", "no-answer"}
    assert call.duration_s in (None, 0)


def test_nobody_listening_is_unreachable(account, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    with pytest.raises(twilio.Unreachable) as caught:
        twilio.fetch_account(account)

    assert str(caught.value) == (
        "The carrier cannot be reached. Try again in a moment."
    )


def test_unknown_host_is_unreachable(account, settings):
    settings.TWILIO_API_BASE_URL = "http://no-such-host.invalid"

    with pytest.raises(twilio.Unreachable):
        twilio.fetch_account(account)


@pytest.mark.parametrize("kind", ["500", "close", "answer-lost"])
def test_unclear_answer_is_a_lost_one(carrier, login, account, kind):
    carrier.fail(login, kind, count=4)  # some are asked for twice

    with pytest.raises(twilio.AnswerLost):
        twilio.fetch_account(account)
    with pytest.raises(twilio.AnswerLost):
        twilio.list_numbers(account)


def test_what_only_reads_is_asked_again_when_its_connection_breaks(
    carrier, login, account
):
    """As a kept one does that the carrier is just closing."""
    carrier.fail(login, "close")

    assert twilio.fetch_account(account).status == "active"


def test_what_changes_something_is_asked_for_once(carrier, login, account):
    carrier.fail(login, "close")

    ours, theirs = login.numbers[0], "+16285550142"

    with pytest.raises(twilio.AnswerLost):
        twilio.create_call(
            account,
            to_number=theirs,
            from_number=ours,
            answer_url="https://voiceops.example/answer",
            fallback_url="https://voiceops.example/fallback",
            status_url="https://voiceops.example/status",
            ring_for_s=30,
            longest_s=60,
        )
    assert twilio.find_calls(account, to_number=theirs, from_number=ours) == []


def test_late_answer_is_a_lost_one(carrier, login, account, monkeypatch):
    monkeypatch.setattr(twilio._http, "timeout", 0.2)
    carrier.fail(login, "delay", delay_s=1)

    with pytest.raises(twilio.AnswerLost):
        twilio.fetch_account(account)


@pytest.mark.parametrize(
    "raw",
    [
        http("201 Created", "surely not JSON"),
        http("200 OK", "[]"),
        http("200 OK", "{}"),
        http("200 OK", '{"sid": "AC', length=500),
        http("302 Found", ""),
        b"HTTP/1.1 banana\r\n\r\n",
        b"",
    ],
)
def test_answer_without_sense_is_a_lost_one(account, settings, raw):
    with answering_with(raw) as url, pytest.raises(twilio.AnswerLost):
        settings.TWILIO_API_BASE_URL = url
        twilio.list_numbers(account)


def test_proxy_of_the_environment_is_used(account, settings, monkeypatch):
    settings.TWILIO_API_BASE_URL = "http://carrier.invalid"
    monkeypatch.setattr(twilio, "_http", twilio._HttpClient())
    refusal = http("400 Bad Request", '{"code": 21401, "message": "By the proxy"}')

    with answering_with(refusal) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(twilio.Rejected, match="By the proxy"):
            twilio.fetch_account(account)


def test_host_that_needs_no_proxy_is_asked_itself(account, monkeypatch):
    monkeypatch.setattr(twilio, "_http", twilio._HttpClient())
    monkeypatch.setenv("http_proxy", UNREACHABLE)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")

    assert twilio.fetch_account(account).status == "active"


def test_what_is_sent_is_not_logged(account, caplog):
    with caplog.at_level("INFO"):
        twilio.find_number(account, "+14155550123")

    assert "4155550123" not in caplog.text


def test_too_many_requests_is_a_clear_no(carrier, login, account):
    carrier.fail(login, "429")

    with pytest.raises(twilio.Rejected) as caught:
        twilio.list_numbers(account)

    assert caught.value.code == 20429


def test_refusal_carries_the_carriers_code_and_words(account, settings):
    refusal = http("400 Bad Request", '{"code": 21401, "message": "Bad number"}')
    with answering_with(refusal) as url, pytest.raises(twilio.Rejected) as caught:
        settings.TWILIO_API_BASE_URL = url
        twilio.fetch_account(account)

    assert str(caught.value) == "The carrier refused: Bad number (error 21401)"


class OnATrunk(BaseHTTPRequestHandler):
    """Every number is on a trunk; the pocket carrier has none."""

    def do_GET(self):
        body = b'{"sid": "PN1", "trunk_sid": "TK1", "voice_application_sid": ""}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        form = self.rfile.read(length).decode()
        self.server.form = dict(parse_qsl(form, keep_blank_values=True))
        self.do_GET()

    def log_message(self, *args):
        """Quiet."""


def test_number_is_taken_off_its_trunk_when_pointed_here(account, settings):
    with ThreadingHTTPServer(("127.0.0.1", 0), OnATrunk) as server:
        threading.Thread(target=server.serve_forever).start()
        settings.TWILIO_API_BASE_URL = f"http://127.0.0.1:{server.server_port}"

        twilio.point_number(
            account,
            "PN1",
            voice_url="https://a.b/v",
            fallback_url="https://a.b/f",
            status_callback="https://a.b/s",
            sms_url="https://a.b/t",
        )

        server.shutdown()
    assert server.form == {
        "VoiceUrl": "https://a.b/v",
        "VoiceMethod": "POST",
        "VoiceFallbackUrl": "https://a.b/f",
        "VoiceFallbackMethod": "POST",
        "StatusCallback": "https://a.b/s",
        "SmsUrl": "https://a.b/t",
        "SmsMethod": "POST",
        "SmsFallbackUrl": "https://a.b/t",
        "SmsFallbackMethod": "POST",
        "StatusCallbackMethod": "POST",
        "TrunkSid": "",
    }


def test_without_a_base_url_the_client_talks_to_twilio(settings):
    settings.TWILIO_API_BASE_URL = ""

    api = twilio.client_for("AC" + "0" * 32, "token")

    assert api.base_url == "https://api.twilio.com"


def test_text_is_deleted_for_ever(login, account):
    def is_deleted():
        try:
            twilio.delete_message(account, text.sid)
        except twilio.Rejected as refused:
            assert refused.code == 20009  # it is still on its way
            return False
        return True

    text = twilio.create_message(
        account,
        to_address="+14155550123",
        from_address=login.numbers[0],
        body="Hello",
        media_urls=[],
        status_url="http://127.0.0.1:9/",
    )

    wait_until(is_deleted, 10, "it has arrived and is deleted")
    with pytest.raises(twilio.NotFound):
        twilio.delete_message(account, text.sid)
    with pytest.raises(twilio.NotFound):
        twilio.delete_medium(account, text.sid, "ME" + "1" * 32)
    with pytest.raises(twilio.NotFound):
        twilio.delete_recording(account, "RE" + "1" * 32)
