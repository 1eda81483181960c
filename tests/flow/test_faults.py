"""Faults in the middle of a call, through real processes: it ends or goes on."""

import json
import uuid
import xml.etree.ElementTree as ElementTree
from contextlib import contextmanager

import httpx
import pytest
from twilio.request_validator import RequestValidator
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.flow.carrier import CALLER
from tests.flow.tenant import GREETING, Business

pytestmark = pytest.mark.flow

APOLOGY = "We are sorry, something went wrong here. Please call again later."
QUESTION = [{"say": "Are you open?"}, {"wait_for": "agent_done"}, {"hang_up": True}]
REPLY = "I cannot find it at the moment. Goodbye!"
HEARD_WITHIN_S = 60
TOO_LONG = 70_000
NONSENSE = (
    "",
    "nonsense",
    "[]",
    "7",
    '{"type": []}',
    '{"type": "prompt"}',
    b"\x00\xff",
)


@pytest.fixture
def business(talking_stack, carrier):
    return Business(talking_stack, carrier)


@pytest.mark.parametrize("fault", ["stall", "cut"])
def test_model_that_breaks_off_is_apologised_for(fault, business, carrier, model):
    business.put_agent(transport="stream")
    model.plan(faults=[fault] * 5, stall_s=60)

    sid = carrier.ring(business.number, QUESTION[:1])

    told = carrier.wait_for_end(sid)
    model.plan()
    assert told["status"] == "completed"
    assert carrier.heard(sid).endswith(APOLOGY)
    assert business.settled(sid)["end_reason"] == "model_failed"
    spoken = business.transcript(sid, 2)
    assert spoken[:2] == [("agent", GREETING), ("caller", "Are you open?")]


def test_tool_that_never_answers_is_given_up_and_the_call_goes_on(
    business, carrier, model, service
):
    tool = {
        "name": "find_order",
        "description": "Finds an order.",
        "url": f"{service.url}/drip",
        "timeout_s": 1,
    }
    tool_id = business.ask("POST", "/api/tools", tool)["id"]
    business.put_agent(tools=[tool_id])
    asks = [{"name": "find_order", "arguments": {}}]
    model.plan(mode="script", replies=[asks, REPLY])

    sid = carrier.ring(business.number, QUESTION)
    carrier.wait_for_end(sid)

    business.settled(sid)
    assert business.transcript(sid, 4)[-1] == ("agent", REPLY)
    call = business.call(sid)
    used = [turn["tool"] for turn in call["turns"] if turn["speaker"] == "tool"]
    assert [tool["status"] for tool in used] == ["timed_out"]
    assert call["status"] == "completed"


# -- By hand: what no carrier should send ----------------------------------------------


class CallByHand:
    """We are the carrier: signed webhooks, and its end of the session's socket."""

    def __init__(self, business, carrier):
        self._account = business.account
        self._number = carrier.number(business.account, business.number)
        self.sid = f"CA{uuid.uuid4().hex}"
        self.follow(self.post(self._number["voice_url"], CallStatus="ringing"))

    def post(self, url, **more):
        fields = {
            "CallSid": self.sid,
            "AccountSid": self._account.sid,
            "From": CALLER,
            "To": self._number["phone_number"],
            "CallStatus": "in-progress",
            "Direction": "inbound",
            **more,
        }
        headers = {"X-Twilio-Signature": self._sign(url, fields)}
        answer = httpx.post(url, data=fields, headers=headers, timeout=15)
        return answer.raise_for_status().text

    def follow(self, document):
        verb = ElementTree.fromstring(document).find("Connect")
        self.action = verb.get("action")
        self._relay = verb.find("ConversationRelay")

    @property
    def greeting(self):
        return self._relay.get("welcomeGreeting")

    @contextmanager
    def session(self):
        url = self._relay.get("url")
        headers = {"X-Twilio-Signature": self._sign(url, {})}
        setup = {"callSid": self.sid, "accountSid": self._account.sid, "from": CALLER}
        with connect(url, additional_headers=headers, proxy=None) as socket:
            send(socket, type="setup", **setup)
            yield socket

    def end(self):
        self.post(self._number["status_callback"], CallStatus="completed")

    def _sign(self, url, fields):
        validator = RequestValidator(self._account.auth_token)
        return validator.compute_signature(url, fields)


def send(socket, **frame):
    socket.send(json.dumps(frame))


def ask(socket, text):
    """Say it, and hear the whole reply."""
    send(socket, type="prompt", voicePrompt=text, lang="en-US", last=True)
    heard = ""
    while True:
        frame = json.loads(socket.recv(timeout=HEARD_WITHIN_S))
        heard += frame["token"]
        if frame["last"]:
            return heard


def test_malformed_and_unknown_frames_change_nothing(business, carrier, model):
    business.put_agent(transport="stream")
    model.plan()
    call = CallByHand(business, carrier)

    with call.session() as socket:
        for frame in NONSENSE:
            socket.send(frame)
        for number in range(10):
            send(socket, type=f"from-the-future-{number}", voicePrompt="no")
        heard = ask(socket, "Are you open?")

    call.end()
    assert heard == "You said: Are you open?"
    assert business.settled(call.sid)["status"] == "completed"
    assert business.transcript(call.sid, 3) == [
        ("agent", GREETING),
        ("caller", "Are you open?"),
        ("agent", "You said: Are you open?"),
    ]


def test_frame_that_is_too_long_costs_the_session_and_not_the_call(
    business, carrier, model
):
    business.put_agent(transport="stream")
    model.plan()
    call = CallByHand(business, carrier)
    with call.session() as socket:
        ask(socket, "First")
        send(socket, type="prompt", voicePrompt="a" * TOO_LONG, last=True)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=HEARD_WITHIN_S)

    call.follow(call.post(call.action, SessionStatus="failed", ErrorCode="64105"))
    with call.session() as socket:
        ask(socket, "Second")

    call.end()
    assert closed.value.rcvd.code == 1009
    assert call.greeting is None  # nobody is greeted twice
    assert business.settled(call.sid)["status"] == "completed"
    assert business.transcript(call.sid, 5) == [
        ("agent", GREETING),
        ("caller", "First"),
        ("agent", "You said: First"),
        ("caller", "Second"),
        ("agent", "You said: Second"),
    ]
