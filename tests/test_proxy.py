"""The simulator's pages under the app's own origin."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from voiceops import proxy


async def words():
    yield b"from the simulator"


@pytest.fixture
def passed_on(monkeypatch, settings):
    """What reaches the simulator: method, address and body."""
    settings.SIMULATOR_URL = "http://simulator.example"
    seen = []

    def answer(request):
        seen.append((request.method, str(request.url), request.content))
        return httpx.Response(200, content=words())

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(proxy, "_client", client)
    return seen


@pytest.fixture
def front():
    routes = [
        Route(
            "/simulator/{path:path}",
            proxy.forward_to_simulator,
            methods=["GET", "POST"],
        )
    ]
    return TestClient(Starlette(routes=routes))


def test_a_page_and_its_form_are_passed_on(front, passed_on):
    page = front.get("/simulator/accounts/x?y=1")
    form = front.post("/simulator/accounts", content=b"a=b")

    assert (page.text, form.status_code) == ("from the simulator", 200)
    assert passed_on == [
        ("GET", "http://simulator.example/simulator/accounts/x?y=1", b""),
        ("POST", "http://simulator.example/simulator/accounts", b"a=b"),
    ]


def test_a_path_does_not_lead_out_of_the_pages(front, passed_on):
    answer = front.get("/simulator/%2e%2e/control/calls")

    assert (answer.status_code, passed_on) == (404, [])


def test_a_body_larger_than_any_form_is_not_held_in_memory(front, passed_on):
    answer = front.post(
        "/simulator/accounts", content=b"x" * (proxy.MAX_BODY_BYTES + 1)
    )

    assert (answer.status_code, passed_on) == (413, [])
