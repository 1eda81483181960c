"""The live session, over a real server on a real socket."""

import json
import os
import socket
import subprocess
import sys
from threading import Event
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection
from django.urls import reverse
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agents import llm
from agents.services import connect_model
from telephony import relay
from telephony.models import Call, CallEvent, Contact, Turn
from telephony.services import calls
from telephony.tests.conftest import (
    CALLER,
    WITHIN_S,
    Live,
    ended,
    make_number,
    relay_session,
    transcript,
    wait_for_end,
)
from telephony.words import apology
from tests.processes import wait_until
from tests.stub_llm import FAULTS
from voiceops.run.guard import die_with_parent
from voiceops.run.installation import free_port

pytestmark = pytest.mark.django_db(transaction=True)

GREETING = ("agent", "Hello, this is Brightside.")


@pytest.fixture
def number(live, stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    return make_number()


def test_call_is_talked_through_with_an_interruption(live, number, stub_llm):
    stub_llm.configure(
        mode="script",
        replies=(
            "We are open from 8 to 17.",
            "A check-up costs 80 dollars and takes half an hour of your time.",
            "It is 80 dollars.",
            "At 12 Main Street.",
            "Yes, on Friday.",
            "Thank you, goodbye",
        ),
        tokens_per_second=60,
    )
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("When are you open?")
        caller.say("How much is a check-up?")
        caller.hear_words(5)
        caller.interrupt("A check up costs")
        caller.hear()  # what was on its way
        caller.ask("How much?")
        caller.ask("Where?")
        caller.ask("On Friday too?")
        assert caller.ask("Bye then") == "Thank you, goodbye"
        assert caller.receive() == {
            "type": "end",
            "handoffData": json.dumps({"reason": "agent_ended"}),
        }
        caller.hang_up()

    wait_for_end(call, "agent_ended")
    assert transcript(call) == [
        GREETING,
        ("caller", "When are you open?"),
        ("agent", "We are open from 8 to 17."),
        ("caller", "How much is a check-up?"),
        ("agent", "A check-up costs"),
        ("caller", "How much?"),
        ("agent", "It is 80 dollars."),
        ("caller", "Where?"),
        ("agent", "At 12 Main Street."),
        ("caller", "On Friday too?"),
        ("agent", "Yes, on Friday."),
        ("caller", "Bye then"),
        ("agent", "Thank you, goodbye"),
    ]
    cut = Turn.unscoped.filter(call=call, interrupted=True)
    assert list(cut.values_list("number", flat=True)) == [5]
    assert "half an hour" not in str(stub_llm.requests[2])
    assert call.answered_at is not None
    assert call.status == "in-progress"


def test_model_is_shown_what_is_known_of_the_caller_apart_from_what_is_said(
    live, number, stub_llm
):
    number.agent.knows_contact = True
    number.agent.save()
    Contact.unscoped.create(
        owner=number.phone.owner, number=CALLER, notes="Prefers mornings."
    )
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("When are you open?")
        caller.hang_up()

    wait_for_end(call, "caller_hung_up")
    (asked,) = [body["messages"] for body in stub_llm.requests if body.get("stream")]
    system, known, greeting, said = asked
    assert [one["role"] for one in asked] == ["system", "user", "assistant", "user"]
    assert "Prefers mornings." in known["content"]
    assert "Prefers mornings." not in system["content"]
    assert said["content"] == "When are you open?"


def test_unsigned_handshake_is_refused(live, number):
    _, call = number.ring()

    for signature in ("", "forged", "ünïcode".encode("latin-1").decode("latin-1")):
        with (
            pytest.raises(InvalidStatus) as refusal,
            relay_session(live, call, signature=signature),
        ):
            pass
        assert refusal.value.response.status_code == 403

    call.refresh_from_db()
    assert (call.status, call.relay_connected_at) == ("ringing", None)


def test_handshake_signed_by_another_account_is_refused(live, number):
    _, call = number.ring()
    _, strangers_call = make_number("mallory").ring()
    strangers_call.relay_token = call.relay_token

    with (
        pytest.raises(InvalidStatus) as refusal,
        relay_session(live, strangers_call),
    ):
        pass

    assert refusal.value.response.status_code == 403


def test_handshake_for_an_unknown_token_is_refused(live, number):
    _, call = number.ring()
    for token in ("nobody", "%00", "a" * 500):
        call.relay_token = token
        with (
            pytest.raises(InvalidStatus) as refusal,
            relay_session(live, call),
        ):
            pass
        assert refusal.value.response.status_code == 403


def test_session_opens_once(live, number):
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("Hello?")
        with pytest.raises(InvalidStatus) as refusal, relay_session(live, call):
            pass
        assert caller.ask("Still there?") == "You said: Still there?"

    assert refusal.value.response.status_code == 403


def test_session_of_an_ended_call_is_refused(live, number):
    _, call = number.ring()
    number.post(
        number.status_path, number.fields(CallSid=call.sid, CallStatus="failed")
    )

    with pytest.raises(InvalidStatus), relay_session(live, call):
        pass


@pytest.mark.parametrize(
    "other", [{"callSid": "CA" + 32 * "0"}, {"accountSid": "AC" + 32 * "0"}]
)
def test_session_set_up_for_another_call_is_closed(live, number, other):
    _, call = number.ring()

    with relay_session(live, call, is_set_up=False) as caller:
        caller.set_up(**other)
        with pytest.raises(ConnectionClosed) as closed:
            caller.receive()

    assert closed.value.rcvd.code == 1008
    assert ended(call) == ("ringing", "")


def test_session_that_begins_otherwise_is_closed(live, number):
    _, call = number.ring()

    with relay_session(live, call, is_set_up=False) as caller:
        caller.say("Hello")
        with pytest.raises(ConnectionClosed):
            caller.receive()

    assert transcript(call) == []


def test_session_without_a_first_frame_is_closed(live, number, monkeypatch):
    monkeypatch.setattr(relay, "SETUP_WITHIN_S", 0.1)
    _, call = number.ring()

    with (
        relay_session(live, call, is_set_up=False) as caller,
        pytest.raises(ConnectionClosed),
    ):
        caller.receive()


def test_frames_that_make_no_sense_are_ignored(live, number):
    _, call = number.ring()

    with relay_session(live, call) as caller:
        for raw in ("", "nonsense", "[]", "7", '{"type": []}', '{"type": "prompt"}'):
            caller._socket.send(raw)
        caller._socket.send(b"\x00\xff")
        caller.send("from-the-future", voicePrompt="no")
        caller.send("prompt", voicePrompt="Half a", last=False)
        caller.send("dtmf", digit="12")
        caller.send("error", description="whatever")
        caller.send("interrupt", durationUntilInterruptMs="soon")

        assert caller.ask("Hello\x00 \ud800there") == "You said: Hello there"

    assert transcript(call)[1:] == [
        ("caller", "Hello there"),
        ("agent", "You said: Hello there"),
    ]


def test_frame_that_is_too_long_closes_the_session(live, number):
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.say("a" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            caller.receive()

    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_failing_model_ends_in_words_and_a_reason(live, number, monkeypatch, fault):
    monkeypatch.setattr(llm, "FIRST_TOKEN_TIMEOUT_S", 0.4)
    monkeypatch.setattr(llm, "TOKEN_GAP_TIMEOUT_S", 0.2)
    number.agent.model = f"fault-{fault}"
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        words = caller.ask("Hello?")
        end = caller.receive()

    assert words.endswith(apology())
    assert json.loads(end["handoffData"]) == {"reason": "model_failed"}
    call.refresh_from_db()
    assert call.end_reason == "model_failed"
    assert call.end_detail in llm.PLAIN.values()
    assert transcript(call)[-1] == ("agent", words.strip())


@pytest.mark.parametrize(
    ("filler", "after_ms", "said"),
    [
        ("", 50, "One moment, please. You said: Hi"),
        ("Let me think.", 50, "Let me think. You said: Hi"),
        ("Let me think.", 0, "You said: Hi"),
    ],
)
def test_late_model_is_covered_by_a_filler(
    live, number, stub_llm, filler, after_ms, said
):
    number.agent.filler, number.agent.filler_after_ms = filler, after_ms
    number.agent.save()
    stub_llm.configure(first_token_ms=400)
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("Hi") == said


def test_silent_caller_is_asked_twice_and_then_left(live, number, monkeypatch):
    number.agent.silence_reminders = 2
    number.agent.silence_reminder_s = 1
    number.agent.silence_timeout_s = 3
    number.agent.greeting = ""
    number.agent.end_call_message = "Goodbye."
    number.agent.save()
    monkeypatch.setattr(relay, "SPEECH_CHARACTERS_PER_SECOND", 1000)
    monkeypatch.setattr(relay, "SPEECH_MARGIN_S", 0)
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.hear() == "Are you still there?"
        assert caller.hear() == "Are you still there?"
        assert caller.hear() == "Goodbye."
        assert json.loads(caller.receive()["handoffData"]) == {
            "reason": "caller_silent"
        }

    assert ended(call) == ("in-progress", "caller_silent")


def test_longest_call_time_ends_the_call(live, number):
    number.agent.max_duration_s = 0
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.hear().startswith("I am sorry, our time is up.")
        assert json.loads(caller.receive()["handoffData"]) == {"reason": "time_up"}

    assert ended(call) == ("in-progress", "time_up")


def test_caller_who_speaks_for_long_is_not_silent(live, number, monkeypatch):
    number.agent.silence_reminder_s = 1
    number.agent.greeting = ""
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.send("info", name="clientSpeaking", value="on")
        with pytest.raises(TimeoutError):
            caller.receive(timeout_s=1.3)
        caller.send("info", name="clientSpeaking", value="off")
        assert caller.ask("A long story") == "You said: A long story"


def test_time_is_said_to_be_short_before_it_is_up(live, number):
    number.agent.greeting = ""
    number.agent.max_duration_s = 4
    number.agent.time_warning_s = 3
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.hear() == "I am sorry, we have to come to an end soon."
        assert caller.hear().startswith("I am sorry, our time is up.")


def test_so_many_keys_are_heard_together(live, number):
    number.agent.dtmf_length = 3
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        for digit in "123#45#":
            caller.send("dtmf", digit=digit)
        heard = [caller.hear(), caller.hear()]

    assert "Keys pressed: 45#" in heard[-1]
    assert [text for who, text in transcript(call) if who == "caller"] == [
        "Keys pressed: 123",
        "Keys pressed: 45#",
    ]


def test_model_that_fails_is_replaced_by_another(live, number, stub_llm, settings):
    settings.LLM_FALLBACK_BASE_URL = stub_llm.base_url
    settings.LLM_FALLBACK_MODEL = "echo"
    number.agent.model = "fault-401"
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("Hello?") == "You said: Hello?"

    told = CallEvent.unscoped.get(call=call, status="other-model")
    assert told.detail.startswith("echo at 127.0.0.1")


def test_keys_are_heard_together(live, number, monkeypatch):
    monkeypatch.setattr(relay, "KEYS_PAUSE_S", 2)
    _, call = number.ring()

    with relay_session(live, call) as caller:
        for digit in "12":
            caller.send("dtmf", digit=digit)
        assert caller.hear() == "You said: Keys pressed: 12"
        for digit in "34#":
            caller.send("dtmf", digit=digit)
        assert caller.hear() == "You said: Keys pressed: 34#"


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, "caller_hung_up"), (1001, "caller_hung_up")]
)
def test_closed_session_is_a_caller_who_hung_up(live, number, code, reason):
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("Hello?")
        caller.hang_up(code)

    wait_for_end(call, reason)


