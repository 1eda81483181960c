"""What webhooks are told of a call: complete, and once."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.dialogue import Turn as Spoken
from hooks.models import Delivery, Endpoint
from telephony import tasks
from telephony.models import AfterCall
from telephony.services import after_call, calls
from telephony.tests.calls import make_agent, make_call, make_turn
from tests.stub_llm import FIXED_ANALYSIS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model(settings, stub_llm):
    settings.LLM_BASE_URL, settings.LLM_API_KEY = stub_llm.base_url, "key"
    return stub_llm


def listen(owner):
    return Endpoint.unscoped.create(owner=owner, url="https://hooks.example.com/")


def told(call):
    """(event, data) in the order in which they were noted."""
    rows = Delivery.unscoped.filter(call=call).order_by("pk")
    payloads = [json.loads(row.payload) for row in rows]
    return [(payload["type"], payload["data"]) for payload in payloads]


def events(call):
    return [event for event, _data in told(call)]


def test_call_is_told_when_it_begins_has_settled_and_is_analyzed(
    number, strangers_number, model, monkeypatch
):
    monkeypatch.setattr(after_call, "QUIET_S", 0)
    listen(number.phone.owner)
    listen(strangers_number.phone.owner)

    call = number.ring()[1]
    before_answer = events(call)
    calls.begin_session(call, timezone.now())
    after_answer = events(call)
    calls.record_turn(call, Spoken(1, "caller", "Hello?", at_ms=0))
    calls.record_status(call, status="completed", at=timezone.now())
    tasks.follow_up_calls()  # how long it took is still to be told
    without_duration = events(call)
    calls.record_status(call, status="completed", at=timezone.now(), duration_s=7)
    AfterCall.unscoped.update(next_try_at=timezone.now())
    for _bell in range(2):
        tasks.follow_up_calls()

    assert before_answer == []
    assert after_answer == without_duration == ["call.started"]
    (_, started), (_, ended), (_, analyzed) = told(call)
    assert events(call) == ["call.started", "call.ended", "call.analyzed"]
    assert (started["id"], started["status"]) == (str(call.pk), "in-progress")
    assert (ended["status"], ended["duration_s"], ended["end_reason"]) == (
        *("completed", 7, "caller_hung_up"),
    )
    assert [turn["text"] for turn in ended["turns"]] == ["Hello?"]
    assert ended["analysis_status"] == "waiting"
    assert (analyzed["analysis_status"], analyzed["outcome"]) == ("done", "resolved")
    assert analyzed["summary"] == json.loads(FIXED_ANALYSIS)["summary"]
    assert Delivery.unscoped.exclude(call=call).count() == 0


def test_first_words_of_a_gathered_call_tell_that_it_began(number):
    number.agent.transport = "gather"
    number.agent.save()
    listen(number.phone.owner)
    call = number.ring()[1]
    with_the_greeting = events(call)

    for _delivery in range(2):
        number.post(
            f"/webhooks/twilio/calls/{call.pk}/gather?after=1",
            number.of_call(call, SpeechResult="Hello?"),
        )

    assert with_the_greeting == []
    assert events(call) == ["call.started"]


def ended_call(tenant, **fields):
    long_ago = timezone.now() - timedelta(minutes=10)
    agent = make_agent(tenant.workspace)
    call = make_call(tenant.workspace, long_ago, agent=agent, **fields)
    listen(tenant.workspace)
    after_call.begin(call)
    return call


def test_call_whose_beginning_was_not_told_tells_it_with_its_end(alice):
    call = ended_call(alice)

    tasks.follow_up_calls()

    assert events(call) == ["call.started", "call.ended", "call.analyzed"]


def test_call_that_nobody_answered_never_began(alice):
    call = ended_call(alice, answered_at=None, status="no-answer")

    tasks.follow_up_calls()

    assert events(call) == ["call.ended", "call.analyzed"]
    assert told(call)[-1][1]["analysis_status"] == "no_conversation"


def test_failed_analysis_is_told_and_the_next_one_too(alice, model):
    call = ended_call(alice)
    make_turn(call, 1, "Hello?")
    model.configure(analyses=("nothing",))
    tasks.follow_up_calls()
    model.configure()

    after_call.analyze_again(call)
    tasks.follow_up_calls()

    statuses = [
        data["analysis_status"] for event, data in told(call) if "analyzed" in event
    ]
    assert statuses == ["failed", "done"]


def test_page_of_a_call_shows_its_webhooks(alice):
    call = ended_call(alice)
    tasks.follow_up_calls()

    page = alice.client.get(call.get_absolute_url()).content.decode()

    (delivery,) = Delivery.unscoped.filter(call=call, event="call.ended")
    assert delivery.get_absolute_url() in page
