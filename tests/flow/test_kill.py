"""Processes killed without warning, in the middle of things."""

import signal

import httpx
import pytest

from tests.flow.carrier import Carrier
from tests.flow.conftest import BRISK
from tests.flow.tenant import GREETING, Business
from tests.processes import MARKS, running_stack, wait_until

pytestmark = pytest.mark.flow

SOON_S = 60
BACK_WITHIN_S = 120
SILENT_WITHIN_S = 120  # a worker may be busy for half a minute
# Nobody here can answer then: these words are the carrier's own.
FALLBACK = "We are sorry, an application error has occurred. Goodbye."
# Callbacks came to nobody: the carrier is asked after a minute without a word.
SETTLED_WITHIN_S = 200
REPLIES = ["Yes, we open at nine.", "A check-up is sixty euros."]
TWO_QUESTIONS = [
    {"say": "Are you open on Thursday?"},
    {"say": "What does a check-up cost?"},
    {"wait_for": "agent_done"},
    {"silence_s": 240},
]


@pytest.fixture(scope="module")
def stack(model, tmp_path_factory):
    """One whose processes are killed, and come back, test after test."""
    environment = {**BRISK, **model.environment}
    var_dir = tmp_path_factory.mktemp("killed") / "var"
    with running_stack(var_dir, environment) as stack:
        yield stack


@pytest.fixture
def carrier(stack):
    return Carrier(stack)


def status_of(stack, path):
    """Its HTTP status; None while nobody answers."""
    try:
        return httpx.get(stack.url + path, timeout=SOON_S).status_code
    except httpx.TransportError:
        return None


def wait_until_back(stack, name, old):
    wait_until(
        lambda: stack.pid(name) not in {None, old}, BACK_WITHIN_S, f"another {name}"
    )
    wait_until(stack.is_ready, BACK_WITHIN_S, "the stack is ready again")


def complaints(carrier, sid):
    """Of the carrier's, about status callbacks that nobody took."""
    events = carrier.state(sid)["events"]
    told = [event["message"] for event in events if event["type"] == "error"]
    return [message for message in told if message.startswith("status callback")]


def test_web_killed_in_mid_call_loses_no_words_and_settles_the_call(
    stack, carrier, model
):
    business = Business(stack, carrier)
    business.put_agent(transport="stream")
    model.plan(mode="script", replies=REPLIES)
    sid = carrier.ring(business.number, TWO_QUESTIONS)
    wait_until(lambda: REPLIES[1] in carrier.heard(sid), SOON_S, "both were answered")
    business.transcript(sid, 5)

    with stack.unattended():  # a new one would take the call, or hear of its end
        old = stack.kill("web")
        told = carrier.wait_for_end(sid)
        wait_until(
            lambda: complaints(carrier, sid), SOON_S, "its end is told to nobody"
        )

    wait_until_back(stack, "web", old)
    call = business.settled(sid, SETTLED_WITHIN_S)
    assert carrier.heard(sid).endswith(FALLBACK)
    assert told["status"] == call["status"]
    assert call["end_reason"] == "connection_lost"
    assert business.words(sid) == [
        ("agent", GREETING),
        ("caller", "Are you open on Thursday?"),
        ("agent", REPLIES[0]),
        ("caller", "What does a check-up cost?"),
        ("agent", REPLIES[1]),
    ]


def test_calls_are_taken_again_after_the_web_process_was_killed(stack, carrier, model):
    business = Business(stack, carrier)
    business.put_agent()
    model.plan(mode="script", replies=REPLIES)
    wait_until_back(stack, "web", stack.kill("web"))

    sid = carrier.ring(
        business.number,
        [{"say": "Hello?"}, {"wait_for": "agent_done"}, {"hang_up": True}],
    )

    carrier.wait_for_end(sid)
    assert business.settled(sid)["end_reason"] == "caller_hung_up"
    assert business.transcript(sid, 3)[-1] == ("agent", REPLIES[0])


def test_readiness_tells_of_a_dead_worker_until_it_is_back(stack):
    # Stopped, not killed: the supervisor brings a dead one back within a second.
    worker = stack.kill("worker", signal.SIGSTOP)
    wait_until(
        lambda: status_of(stack, "/readyz") == 503,
        SILENT_WITHIN_S,
        "it is not ready",
    )
    alive = status_of(stack, "/livez")

    stack.kill("worker")

    wait_until_back(stack, "worker", worker)
    assert alive == 200


def test_pages_and_calls_outlive_a_killed_broker(stack, carrier, model):
    business = Business(stack, carrier)
    business.put_agent()
    model.plan(mode="script", replies=REPLIES)
    old = stack.kill("broker")

    page = status_of(stack, "/account/login/")
    sid = carrier.ring(
        business.number,
        [{"say": "Hello?"}, {"wait_for": "agent_done"}, {"hang_up": True}],
    )

    told = carrier.wait_for_end(sid)
    wait_until_back(stack, "broker", old)
    assert page in {200, 503}
    assert told["status"] == "completed"
    assert business.settled(sid)["end_reason"] == "caller_hung_up"


def test_signal_to_the_stack_in_mid_call_leaves_no_process(model, tmp_path):
    with running_stack(tmp_path / "var", {**BRISK, **model.environment}) as stack:
        carrier = Carrier(stack)
        business = Business(stack, carrier)
        business.put_agent()
        model.plan(mode="script", replies=REPLIES)
        sid = carrier.ring(business.number, TWO_QUESTIONS)
        wait_until(lambda: REPLIES[0] in carrier.heard(sid), SOON_S, "it was answered")

        status = stack.stop()

        assert status == 0
        assert [name for name in MARKS if stack.pid(name)] == []