def test_lost_session_leaves_the_reason_to_others(live, number, stub_llm):
    stub_llm.configure(mode="fixed", tokens_per_second=50)
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.say("Hello?")
        caller.hear_words(4)
        caller._socket.socket.close()

    wait_until(lambda: stub_llm.open_streams == 0, WITHIN_S, "the model was let go")
    wait_until(lambda: len(transcript(call)) == 3, WITHIN_S, "the cut reply is there")
    assert transcript(call)[2][1].startswith("word0 word1")
    assert ended(call) == ("in-progress", "")


def test_interruption_after_the_reply_shortens_it(live, number):
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("one two three four")
        caller.interrupt("you said one two")
        caller.ask("Stop")

    assert transcript(call)[1:3] == [
        ("caller", "one two three four"),
        ("agent", "You said: one two"),
    ]


def test_model_is_let_go_when_the_caller_speaks_again(live, number, stub_llm):
    stub_llm.configure(mode="fixed", tokens_per_second=50)
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.say("First")
        caller.hear_words(3)
        stub_llm.configure(mode="echo")
        caller.say("Second")
        heard = caller.hear(), caller.hear()

    assert heard[1] == "You said: Second"
    wait_until(lambda: stub_llm.open_streams == 0, WITHIN_S, "the model was let go")
    assert [text for who, text in transcript(call) if who == "caller"] == [
        "First",
        "Second",
    ]


