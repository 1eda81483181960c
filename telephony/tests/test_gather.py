"""Calls turn by turn: every turn is a signed request, nothing is held in between."""

import asyncio
import threading
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, connections
from django.urls import reverse
from django.utils.timezone import now

from agents import llm
from agents.services import connect_model
from telephony import gather, tasks
from telephony.models import Call, Turn
from telephony.services import calls, voicemail
from telephony.tests.conftest import ended, make_number, transcript
from telephony.tests.toolboxes import give_tools
from telephony.words import apology
from tests.processes import WITHIN_S, wait_until
from tests.stub_llm import FAULTS

pytestmark = pytest.mark.django_db(transaction=True)

GREETING = ("agent", "Hello, this is Brightside.")


@pytest.fixture
def number(stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    return make_number(transport="gather")


class Caller:
    """The carrier's walk through the documents of one call."""

    def __init__(self, number):
        self.number = number
        answer, self.call = number.ring()
        self.document = ET.fromstring(answer.content)

    @property
    def said(self):
        return " ".join(say.text for say in self.document.iter("Say"))

    @property
    def has_hung_up(self):
        return self.document[-1].tag == "Hangup"

    @property
    def action(self):
        return self.document[0].attrib["action"]

    @property
    def silence(self):
        return self.document.find("Redirect").text

    def post(self, url, **heard):
        path = url.removeprefix(django_settings.PUBLIC_BASE_URL)
        answer = self.number.post(path, self.number.of_call(self.call, **heard))
        assert answer.status_code == 200
        return ET.fromstring(answer.content)

    def say(self, text):
        self.document = self.post(self.action, SpeechResult=text, Confidence="0.9")
        return self.said

    def press(self, digits):
        self.document = self.post(self.action, Digits=digits)
        return self.said

    def wait(self):
        self.document = self.post(self.silence)
        return self.said


def test_call_is_talked_through(number, stub_llm):
    stub_llm.configure(
        mode="script",
        replies=("From 8 to 17.", "80 dollars.", "You pressed 2.", "Thanks, goodbye"),
    )
    caller = Caller(number)

    assert caller.said == "Hello, this is Brightside."
    assert caller.say("When are you open?") == "From 8 to 17."
    assert caller.say("How much is a check-up?") == "80 dollars."
    assert caller.press("2") == "You pressed 2."
    assert caller.say("Bye") == "Thanks, goodbye"
    assert caller.has_hung_up

    assert ended(caller.call) == ("in-progress", "agent_ended")
    assert transcript(caller.call) == [
        GREETING,
        ("caller", "When are you open?"),
        ("agent", "From 8 to 17."),
        ("caller", "How much is a check-up?"),
        ("agent", "80 dollars."),
        ("caller", "Keys pressed: 2"),
        ("agent", "You pressed 2."),
        ("caller", "Bye"),
        ("agent", "Thanks, goodbye"),
    ]
    assert Turn.unscoped.filter(call=caller.call, interrupted=True).count() == 0
    assert [m["role"] for m in stub_llm.requests[1]["messages"]] == [
        *("system", "assistant", "user", "assistant", "user")
    ]


def test_caller_may_speak_first(number):
    number.agent.greeting_mode = "caller_first"
    number.agent.save()
    caller = Caller(number)

    assert (caller.said, caller.say("Hello?")) == ("", "You said: Hello?")
    assert transcript(caller.call) == [
        ("caller", "Hello?"),
        ("agent", "You said: Hello?"),
    ]


def test_turn_delivered_twice_is_one_turn(number, stub_llm):
    caller = Caller(number)
    action = caller.action

    first = caller.post(action, SpeechResult="Hello?")
    second = caller.post(action, SpeechResult="Hello?")
    without_words = caller.post(action)

    assert ET.tostring(first) == ET.tostring(second) == ET.tostring(without_words)
    assert len(stub_llm.requests) == 1
    assert len(transcript(caller.call)) == 3


def test_turn_delivered_twice_at_once_asks_the_model_once(
    number, stub_llm, monkeypatch
):
    ask, one_is_answered = llm.collect_pieces, threading.Event()

    async def ask_while_the_other_waits(*given):
        await asyncio.to_thread(one_is_answered.wait, WITHIN_S)
        return await ask(*given)

    monkeypatch.setattr(llm, "collect_pieces", ask_while_the_other_waits)
    caller = Caller(number)
    action = caller.action
    start = threading.Barrier(2)

    def deliver(_):
        try:
            start.wait()
            return caller.post(action, SpeechResult="Hello?")
        finally:
            one_is_answered.set()
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(deliver, range(2)))

    waiting, replied = sorted(answers, key=lambda document: document[0].tag == "Gather")
    assert [verb.tag for verb in waiting] == ["Pause", "Redirect"]
    assert waiting[1].text == action
    assert replied[0][0].text == "You said: Hello?"
    assert ET.tostring(caller.post(waiting[1].text)) == ET.tostring(replied)
    assert len(stub_llm.requests) == 1


