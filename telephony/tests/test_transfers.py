"""A person takes a call over, or does not and the agent has it again."""

import json
import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.timezone import now

from agents import handing_over
from telephony import twilio
from telephony.models import Call, CallEvent, DoNotContact, Turn
from telephony.services import silent_calls, voicemail
from telephony.tests.calls import make_turn
from telephony.tests.conftest import (
    ended,
    make_number,
    relay_session,
    transcript,
)

pytestmark = pytest.mark.django_db(transaction=True)

PERSON = "+14155550188"
ANNOUNCED = "I am connecting you."
ASKED = [{"name": "transfer_call", "arguments": {"reason": "wants a person"}}]
HANDOFF = json.dumps({"reason": "transfer", "to": "", "why": "wants a person"})
TRANSFER = {
    "name": "transfer_call",
    "arguments": '{"reason": "x"}',
    "status": "ok",
    "elapsed_ms": 0,
}


@pytest.fixture
def number(live, stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    return make_number(
        transfer_number=PERSON,
        transfer_message=ANNOUNCED,
        transfer_whisper="A caller, {{ caller_number }}.",
        transfer_timeout_s=25,
    )


@pytest.fixture
def call(number):
    """A call whose agent has just asked for a person."""
    _, call = number.ring()
    Call.unscoped.filter(pk=call.pk).update(
        status="in-progress", answered_at=now(), relay_connected_at=now()
    )
    call.refresh_from_db()
    make_turn(call, 1, "A person, please.")
    make_turn(call, 2, "", speaker="tool", tool=TRANSFER)
    return call


def post(number, url, fields):
    path = url.removeprefix(django_settings.PUBLIC_BASE_URL)
    answer = number.post(path, fields)
    return answer, ET.fromstring(answer.content) if answer.content else None


def hand_over(number, call, session=0, **more):
    """The carrier's action callback after our end of the session."""
    url = reverse("webhooks:relay_ended", args=[call.pk]) + f"?session={session}"
    told = {"SessionStatus": "ended", "HandoffData": HANDOFF, **more}
    answer, document = post(number, url, number.of_call(call, **told))
    assert answer.status_code == 200
    call.refresh_from_db()
    return document


def dialled(document):
    assert [verb.tag for verb in document] == ["Dial"]
    return document[0]


def dial_ended(number, call, status, session=0, **more):
    url = reverse("webhooks:handed_over", args=[call.pk]) + f"?session={session}"
    told = {"DialCallStatus": status, **more}
    answer, document = post(number, url, number.of_call(call, **told))
    assert answer.status_code == 200
    call.refresh_from_db()
    return document


def pick_up(number, call, session=0, **more):
    url = reverse("webhooks:whisper", args=[call.pk]) + f"?session={session}"
    leg = number.fields(ParentCallSid=call.sid, **more)
    return post(number, url, leg)


def events(call):
    rows = CallEvent.unscoped.filter(call=call, status__startswith="transfer")
    return list(rows.order_by("id").values_list("status", "detail"))


def last_tool(call):
    turn = Turn.unscoped.filter(call=call, speaker="tool").order_by("number").last()
    return turn.tool["status"], turn.text


def relay_of(document):
    return document.find("Connect/ConversationRelay")


# From the caller's wish to the person and back, over real sockets.


def test_call_is_handed_over_and_comes_back(live, number, stub_llm):
    back = "Nobody is there. May I take a message?"
    stub_llm.configure(mode="script", replies=(ASKED, back, "Noted."))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("A person, please.") == ANNOUNCED
        last = caller.receive()
        assert last["type"] == "end"
        caller.hang_up()  # what the carrier does once it was told the end
    assert json.loads(last["handoffData"])["reason"] == "transfer"
    assert ended(call) == ("in-progress", "")

    dial = dialled(hand_over(number, call, HandoffData=last["handoffData"]))
    assert dial.attrib["timeout"] == "25"
    assert dial.attrib["timeLimit"] == "14400"
    assert dial.attrib["callerId"] == number.phone.number
    assert dial.find("Number").text == PERSON
    assert call.handed_over_at is not None

    relay = relay_of(dial_ended(number, call, "no-answer"))
    assert "welcomeGreeting" not in relay.attrib
    assert call.handed_over_at is None
    with relay_session(live, call) as caller:
        assert caller.hear() == back
        assert caller.ask("Call me.") == "Noted."

    told = stub_llm.requests[1]["messages"][-1]
    assert (told["role"], told["content"]) == (
        "tool",
        "Nobody answered. The caller is back.",
    )
    assert transcript(call) == [
        ("agent", "Hello, this is Brightside."),
        ("caller", "A person, please."),
        ("agent", ANNOUNCED),
        ("tool", "Nobody answered. The caller is back."),
        ("agent", back),
        ("caller", "Call me."),
        ("agent", "Noted."),
    ]
    assert events(call) == [
        ("transfer-started", PERSON),
        ("transfer-failed", "no-answer"),
    ]


def test_it_is_announced_also_behind_the_agents_own_words(live, number, stub_llm):
    stub_llm.configure(mode="script", replies=([{"say": "Of course."}, *ASKED],))
    _, call = number.ring()

    with relay_session(live, call) as caller:
        assert caller.ask("A person, please.") == f"Of course. {ANNOUNCED}"
        assert caller.receive()["type"] == "end"


def test_agent_without_a_number_has_no_such_tool(live, number, stub_llm):
    number.agent.transfer_number = ""
    number.agent.save()
    _, call = number.ring()

    with relay_session(live, call) as caller:
        caller.ask("A person, please.")

    assert "tools" not in stub_llm.requests[0]


def test_gathered_call_is_handed_over_and_comes_back(number, stub_llm):
    number.agent.transport = "gather"
    number.agent.save()
    stub_llm.configure(mode="script", replies=(ASKED, "Nobody is there."))
    _, call = number.ring()
    said = number.of_call(call, SpeechResult="A person, please.")
    turn = reverse("webhooks:gather", args=[call.pk]) + "?after=1"

    document = post(number, turn, said)[1]
    again = post(number, turn, said)[1]

    assert [verb.tag for verb in document] == ["Say", "Dial"]
    assert document[0].text == ANNOUNCED
    assert ET.tostring(again) == ET.tostring(document)
    back = dial_ended(number, call, "busy")
    assert back.find("Gather/Say").text == "Nobody is there."
    repeated = dial_ended(number, call, "busy")
    assert repeated.find("Gather/Say").text == "Nobody is there."
    assert last_tool(call)[0] == "failed"
    assert len(stub_llm.requests) == 2


# What the carrier tells, in any order.


def test_person_hears_the_whisper_and_talks(number, call):
    hand_over(number, call)

    answer, whispered = pick_up(number, call)
    assert answer.status_code == 200
    assert [verb.tag for verb in whispered] == ["Say"]
    assert whispered[0].text == f"A caller, {call.from_number}."
    last = dial_ended(number, call, "completed", DialBridged="true")

    assert [verb.tag for verb in last] == ["Hangup"]
    assert ended(call) == ("in-progress", "transferred")
    number.post(number.status_path, number.of_call(call, CallStatus="completed"))
    assert ended(call) == ("completed", "transferred")
    assert events(call) == [("transfer-started", PERSON), ("transfer-answered", "")]
    assert last_tool(call) == ("ok", "")


def test_without_a_whisper_the_two_are_joined_at_once(number, call):
    number.agent.transfer_whisper = ""
    number.agent.save()
    hand_over(number, call)

    _, document = pick_up(number, call)

    assert list(document) == []


def test_end_that_overtakes_the_dial_is_told_rightly(number, call):
    hand_over(number, call)
    pick_up(number, call)

    number.post(number.status_path, number.of_call(call, CallStatus="completed"))
    assert ended(call) == ("completed", "transferred")
    dial_ended(number, call, "completed", CallStatus="completed")

    assert ended(call) == ("completed", "transferred")


def test_dial_that_is_told_last_corrects_a_guess(number, call):
    hand_over(number, call)
    number.post(number.status_path, number.of_call(call, CallStatus="completed"))
    assert ended(call) == ("completed", "caller_hung_up")

    dial_ended(number, call, "completed", CallStatus="completed")

    assert ended(call) == ("completed", "transferred")


def test_caller_who_hangs_up_while_it_rings_has_hung_up(number, call):
    hand_over(number, call)

    last = dial_ended(number, call, "canceled", CallStatus="completed")

    assert [verb.tag for verb in last] == ["Hangup"]
    assert ended(call) == ("completed", "caller_hung_up")


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled", ""])
def test_nobody_there_brings_the_caller_back(number, call, status):
    hand_over(number, call)

    document = dial_ended(number, call, status)

    assert relay_of(document).attrib["url"].endswith(call.relay_token)
    assert last_tool(call)[0] == "failed"
    assert ended(call) == ("in-progress", "")


def test_who_hangs_up_during_the_whisper_was_not_there(number, call):
    hand_over(number, call)
    pick_up(number, call)

    document = dial_ended(number, call, "completed", DialBridged="false")

    assert relay_of(document) is not None
    assert ended(call) == ("in-progress", "")


def test_told_twice_is_once(number, call):
    first, again = hand_over(number, call), hand_over(number, call)
    assert ET.tostring(first) == ET.tostring(again)
    back = [dial_ended(number, call, "busy") for _ in range(2)]
    assert ET.tostring(back[0]) == ET.tostring(back[1])
    assert call.times_resumed == 1
    assert relay_of(hand_over(number, call)) is not None  # old news
    assert len(events(call)) == 2


def test_refused_number_is_told_in_a_gathered_call_too(number, call, stub_llm):
    Call.unscoped.filter(pk=call.pk).update(transport="gather")
    DoNotContact.unscoped.create(owner=call.owner, number=PERSON)
    stub_llm.configure(mode="script", replies=("I cannot.",))
    url = reverse("webhooks:gather", args=[call.pk]) + "?after=0"

    document = post(number, url, number.of_call(call, SpeechResult="A person"))[1]
    document = post(number, document.find("Redirect").text, number.of_call(call))[1]

    assert document.find("Gather/Say").text == "I cannot."
    assert last_tool(call)[0] == "refused"


def test_it_is_not_tried_for_ever(live, number, call, stub_llm):
    for session in range(2):
        hand_over(number, call, session)
        dial_ended(number, call, "no-answer", session)
    stub_llm.configure(mode="script", replies=("Sorry.",))

    with relay_session(live, call) as caller:
        assert caller.hear() == "Sorry."

    assert "tools" not in stub_llm.requests[0]


def test_call_that_is_over_is_not_handed_over(number, call):
    number.post(number.status_path, number.of_call(call, CallStatus="completed"))

    document = hand_over(number, call, CallStatus="completed")

    assert [verb.tag for verb in document] == ["Hangup"]
    assert events(call) == []


def test_carrier_that_lost_our_answer_brings_the_caller_back(number, call):
    hand_over(number, call)
    path = reverse("webhooks:fallback", args=[number.phone.webhook_token])

    _, document = post(number, path, number.of_call(call, ErrorCode="11200"))

    assert relay_of(document) is not None
    assert last_tool(call)[0] == "failed"


# Whom calls may be handed over to.


def test_what_may_not_be_called_any_more_is_not_called(number, call):
    DoNotContact.unscoped.create(owner=call.owner, number=PERSON)

    document = hand_over(number, call)

    assert relay_of(document) is not None
    assert last_tool(call)[0] == "refused"
    ((status, detail),) = events(call)
    assert status == "transfer-failed"
    assert "do-not-contact" in detail


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("4155550188", "country code"),
        ("+19005550100", "premium-rate"),
        ("+4930123456", "is not among those that may be called"),
        ("911", "number"),
        ("own", "number of this workspace"),
    ],
)
def test_numbers_that_are_refused(number, written, words):
    written = number.phone.number if written == "own" else written
    with pytest.raises(ValidationError, match=words):
        handing_over.checked(number.phone.owner, written)


