"""Numbers to call, the carrier's signature, and its end of a live session."""

import itertools
import json
import socket
import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from twilio.request_validator import RequestValidator
from websockets.sync.client import connect

from accounts.models import Workspace
from agents.models import VoiceAgent
from telephony.models import Call, CarrierAccount, Phone, Turn
from tests.processes import WITHIN_S, wait_until
from tests.stub_llm import stub_llm, stub_llm_server  # noqa: F401

CALLER = "+4915112345678"
FACTS = "We are open from 8 to 17. A check-up costs 80 dollars."
_numbers = itertools.count(1)


@dataclass
class Number:
    """A registered number, and the carrier's side of its webhooks."""

    phone: Phone
    agent: VoiceAgent | None

    @property
    def account(self):
        return self.phone.carrier_account

    @property
    def voice_path(self):
        return reverse("webhooks:voice", args=[self.phone.webhook_token])

    @property
    def status_path(self):
        return reverse("webhooks:phone_status", args=[self.phone.webhook_token])

    def fields(self, **more):
        return {
            "CallSid": f"CA{uuid.uuid4().hex}",
            "AccountSid": self.account.account_sid,
            "From": CALLER,
            "To": self.phone.number,
            "CallStatus": "ringing",
            "Direction": "inbound",
            **more,
        }

    def of_call(self, call, **more):
        return self.fields(**{"CallSid": call.sid, "CallStatus": "in-progress", **more})

    def post(self, path, fields, *, token=None):
        """A signed webhook; `token` signs with another secret."""
        return post_signed(path, fields, token or self.account.auth_token)

    def ring(self, **more):
        """A call comes in: the answer and the stored call."""
        fields = self.fields(**more)
        answer = self.post(self.voice_path, fields)
        return answer, Call.unscoped.filter(sid=fields["CallSid"]).first()


def post_signed(path, fields, token):
    fields = {name: str(value) for name, value in fields.items()}
    signature = signature_of(path, fields, token)
    return Client().post(path, fields, headers={"X-Twilio-Signature": signature})


def signature_of(path, fields, token):
    from django.conf import settings

    url = settings.PUBLIC_BASE_URL + path
    return RequestValidator(token).compute_signature(url, fields)


def make_number(name="alice", **agent_fields):
    """A number with an active agent, in a workspace of its own."""
    owner = Workspace.objects.create(name=name)
    account = CarrierAccount.unscoped.create(
        owner=owner,
        label="main",
        account_sid=f"AC{uuid.uuid4().hex}",
        auth_token=uuid.uuid4().hex,
    )
    phone = Phone.unscoped.create(
        owner=owner,
        carrier_account=account,
        number=f"+1212555{next(_numbers):04}",
    )
    agent = VoiceAgent.unscoped.create(
        **{
            "owner": owner,
            "phone": phone,
            "name": "Reception",
            "is_active": True,
            "greeting": "Hello, this is Brightside.",
            "instructions": FACTS,
            "end_call_phrases": ["goodbye"],
            **agent_fields,
        }
    )
    return Number(phone, agent)


@pytest.fixture
def number(db):
    return make_number()


@pytest.fixture
def strangers_number(db):
    return make_number("mallory")


def transcript(call):
    """What was said, as (speaker, text) in order."""
    rows = Turn.unscoped.filter(call=call).order_by("number")
    return [(turn.speaker, turn.text) for turn in rows]


def ended(call):
    """Status and reason as they are stored now."""
    call.refresh_from_db()
    return call.status, call.end_reason


# The live session: a real server, and the carrier's end of a real socket.


@dataclass
class Live:
    """The running server, and where it listens."""

    address: str
    server: uvicorn.Server

    def wait_until_idle(self):
        """Until no session is open: all that they had to write is written."""
        state = self.server.server_state
        wait_until(lambda: not state.tasks, WITHIN_S, "the sessions are over")


@pytest.fixture(scope="session")
def live_application():
    """The application on a real socket of this process."""
    from voiceops.asgi import application

    config = uvicorn.Config(application, log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        thread.start()
        wait_until(lambda: server.started, WITHIN_S, "the server is up")
        yield Live(f"127.0.0.1:{listener.getsockname()[1]}", server)
        server.should_exit = True
        thread.join(timeout=WITHIN_S)


@pytest.fixture
def live(live_application, transactional_db, settings):
    settings.PUBLIC_BASE_URL = f"http://{live_application.address}"
    return live_application


class CarrierSocket:
    """What Twilio does at its end of a session."""

    def __init__(self, socket, call):
        self._socket = socket
        self._call = call

    def send(self, type, **message):
        self._socket.send(json.dumps({"type": type, **message}))

    def set_up(self, **other):
        setup = {
            "callSid": self._call.sid,
            "accountSid": self._call.account_sid,
            "from": CALLER,
        }
        self.send("setup", **{**setup, **other})

    def say(self, text):
        self.send("prompt", voicePrompt=text, lang="en-US", last=True)

    def receive(self, timeout_s=WITHIN_S):
        return json.loads(self._socket.recv(timeout=timeout_s))

    def hear(self):
        """The agent's whole utterance; then the carrier tells that it was heard."""
        tokens = []
        while True:
            frame = self.receive()
            assert frame["type"] == "text", frame
            tokens.append(frame["token"])
            if frame["last"]:
                self.send("info", name="agentSpeaking", value="off")
                return "".join(tokens)

    def hear_words(self, count):
        """The first words of an utterance that goes on."""
        return "".join(self.receive()["token"] for _ in range(count))

    def interrupt(self, heard):
        self.send(
            "interrupt", utteranceUntilInterrupt=heard, durationUntilInterruptMs=900
        )

    def ask(self, text):
        self.say(text)
        return self.hear()

    def hang_up(self, code=1000):
        self._socket.close(code)


@contextmanager
def relay_session(live, call, *, is_set_up=True, is_waited_for=True, signature=None):
    """A connected session of `call`, as the carrier opens it."""
    url = f"ws://{live.address}/webhooks/twilio/relay/{call.relay_token}"
    if signature is None:
        (secret, *_) = call.tokens_at(now())
        signature = RequestValidator(secret).compute_signature(url, {})
    headers = {"X-Twilio-Signature": signature} if signature else {}
    with connect(url, additional_headers=headers, proxy=None) as socket:
        caller = CarrierSocket(socket, call)
        if is_set_up:
            caller.set_up()
        yield caller
    if is_waited_for:
        live.wait_until_idle()


def wait_for_end(call, reason):
    """Until the session has written why the call ended."""
    wait_until(lambda: ended(call)[1] == reason, WITHIN_S, reason)
