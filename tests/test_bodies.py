"""No body is read for long, and none that is larger than any form."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse

from voiceops.bodies import WholeBodies
from voiceops.middleware import MOST_BODY_BYTES


async def echo(scope, receive, send):
    message = await receive()
    await PlainTextResponse(message["body"])(scope, receive, send)


def ask(*messages, headers=(), **limits):
    """The status and text of an answer to a body that arrives in these messages."""
    scope = {"type": "http", "method": "POST", "path": "/", "headers": list(headers)}
    coming, sent, asked = iter(messages), [], []

    async def receive():
        asked.append(True)
        message = next(coming, None)
        return message or await asyncio.Future()

    async def send(message):
        sent.append(message)

    asyncio.run(WholeBodies(echo, **limits)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"].decode(), len(asked)


def piece(body, *, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


CHUNKED = [(b"transfer-encoding", b"chunked")]


def test_a_body_in_pieces_is_handed_on_whole():
    answer = ask(piece(b"ab"), piece(b"cd", more=False), headers=CHUNKED)

    assert answer == (200, "abcd", 2)


def test_a_body_that_grows_too_large_is_cut_off():
    endless = [piece(b"1234")] * 10

    status, _text, asked = ask(*endless, headers=CHUNKED, most_bytes=10)

    assert (status, asked) == (413, 3)


def test_a_body_that_is_announced_as_too_large_is_not_read():
    announced = [(b"content-length", b"11")]

    status, _text, asked = ask(piece(b"1"), headers=announced, most_bytes=10)

    assert (status, asked) == (413, 0)


def test_a_body_that_does_not_come_keeps_no_thread_waiting():
    announced = [(b"content-length", b"10")]

    status, _text, asked = ask(piece(b"1"), headers=announced, within_s=0.01)

    assert (status, asked) == (408, 2)


class Unreadable:
    def read(self, *_):
        raise AssertionError("a byte was read")

    readline = read


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "accepted", "answered"),
    [
        ("/api/prompts", "*/*", "application/problem+json"),
        ("/webhooks/twilio/voice/token", "*/*", "application/problem+json"),
        ("/account/login/", "text/html", "text/html; charset=utf-8"),
    ],
)
def test_django_reads_nothing_of_what_is_too_large(client, path, accepted, answered):
    answer = client.post(
        path,
        **{
            "CONTENT_LENGTH": str(MOST_BODY_BYTES + 1),
            "CONTENT_TYPE": "multipart/form-data; boundary=x",
            "HTTP_ACCEPT": accepted,
            "wsgi.input": Unreadable(),
        },
    )

    assert (answer.status_code, answer["Content-Type"]) == (413, answered)


@pytest.mark.django_db
def test_a_form_has_few_files(alice):
    files = {f"file{number}": ("a.csv", b"to") for number in range(6)}
    body = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a.csv"\r\n'
        "\r\nto\r\n"
        for name in files
    )

    answer = alice.client.generic(
        "POST", "/campaigns/new", body + "--x--", "multipart/form-data; boundary=x"
    )

    assert answer.status_code == 400
