"""Two web processes behind one address: a call outlives the one that held it."""

import subprocess
from dataclasses import dataclass

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

SOON_S = 60
STARTED_WITHIN_S = 180  # a web process, while others start too
REPLIES = ["We open at nine and close at six.", "Yes, we do.", "Sixty euros."]
# A word a second: it is not over before its process is killed.
LONG_REPLY = (
    "We open at nine and close at six from Monday to Friday, and on Saturdays we open "
    "at ten and close at two."
)


@pytest.fixture(scope="module")
def front():
    with running_front() as front:
        yield front


@dataclass
class Web:
    """A web process beside the stack's own: no test kills it or cuts it off."""

    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


@pytest.fixture(scope="module")
def stack(front, model, tmp_path_factory):
    environment = {**BRISK, **model.environment, "PUBLIC_BASE_URL": front.url}
    var_dir = tmp_path_factory.mktemp("doubled") / "var"
    with running_stack(var_dir, environment) as stack:
        yield stack


@pytest.fixture(scope="module")
def second(stack, front):
    """Another web process on the same database, where the first cannot be reached."""
    first = psutil.Process(stack.pid("web"))
    port = free_port()
    command = [str(port) if a == str(stack.port) else a for a in first.cmdline()]
    process = subprocess.Popen(
        command, cwd=PROJECT_DIR, env=first.environ(), preexec_fn=die_with_parent()
    )
    try:
        wait_until(lambda: is_up(port), STARTED_WITHIN_S, "the second one answers")
        front.ports = [stack.port, port]
        yield Web(port)
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
def business(stack, second, carrier):
    wait_until(lambda: is_up(stack.port), STARTED_WITHIN_S, "the first one is back")
    business = Business(second, carrier)
    business.put_agent(transport="stream", silence_timeout_s=600)
    return business


class Talk:
    """A call in which the test says when somebody speaks, however slow all is."""

    def __init__(self, carrier, business):
        self._business = business
        self._caller = carrier.ring_by_hand(business.number)
        self.sid = self._caller.sid

    def say(self, text):
        self._caller.say(text)

    def hang_up(self):
        self._caller.hang_up()

    def is_answered(self, reply):
        """Until the reply is written down, which it is when all of it was made."""
        wait_until(
            lambda: ("agent", reply) in self._business.words(self.sid),
            SOON_S,
            f"the answer: {reply}",
        )

    def is_taken_up(self):
        def sessions():
            return sessions_of(self._business.call(self.sid))

        wait_until(
            lambda: sessions().count("session-started") == 2, SOON_S, "another session"
        )


@pytest.fixture
def talk(carrier, business):
    return Talk(carrier, business)


def sessions_of(call):
    return [e["status"] for e in call["events"] if e["status"].startswith("session-")]


def test_call_goes_on_in_another_process_when_its_own_is_killed(
    stack, carrier, business, model, talk
):
    model.plan(mode="script", replies=[LONG_REPLY], tokens_per_second=1)
    talk.say("When are you open?")
    wait_until(
        lambda: "We open" in carrier.heard(talk.sid), SOON_S, "the reply has begun"
    )

    model.plan(mode="script", replies=REPLIES)
    stack.kill("web")

    talk.is_answered(REPLIES[0])
    talk.say("What does a check-up cost?")
    talk.is_answered(REPLIES[1])
    talk.hang_up()
    told = carrier.wait_for_end(talk.sid)
    call = business.settled(talk.sid)
    assert told["status"] == call["status"] == "completed"
    assert call["end_reason"] == "caller_hung_up"
    assert carrier.heard(talk.sid).count(GREETING) == 1
    assert business.words(talk.sid) == [
        ("agent", GREETING),
        ("caller", "When are you open?"),
        ("agent", REPLIES[0]),  # the one that was broken off was nobody's to write
        ("caller", "What does a check-up cost?"),
        ("agent", REPLIES[1]),
    ]
    assert sessions_of(call).count("session-started") == 2


def test_call_goes_on_when_its_connection_is_cut(carrier, business, model, front, talk):
    model.plan(mode="script", replies=REPLIES)
    talk.say("When are you open?")
    talk.is_answered(REPLIES[0])

    front.cut()

    talk.is_taken_up()
    talk.say("On Sundays too?")
    talk.is_answered(REPLIES[1])
    talk.hang_up()
    carrier.wait_for_end(talk.sid)
    assert business.settled(talk.sid)["end_reason"] == "caller_hung_up"
    assert business.words(talk.sid) == [
        ("agent", GREETING),
        ("caller", "When are you open?"),
        ("agent", REPLIES[0]),
        ("caller", "On Sundays too?"),
        ("agent", REPLIES[1]),
    ]


def test_call_goes_on_without_the_broker(stack, carrier, business, model, talk):
    model.plan(mode="script", replies=REPLIES)
    talk.say("When are you open?")
    talk.is_answered(REPLIES[0])

    stack.kill("broker")

    talk.say("On Sundays too?")
    talk.is_answered(REPLIES[1])
    talk.hang_up()
    carrier.wait_for_end(talk.sid)
    call = business.settled(talk.sid)
    assert call["end_reason"] == "caller_hung_up"
    assert sessions_of(call) == ["session-started", "session-completed"]
    assert business.transcript(talk.sid, 5)[-1] == ("agent", REPLIES[1])
