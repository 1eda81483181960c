"""A call whose session is lost goes on in another one, wherever that is held."""

import asyncio
import re
import time
import xml.etree.ElementTree as ET

import pytest
from django.urls import reverse
from django.utils.timezone import now
from websockets.exceptions import InvalidStatus

from telephony.diary import Diary, catch_up
from telephony.models import Call, CallEvent
from telephony.services import calls
from telephony.tests.calls import make_turn
from telephony.tests.conftest import (
    WITHIN_S,
    ended,
    make_number,
    relay_session,
    transcript,
    wait_for_end,
)
from telephony.tests.toolboxes import give_tools
from telephony.words import apology
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

GREETING = ("agent", "Hello, this is Brightside.")
LOST = {"SessionStatus": "failed", "ErrorCode": "64105"}
NOT_CONNECTED = {"SessionStatus": "failed", "ErrorCode": "64102"}


@pytest.fixture
def number(live, stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    return make_number()


def tell(number, call, told, session=0, **more):
    """The carrier's action callback; what it is told to do next."""
    path = reverse("webhooks:relay_ended", args=[call.pk]) + f"?session={session}"
    answer = number.post(path, number.of_call(call, **told, **more))
    assert answer.status_code == 200
    call.refresh_from_db()
    return ET.fromstring(answer.content)


def relay_of(document):
    return document.find("Connect/ConversationRelay")


def lose(caller, call, turns):
    """The connection breaks off without a close; all is written that was said."""
    caller._socket.socket.close()
    wait_until(lambda: len(transcript(call)) == turns, WITHIN_S, "all is written")


def test_lost_session_goes_on_without_a_second_greeting(live, number):
    first, call = number.ring()
    with relay_session(live, call) as caller:
        caller.ask("First")
        lose(caller, call, 3)
    old_token = call.relay_token

    document = tell(number, call, LOST)
    relay = relay_of(document)

    assert "welcomeGreeting" not in relay.attrib
    assert relay.attrib["url"].endswith(call.relay_token)
    assert call.relay_token != old_token
    assert document[0].attrib["action"].endswith("?session=1")
    with relay_session(live, call) as caller:
        assert caller.ask("Second") == "You said: Second"
        caller.hang_up()
    wait_for_end(call, "caller_hung_up")
    assert transcript(call) == [
        GREETING,
        ("caller", "First"),
        ("agent", "You said: First"),
        ("caller", "Second"),
        ("agent", "You said: Second"),
    ]
    events = CallEvent.unscoped.filter(call=call).order_by("id")
    assert list(events.values_list("status", "sequence")) == [
        ("session-started", -1),
        ("session-failed", -1),
        ("session-started", -2),
    ]


def test_caller_whose_greeting_is_not_written_yet_is_not_greeted_again(number):
    call = number.ring()[1]
    Call.unscoped.filter(pk=call.pk).update(relay_connected_at=now())

    assert "welcomeGreeting" not in relay_of(tell(number, call, LOST)).attrib


def test_next_session_waits_for_what_the_lost_one_has_yet_to_write():
    async def write_and_catch_up():
        diary = Diary("a call")
        diary.add(time.sleep, 0.2)
        diary.add(written.append, "said before")
        await catch_up("a call")
        said = list(written)
        await diary.close()
        return said

    written = []
    assert asyncio.run(write_and_catch_up()) == ["said before"]


def test_reply_that_broke_off_is_made_anew(live, number, stub_llm):
    stub_llm.configure(mode="fixed", tokens_per_second=50)
    _, call = number.ring()
    with relay_session(live, call) as caller:
        caller.say("What does it cost?")
        caller.hear_words(4)
        lose(caller, call, 3)
    stub_llm.configure(mode="echo")
    tell(number, call, LOST)

    with relay_session(live, call) as caller:
        assert caller.hear() == "You said: What does it cost?"


def test_words_that_nobody_answered_are_answered(live, number, stub_llm):
    stub_llm.configure(first_token_ms=60_000)
    _, call = number.ring()
    with relay_session(live, call) as caller:
        caller.say("Hello?")
        lose(caller, call, 2)
    stub_llm.configure()
    tell(number, call, LOST)

    with relay_session(live, call) as caller:
        assert caller.hear() == "You said: Hello?"


def test_tool_that_was_at_work_is_told_as_broken_off(
    live, number, stub_llm, monkeypatch
):
    toolbox = give_tools(monkeypatch)
    stub_llm.configure(mode="script", replies=([{"name": "never"}], "I lost it."))
    _, call = number.ring()
    with relay_session(live, call) as caller:
        caller.say("Look it up")
        wait_until(lambda: toolbox.used, WITHIN_S, "the tool works")
        lose(caller, call, 3)
    tell(number, call, LOST)

    with relay_session(live, call) as caller:
        assert caller.hear() == "I lost it."
    assert "cut off" in stub_llm.requests[1]["messages"][-1]["content"]


def test_clock_of_the_call_goes_on(live, number):
    _, call = number.ring()
    with relay_session(live, call) as caller:
        caller.ask("First")
        lose(caller, call, 3)
    Call.unscoped.filter(pk=call.pk).update(
        answered_at=call.started_at - calls.timedelta(hours=3)
    )
    tell(number, call, LOST)

    with relay_session(live, call) as caller:
        assert caller.hear().startswith("I am sorry, our time is up.")


def test_loss_that_is_told_twice_is_one(live, number):
    _, call = number.ring()
    with relay_session(live, call) as caller:
        caller.ask("First")
        lose(caller, call, 3)

    first = relay_of(tell(number, call, LOST)).attrib
    second = relay_of(tell(number, call, LOST)).attrib

    assert first == second
    assert call.times_resumed == 1


def test_old_address_opens_no_session_any_more(live, number):
    _, call = number.ring()
    old_token = call.relay_token
    with relay_session(live, call) as caller:
        caller.ask("First")
        lose(caller, call, 3)
    tell(number, call, LOST)
    call.relay_token = old_token

    with pytest.raises(InvalidStatus), relay_session(live, call):
        pass


def test_tries_are_bounded_and_end_in_words(number):
    _, call = number.ring()
    make_turn(call, 1, GREETING[1], speaker="agent")

    for session in range(calls.MAX_RESUMES):
        assert relay_of(tell(number, call, LOST, session)) is not None
    last = tell(number, call, LOST, calls.MAX_RESUMES)

    assert [verb.tag for verb in last] == ["Say", "Hangup"]
    assert last[0].text == apology()
    assert ended(call) == ("in-progress", "connection_lost")
    assert call.end_detail == "64105: the connection broke off"


def test_session_that_never_came_about_is_tried_once_more_with_its_greeting(number):
    _, call = number.ring()

    again = relay_of(tell(number, call, NOT_CONNECTED))
    last = tell(number, call, NOT_CONNECTED, 1)

    assert again.attrib["welcomeGreeting"] == GREETING[1]
    assert last[0].text == apology()
    assert ended(call) == ("in-progress", "connection_failed")


def test_goodbye_that_was_said_is_not_followed_by_an_apology(number):
    _, call = number.ring()
    call.note_end_reason(Call.EndReason.AGENT_ENDED)

    document = tell(number, call, LOST)

    assert [verb.tag for verb in document] == ["Hangup"]
    assert call.end_reason == "agent_ended"


def test_proxy_that_closes_like_a_caller_is_found_out(live, number):
    _, call = number.ring()
    with relay_session(live, call) as caller:
        caller.ask("First")
        caller.hang_up(1001)
    wait_for_end(call, "caller_hung_up")

    assert relay_of(tell(number, call, LOST)) is not None

    assert ended(call) == ("in-progress", "")


def test_lost_session_writes_nothing_over_the_next_one(live, number):
    _, call = number.ring()
    with relay_session(live, call) as caller:
        caller.ask("First")
        lose(caller, call, 3)
    late = calls.stored_turns(call)[-1]
    old = Call.unscoped.get(pk=call.pk)
    tell(number, call, LOST)

    old.answered_at = call.answered_at
    calls.record_turn(old, calls.dialogue.Turn(3, "agent", "Overwritten", 0))
    calls.note_caller_left(old)

    assert calls.stored_turns(call)[-1] == late
    assert ended(call)[1] == ""


def test_call_that_is_over_is_not_resumed(number):
    _, call = number.ring()
    over = number.of_call(call, CallStatus="completed")
    number.post(number.status_path, over)

    document = tell(number, call, LOST, CallStatus="completed")

    assert [verb.tag for verb in document] == ["Hangup"]


# The carrier's own way when an answer of ours was none.


def fall_back(number, sid):
    path = reverse("webhooks:fallback", args=[number.phone.webhook_token])
    told = number.fields(CallSid=sid, ErrorCode="11200", ErrorUrl="https://we/x")
    answer = number.post(path, told)
    assert answer.status_code == 200
    return ET.fromstring(answer.content)


def test_fallback_answers_a_call_that_was_never_taken(number):
    sid = "CA" + "3" * 32

    relay = relay_of(fall_back(number, sid))

    assert relay.attrib["welcomeGreeting"] == GREETING[1]
    assert Call.unscoped.get(sid=sid).agent == number.agent


def test_fallback_of_a_call_whose_first_answer_was_lost_answers_the_same(number):
    first, call = number.ring()

    again = fall_back(number, call.sid)

    assert ET.tostring(again) == ET.tostring(ET.fromstring(first.content))


def test_fallback_takes_a_lost_session_up(live, number):
    _, call = number.ring()
    with relay_session(live, call) as caller:
        caller.ask("First")
        lose(caller, call, 3)

    relay = relay_of(fall_back(number, call.sid))

    call.refresh_from_db()
    assert "welcomeGreeting" not in relay.attrib
    with relay_session(live, call) as caller:
        assert caller.ask("Second") == "You said: Second"


def test_fallback_of_an_ended_call_hangs_up(number):
    _, call = number.ring()
    call.note_end_reason(Call.EndReason.AGENT_ENDED)

    assert [verb.tag for verb in fall_back(number, call.sid)] == ["Hangup"]


def test_fallback_ends_in_words_when_it_was_tried_often_enough(number):
    _, call = number.ring()
    Call.unscoped.filter(pk=call.pk).update(
        answered_at=call.started_at,
        relay_connected_at=call.started_at,
        times_resumed=calls.MAX_RESUMES,
    )

    assert fall_back(number, call.sid)[0].text == apology()
    assert ended(call)[1] == "connection_lost"


def test_fallback_says_a_gathered_turn_once_more(number):
    number.agent.transport = "gather"
    number.agent.save()
    _, call = number.ring()

    gather = fall_back(number, call.sid)[0]

    assert gather[0].text == GREETING[1]
    assert re.search(r"\?after=1$", gather.attrib["action"])
    assert len(transcript(call)) == 1


def test_fallback_of_a_placed_call_answers_it(number):
    call = Call.unscoped.create(
        owner=number.phone.owner,
        phone=number.phone,
        carrier_account=number.account,
        agent=number.agent,
        direction="outgoing",
        status="initiated",
        transport="stream",
        sid="CA" + "4" * 32,
    )
    path = reverse("webhooks:call_fallback", args=[call.pk])

    answer = number.post(path, number.of_call(call, ErrorCode="11200"))

    relay = relay_of(ET.fromstring(answer.content))
    assert relay.attrib["welcomeGreeting"] == GREETING[1]
    assert ended(call) == ("in-progress", "")


def test_fallback_of_a_stranger_is_refused(number):
    _, call = make_number("mallory").ring()

    relay = relay_of(fall_back(number, call.sid))

    assert not relay.attrib["url"].endswith(call.relay_token)