def test_reply_that_nobody_makes_any_more_is_given_up(number, monkeypatch):
    caller = Caller(number)
    monkeypatch.setattr(gather, "GIVE_UP_AFTER_S", 0)
    monkeypatch.setattr(llm, "collect_pieces", None)  # the process dies while it thinks
    with monkeypatch.context() as dead:
        dead.setattr(calls, "note_our_error", lambda *args: None)
        caller.post(caller.action, SpeechResult="Hello?")

    caller.document = caller.post(caller.action)

    assert (caller.said, caller.has_hung_up) == (apology(), True)
    assert ended(caller.call) == ("in-progress", "our_error")


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_failing_model_ends_in_words_and_a_reason(number, monkeypatch, fault):
    monkeypatch.setattr(llm, "FIRST_TOKEN_TIMEOUT_S", 0.4)
    monkeypatch.setattr(llm, "TOKEN_GAP_TIMEOUT_S", 0.2)
    number.agent.model = f"fault-{fault}"
    number.agent.save()
    caller = Caller(number)

    assert caller.say("Hello?") == apology()

    assert caller.has_hung_up
    caller.call.refresh_from_db()
    assert caller.call.end_reason == "model_failed"
    assert caller.call.end_detail in llm.PLAIN.values()
    assert transcript(caller.call)[-1] == ("agent", apology())


def test_slow_model_is_not_waited_for_longer_than_the_carrier(
    number, stub_llm, monkeypatch
):
    monkeypatch.setattr(gather, "REPLY_DEADLINE_S", 0.2)
    stub_llm.configure(mode="fixed", tokens_per_second=20)
    caller = Caller(number)

    assert caller.say("Hello?") == apology()

    assert ended(caller.call) == ("in-progress", "model_failed")
    wait_until(lambda: stub_llm.open_streams == 0, WITHIN_S, "the model was let go")


def test_silent_caller_is_asked_once_and_then_left(number):
    number.agent.silence_reminder_s = 12
    number.agent.silence_timeout_s = 24
    number.agent.end_call_message = "Goodbye."
    number.agent.save()
    caller = Caller(number)

    timeouts, said = [], []
    while not caller.has_hung_up:
        timeouts.append(int(caller.document[0].attrib["timeout"]))
        said.append(caller.wait())

    assert timeouts == [5, 5, 2, 5, 5, 2]
    assert said == ["", "", "Are you still there?", "", "", "Goodbye."]
    assert ended(caller.call) == ("in-progress", "caller_silent")
    assert transcript(caller.call) == [
        GREETING,
        ("agent", "Are you still there?"),
        ("agent", "Goodbye."),
    ]


def test_silence_delivered_twice_asks_once(number):
    number.agent.silence_reminder_s = 5
    number.agent.save()
    caller = Caller(number)
    silence = caller.silence

    first, second = caller.post(silence), caller.post(silence)

    assert ET.tostring(first) == ET.tostring(second)
    assert transcript(caller.call) == [GREETING, ("agent", "Are you still there?")]


def test_caller_who_speaks_again_is_not_silent(number):
    number.agent.silence_reminder_s = 5
    number.agent.save()
    caller = Caller(number)

    caller.wait()
    assert caller.say("Yes") == "You said: Yes"
    assert caller.wait() == "Are you still there?"


def test_longest_call_time_is_held_by_our_clock(number, time_machine):
    caller = Caller(number)
    longest = timedelta(seconds=number.agent.max_duration_s)
    time_machine.move_to(caller.call.answered_at + longest, tick=False)

    assert caller.say("One more thing").startswith("I am sorry, our time is up.")

    assert caller.has_hung_up
    assert ended(caller.call) == ("in-progress", "time_up")


def test_keys_count_only_where_the_agent_listens_for_them(number):
    number.agent.dtmf_detection = False
    number.agent.save()
    caller = Caller(number)

    assert caller.press("1") == ""
    assert transcript(caller.call) == [GREETING]