def test_database_that_fails_does_not_end_the_call(live, number, monkeypatch):
    failures = iter([True, True])
    real = calls.record_turn

    def record_turn(*args):
        if next(failures, False):
            raise OperationalError("the disk is full")
        real(*args)

    monkeypatch.setattr(calls, "record_turn", record_turn)
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("Hello?") == "You said: Hello?"

    wait_until(lambda: len(transcript(call)) == 3, WITHIN_S, "all is written")
    assert transcript(call) == [
        GREETING,
        ("caller", "Hello?"),
        ("agent", "You said: Hello?"),
    ]


def test_reason_that_is_written_late_is_no_guess(live, number, monkeypatch):
    """The carrier's report of the end is quicker than what the session writes."""
    real, is_reported = calls.record_turn, Event()

    def record_turn(*args):
        is_reported.wait(WITHIN_S)
        real(*args)

    monkeypatch.setattr(calls, "record_turn", record_turn)
    monkeypatch.setattr(relay, "REASON_WRITTEN_WITHIN_S", 0.1)
    number.agent.model = "fault-401"
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("Hello?")
        assert caller.receive()["type"] == "end"
        number.post(number.status_path, number.of_call(call, CallStatus="completed"))
        guess = ended(call)
        is_reported.set()
        caller.hang_up()

    assert guess == ("completed", "caller_hung_up")
    assert ended(call) == ("completed", "model_failed")
    assert call.end_detail in llm.PLAIN.values()


