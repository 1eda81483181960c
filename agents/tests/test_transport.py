"""What an SDK sends to tenants' addresses, over real sockets."""

import asyncio

import httpx2
import pytest

from agents.tools import transport
from agents.tools.transport import GuardedTransport
from tests.stub_service import stub_service

__all__ = ["stub_service"]


def get(*urls):
    """The last answer, read whole, of one client that gets them one by one."""

    async def ask():
        guarded = GuardedTransport(at_once=5, at_once_a_host=5)
        async with httpx2.AsyncClient(transport=guarded, trust_env=False) as client:
            for url in urls:
                answer = await client.get(url)
            return answer

    return asyncio.run(ask())


def test_answer_comes_as_it_is(stub_service):
    answer = get(f"{stub_service.url}/answer")

    assert (answer.status_code, answer.json()) == (200, {"temperature": 21})


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433"]
)
def test_inner_hosts_are_sent_nothing(host, stub_service, settings):
    settings.TOOL_ALLOWED_HOSTS = []

    with pytest.raises(httpx2.ConnectError):
        get(f"http://{host}:{stub_service.port}/answer")
    assert stub_service.requests == []


def test_redirect_is_not_followed(stub_service):
    answer = get(f"{stub_service.url}/redirect/307")

    assert answer.status_code == 307
    assert len(stub_service.requests) == 1


def test_packed_answer_is_not_unpacked(stub_service):
    answer = get(f"{stub_service.url}/bomb")

    asked = stub_service.requests[0]["headers"]
    assert {n.lower(): v for n, v in asked.items()}["accept-encoding"] == "identity"
    assert len(answer.content) < 1_000_000


def test_endless_answer_is_given_up(stub_service, monkeypatch):
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 100_000)

    with pytest.raises(httpx2.ReadError, match="too long"):
        get(f"{stub_service.url}/endless")


@pytest.mark.parametrize("path", ["broken", "cut"])
def test_broken_answer_is_an_error_of_httpx(path, stub_service):
    with pytest.raises(httpx2.HTTPError):
        get(f"{stub_service.url}/{path}")