def test_turn_of_an_ended_call_changes_nothing(number, stub_llm):
    caller = Caller(number)
    number.post(number.status_path, number.of_call(caller.call, CallStatus="completed"))

    assert caller.say("Hello?") == ""

    assert caller.has_hung_up
    assert transcript(caller.call) == [GREETING]
    assert stub_llm.requests == []


def test_machine_that_is_to_hear_a_message_is_not_hung_up_on_before_it(
    number, stub_llm, time_machine, monkeypatch
):
    """Also by a turn that comes between the beep and the message."""
    monkeypatch.setattr(tasks.leave_message, "apply_async", lambda *args, **more: None)
    caller = Caller(number)
    time_machine.move_to(now(), tick=False)
    voicemail.hear_of(caller.call, "machine_end_beep")

    caller.document = caller.post(caller.silence)

    assert [verb.tag for verb in caller.document] == ["Pause", "Redirect"]
    time_machine.shift(voicemail.GIVE_UP_AFTER)
    assert caller.wait() == ""
    assert caller.has_hung_up
    assert ended(caller.call) == ("in-progress", "voicemail")
    assert stub_llm.requests == []


def test_turn_of_a_streamed_call_is_refused(number):
    stream = make_number("stream")
    _, call = stream.ring()

    path = reverse("webhooks:gather", args=[call.pk]) + "?after=0"

    answer = stream.post(path, stream.of_call(call, SpeechResult="Hi"))
    assert answer.status_code == 403


def test_query_that_makes_no_sense_is_refused(number):
    caller = Caller(number)
    path = reverse("webhooks:gather", args=[caller.call.pk])

    for query in ("?after=-1", "?after=x", "?after=1&silent_s=1e99"):
        answer = number.post(path + query, number.of_call(caller.call))
        assert answer.status_code == 403


def test_turn_speaks_whatever_breaks(number, monkeypatch):
    caller = Caller(number)

    def fail(*args):
        raise DatabaseError("gone")

    monkeypatch.setattr(calls, "stored_turns", fail)

    assert caller.say("Hello?") == apology()
    assert caller.has_hung_up
    assert ended(caller.call) == ("in-progress", "our_error")


def test_words_that_no_database_takes_are_cleaned(number):
    caller = Caller(number)

    assert caller.say("a\0b \x08c") == "You said: ab c"
    assert Call.unscoped.get().status == "in-progress"


# -- Tools -----------------------------------------------------------------------------


@pytest.fixture
def toolbox(monkeypatch):
    return give_tools(monkeypatch)


def asks_for(tool, **arguments):
    return [{"name": tool, "arguments": arguments}]


def tools_of(call):
    """Each use of a tool as it is stored: name, status and text."""
    turns = Turn.unscoped.filter(call=call, speaker="tool").order_by("number")
    return [(turn.tool["name"], turn.tool["status"], turn.text) for turn in turns]


def test_tool_is_used_before_the_answer(number, stub_llm, toolbox):
    stub_llm.configure(
        mode="script",
        replies=(asks_for("opening_hours", day="Friday"), "From 9 to 17."),
    )
    caller = Caller(number)

    assert caller.say("Are you open on Friday?") == "From 9 to 17."
    assert transcript(caller.call) == [
        GREETING,
        ("caller", "Are you open on Friday?"),
        ("tool", "9 to 17 on Friday"),
        ("agent", "From 9 to 17."),
    ]
    assert tools_of(caller.call) == [("opening_hours", "ok", "9 to 17 on Friday")]
    assert caller.say("Thanks") == "From 9 to 17."


def test_tool_is_used_once_when_the_request_comes_again(number, stub_llm, toolbox):
    stub_llm.configure(mode="script", replies=(asks_for("slow", day="1"), "Yes."))
    caller = Caller(number)
    action = caller.action

    with ThreadPoolExecutor(2) as threads:
        heard = [
            threads.submit(_and_close, lambda: caller.post(action, SpeechResult="Hi"))
            for _ in range(2)
        ]
        for future in heard:
            future.result()
    again = caller.post(action, SpeechResult="Hi")

    assert [name for name, _ in toolbox.used] == ["slow"]
    assert " ".join(say.text for say in again.iter("Say")) == "Yes."


def _and_close(function):
    try:
        return function()
    finally:
        connections.close_all()