def test_handshake_while_the_database_is_down_is_refused(live, number, monkeypatch):
    def fail(*args):
        raise OperationalError("gone")

    _, call = number.ring()
    monkeypatch.setattr(calls, "open_session", fail)

    with pytest.raises(InvalidStatus) as refusal, relay_session(live, call):
        pass

    assert refusal.value.response.status_code == 403


def test_end_waits_until_the_last_words_were_spoken(live, number, monkeypatch):
    monkeypatch.setattr(relay, "SPEECH_CHARACTERS_PER_SECOND", 10)
    number.agent.end_call_phrases = ["bye"]
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.say("bye")
        assert caller.hear_words(4) == "You said: bye"
        with pytest.raises(TimeoutError):
            caller.receive(timeout_s=0.3)
        assert caller.receive()["type"] == "end"


def test_end_does_not_wait_for_what_the_caller_has_spoken_over(live, number, stub_llm):
    long = "word " * 100  # half a minute of speech, whose end the carrier does not tell
    stub_llm.configure(mode="script", replies=(long, "Goodbye"))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.say("Hello?")
        while not caller.receive()["last"]:
            pass
        caller.say("Bye")
        assert caller.hear_words(2) == "Goodbye"
        assert caller.receive(timeout_s=15)["type"] == "end"


def test_session_writes_its_beginning(live, number):
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("Hello?")

    events = CallEvent.unscoped.filter(call=call).values_list("status", "sequence")
    assert list(events) == [("session-started", -1)]
    assert Call.unscoped.get(pk=call.pk).status == "in-progress"


@pytest.fixture
def own_process(transactional_db, settings, stub_llm):
    """The application as a process of its own, on this test's database."""
    port = free_port()
    settings.PUBLIC_BASE_URL = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "voiceops.asgi:application"]
        + ["--port", str(port), "--no-access-log", "--log-level", "critical"],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url(),
            "PUBLIC_BASE_URL": settings.PUBLIC_BASE_URL,
            "LLM_BASE_URL": stub_llm.base_url,
        },
        preexec_fn=die_with_parent(),
    )
    try:
        wait_until(lambda: answers(port), WITHIN_S, "the process listens")
        yield process, Live(f"127.0.0.1:{port}", None)
    finally:
        process.kill()
        process.wait()


def database_url():
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_killed_process_loses_no_turn_that_was_heard(own_process, stub_llm):
    process, live = own_process
    number = make_number()
    _, call = number.ring()

    with relay_session(live, call, is_waited_for=False) as caller:
        caller.ask("First")
        long = "word " * 1000
        stub_llm.configure(mode="script", replies=(long,), tokens_per_second=20)
        caller.say("Second")
        caller.hear_words(4)
        process.kill()
        process.wait()

    assert transcript(call) == [
        GREETING,
        ("caller", "First"),
        ("agent", "You said: First"),
        ("caller", "Second"),
    ]
    lost = number.of_call(call, SessionStatus="failed", ErrorCode="64105")
    answer = number.post(reverse("webhooks:relay_ended", args=[call.pk]), lost)
    assert b"ConversationRelay" in answer.content
    assert ended(call) == ("in-progress", "")


def test_more_than_a_caller_can_say_ends_the_session(live, number):
    """Each utterance asks the model anew: a flood would hold up every other call."""
    _, call = number.ring()

    with relay_session(live, call) as caller, pytest.raises(ConnectionClosed) as closed:
        for _ in range(relay.UTTERANCES_AT_ONCE + 20):
            caller.say("What are your opening hours?")
        while True:
            caller.receive()

    assert closed.value.rcvd.code == relay.POLICY_VIOLATION
    said = Turn.unscoped.filter(call=call, speaker="caller").count()
    assert said <= relay.UTTERANCES_AT_ONCE + relay.UTTERANCES_PER_SECOND


def test_workspaces_own_model_speaks(live, number, stub_llm, settings):
    settings.LLM_BASE_URL, settings.TOOL_ALLOWED_HOSTS = "", ["127.0.0.1"]
    own = {"base_url": stub_llm.base_url, "model": "own", "api_key": "sk-own"}
    connect_model(number.agent.owner, **own)
    stub_llm.configure(mode="script", replies=("From 8 to 17.",))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("When are you open?") == "From 8 to 17."
        caller.hang_up()
    assert {asked["model"] for asked in stub_llm.requests} == {"own"}
