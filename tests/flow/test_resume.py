"""Two web processes behind one address: a call outlives the one that held it."""

import subprocess
from contextlib import contextmanager

import httpx
import psutil
import pytest

from tests.flow.carrier import Carrier
from tests.flow.conftest import BRISK
from tests.flow.front import running_front
from tests.flow.tenant import GREETING, Business
from tests.processes import running_stack, wait_until
from voiceops.run.children import PROJECT_DIR
from voiceops.run.guard import die_with_parent
from voiceops.run.installation import free_port

pytestmark = pytest.mark.flow

SOON_S = 120
REPLIES = ["We open at nine and close at six.", "Yes, we do.", "Sixty euros."]
PAUSE = [{"wait_for": "agent_done"}, {"silence_s": 16}]  # four seconds at this pace


@pytest.fixture(scope="module")
def front():
    with running_front() as front:
        yield front


@pytest.fixture(scope="module")
def stack(front, model, tmp_path_factory):
    """The whole product with a second web process on the same database."""
    environment = {**BRISK, **model.environment, "PUBLIC_BASE_URL": front.url}
    var_dir = tmp_path_factory.mktemp("doubled") / "var"
    with running_stack(var_dir, environment) as stack, second_web(stack) as port:
        front.ports = [stack.port, port]
        yield stack


@contextmanager
def second_web(stack):
    first = psutil.Process(stack.pid("web"))
    port = free_port()
    command = [str(port) if a == str(stack.port) else a for a in first.cmdline()]
    process = subprocess.Popen(
        command, cwd=PROJECT_DIR, env=first.environ(), preexec_fn=die_with_parent()
    )
    try:
        wait_until(lambda: is_up(port), SOON_S, "the second web process answers")
        yield port
    finally:
        process.kill()
        process.wait()


def is_up(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def carrier(stack):
    return Carrier(stack)


@pytest.fixture
def business(stack, carrier):
    wait_until(lambda: is_up(stack.port), SOON_S, "the first web process is back")
    business = Business(stack, carrier)
    business.put_agent(transport="stream")
    return business


def ring(carrier, business, *steps):
    return carrier.ring(business.number, [*steps, {"hang_up": True}])


def sessions_of(call):
    return [e["status"] for e in call["events"] if e["status"].startswith("session-")]


def test_call_goes_on_in_another_process_when_its_own_is_killed(
    stack, carrier, business, model
):
    model.plan(mode="script", replies=REPLIES, tokens_per_second=8)
    sid = ring(
        carrier,
        business,
        {"say": "When are you open?"},
        *PAUSE,
        *PAUSE,
        {"say": "What does a check-up cost?"},
        {"wait_for": "agent_done"},
    )
    wait_until(lambda: "We open" in carrier.heard(sid), SOON_S, "the reply has begun")

    stack.kill("web")

    told = carrier.wait_for_end(sid)
    call = business.settled(sid)
    assert told["status"] == call["status"] == "completed"
    assert call["end_reason"] == "caller_hung_up"
    assert carrier.heard(sid).count(GREETING) == 1
    assert business.words(sid) == [
        ("agent", GREETING),
        ("caller", "When are you open?"),
        ("agent", REPLIES[1]),  # the one that was broken off was nobody's to write
        ("caller", "What does a check-up cost?"),
        ("agent", REPLIES[2]),
    ]
    assert sessions_of(call).count("session-started") == 2


def test_call_goes_on_when_its_connection_is_cut(carrier, business, model, front):
    model.plan(mode="script", replies=REPLIES)
    sid = ring(
        carrier,
        business,
        {"say": "When are you open?"},
        *PAUSE,
        {"say": "On Sundays too?"},
        {"wait_for": "agent_done"},
    )
    wait_until(lambda: REPLIES[0] in carrier.heard(sid), SOON_S, "it was answered")

    front.cut()

    carrier.wait_for_end(sid)
    assert business.settled(sid)["end_reason"] == "caller_hung_up"
    assert business.words(sid) == [
        ("agent", GREETING),
        ("caller", "When are you open?"),
        ("agent", REPLIES[0]),
        ("caller", "On Sundays too?"),
        ("agent", REPLIES[1]),
    ]


def test_call_goes_on_without_the_broker(stack, carrier, business, model):
    model.plan(mode="script", replies=REPLIES)
    sid = ring(
        carrier,
        business,
        {"say": "When are you open?"},
        *PAUSE,
        {"say": "On Sundays too?"},
        {"wait_for": "agent_done"},
    )
    wait_until(lambda: REPLIES[0] in carrier.heard(sid), SOON_S, "it was answered")

    stack.kill("broker")

    carrier.wait_for_end(sid)
    call = business.settled(sid)
    assert call["end_reason"] == "caller_hung_up"
    assert sessions_of(call) == ["session-started", "session-completed"]
    assert business.words(sid)[-1] == ("agent", REPLIES[1])