def test_slow_tool_leaves_time_for_an_answer(number, stub_llm, toolbox, monkeypatch):
    monkeypatch.setattr(gather, "TOOLS_DEADLINE_S", 0.3)
    stub_llm.configure(
        mode="script", replies=(asks_for("never", day="1"), "I cannot look it up.")
    )
    caller = Caller(number)

    assert caller.say("Are you open?") == "I cannot look it up."
    assert tools_of(caller.call)[0][1] == "timed_out"


def test_agent_ends_the_call_by_a_tool(number, stub_llm, toolbox):
    stub_llm.configure(mode="script", replies=(asks_for("end_call", reason="done"),))
    caller = Caller(number)

    caller.say("Bye")

    assert caller.has_hung_up
    assert ended(caller.call) == ("in-progress", "agent_ended")
    assert tools_of(caller.call) == [("end_call", "ok", "")]


def test_silence_is_asked_about_as_often_as_is_wanted(number):
    number.agent.silence_reminders = 3
    number.agent.silence_reminder_s = 5
    number.agent.silence_timeout_s = 16
    number.agent.end_call_message = "Goodbye."
    number.agent.save()
    caller = Caller(number)

    said = []
    while not caller.has_hung_up:
        said.append(caller.wait())

    assert said == [*["Are you still there?"] * 3, "Goodbye."]


def test_what_made_no_sense_is_asked_about(number, stub_llm):
    caller = Caller(number)

    assert caller.say("") == "Are you still there?"
    assert caller.say("Yes") == "You said: Yes"
    assert len(stub_llm.requests) == 1


def test_time_is_said_to_be_short_once_behind_a_reply(number, time_machine):
    caller = Caller(number)
    longest = number.agent.max_duration_s - number.agent.time_warning_s
    time_machine.move_to(caller.call.answered_at + timedelta(seconds=longest))

    assert caller.say("One") == (
        "You said: One I am sorry, we have to come to an end soon."
    )
    assert caller.say("Two") == "You said: Two"


def test_number_of_keys_is_the_carriers_to_count(number):
    number.agent.dtmf_length = 4
    number.agent.save()
    caller = Caller(number)

    assert caller.document[0].attrib["numDigits"] == "4"


def test_greeting_may_be_heard_to_its_end(number):
    number.agent.greeting_interruptible = False
    number.agent.save()
    caller = Caller(number)
    first = caller.document[0].attrib["bargeIn"]

    caller.say("Hello?")

    assert (first, caller.document[0].attrib["bargeIn"]) == ("false", "true")


def test_tools_of_one_reply_are_used_side_by_side(number, stub_llm, toolbox):
    stub_llm.configure(
        mode="script",
        replies=(
            asks_for("opening_hours", day="Friday") + asks_for("slow", day="Monday"),
            "Both days from 9.",
        ),
    )
    caller = Caller(number)

    assert caller.say("When?") == "Both days from 9."

    assert [name for name, _ in toolbox.used] == ["opening_hours", "slow"]
    assert transcript(caller.call)[1:] == [
        ("caller", "When?"),
        ("tool", "9 to 17 on Friday"),
        ("tool", "9 to 17 on Monday"),
        ("agent", "Both days from 9."),
    ]


def test_model_that_fails_is_replaced_by_another(number, stub_llm, settings):
    settings.LLM_FALLBACK_BASE_URL = stub_llm.base_url
    settings.LLM_FALLBACK_MODEL = "echo"
    number.agent.model = "fault-401"
    number.agent.save()
    caller = Caller(number)

    assert caller.say("Hello?") == "You said: Hello?"

    told = caller.call.events.for_owner(caller.call.owner_id).get(status="other-model")
    assert told.detail.startswith("echo at ")


def test_workspaces_own_model_speaks_and_is_told(number, stub_llm, settings):
    settings.LLM_BASE_URL, settings.TOOL_ALLOWED_HOSTS = "", ["127.0.0.1"]
    own = {"base_url": stub_llm.base_url, "model": "own", "api_key": "sk-own"}
    connect_model(number.agent.owner, **own)
    stub_llm.configure(mode="script", replies=("From 8 to 17.",))
    caller = Caller(number)

    assert caller.say("When are you open?") == "From 8 to 17."
    assert stub_llm.requests[0]["model"] == "own"
    caller.call.refresh_from_db()
    assert caller.call.model_label.startswith("own at 127.0.0.1")
    assert not caller.call.is_demo