def test_number_is_stored_as_the_carrier_writes_it(number):
    owner = number.phone.owner
    assert handing_over.checked(owner, "+1 (415) 555-0188") == PERSON
    assert handing_over.checked(owner, "") == ""


# Nobody's signature, nobody's call.


@pytest.mark.parametrize("name", ["whisper", "handed_over"])
def test_strangers_are_refused(number, call, name):
    stranger = make_number("mallory")
    hand_over(number, call)
    path = reverse(f"webhooks:{name}", args=[call.pk])
    fields = number.of_call(call, ParentCallSid=call.sid, DialCallStatus="busy")

    forged = number.post(path, fields, token=stranger.account.auth_token)

    assert forged.status_code == 403
    call.refresh_from_db()
    assert call.handed_over_at is not None
    assert len(events(call)) == 1


def test_leg_of_another_call_is_refused(number, call):
    hand_over(number, call)
    _, other = number.ring()
    path = reverse("webhooks:whisper", args=[call.pk])

    told = number.post(path, number.fields(ParentCallSid=other.sid))

    assert told.status_code == 403
    assert events(call) == [("transfer-started", PERSON)]


# Nothing of ours cuts two people off.


@pytest.fixture
def carrier(monkeypatch):
    """A carrier that says that every call goes on."""
    ended_calls = []
    in_progress = twilio.CarrierCall("CA", now(), "in-progress", None, None, "")
    monkeypatch.setattr(twilio, "fetch_call", lambda account, sid: in_progress)
    monkeypatch.setattr(
        twilio, "end_call", lambda account, sid: ended_calls.append(sid)
    )
    return ended_calls


@pytest.mark.parametrize(
    ("talked_s", "is_ended"), [(61, False), (3 * 3600, False), (4 * 3600 + 90, True)]
)
def test_two_people_are_not_cut_off(number, call, carrier, talked_s, is_ended):
    hand_over(number, call)
    pick_up(number, call)
    later = now() + timedelta(seconds=talked_s)

    silent_calls.settle(later)

    assert carrier == ([call.sid] if is_ended else [])
    assert call.agent.max_duration_s < 3600


def test_late_word_of_a_machine_does_not_cut_two_people_off(number, call):
    hand_over(number, call)
    pick_up(number, call)

    voicemail.hear_of(call, "machine_start")

    assert ended(call) == ("in-progress", "")
