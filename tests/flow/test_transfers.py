"""A call is handed over to a person, through real processes and real sockets."""

import pytest

from tests.flow.carrier import CALLER
from tests.flow.tenant import GREETING, Business

pytestmark = pytest.mark.flow

WISH = "I want to talk to a person."
ANNOUNCED = "I am connecting you."
NOBODY = "+12025550408"  # whom the pocket carrier never reaches
ASKED = [{"name": "transfer_call", "arguments": {"reason": "wants a person"}}]
BACK = "Nobody is there. Shall they call you back?"


@pytest.fixture
def business(talking_stack, carrier):
    return Business(talking_stack, carrier)


def put_agent(business, number):
    business.put_agent(
        transfer_number=number,
        transfer_message=ANNOUNCED,
        transfer_whisper="A caller from {{ caller_number }}.",
    )


def told(call):
    return [e["status"] for e in call["events"] if e["status"].startswith("transfer")]


def test_person_answers_and_the_two_talk(business, carrier, model):
    put_agent(business, business.account.numbers[1])
    model.plan(mode="script", replies=[ASKED])

    sid = carrier.ring(business.number, [{"say": WISH}])
    state = carrier.wait_for_end(sid)
    call = business.settled(sid)

    assert (call["status"], call["end_reason"]) == ("completed", "transferred")
    assert told(call) == ["transfer-started", "transfer-answered"]
    notes = [e["message"] for e in state["events"] if e["type"] == "note"]
    assert f"Whispered: A caller from {CALLER}." in notes
    assert [e for e in state["events"] if e["type"] == "error"] == []


def test_nobody_answers_and_the_caller_is_back(business, carrier, model):
    put_agent(business, NOBODY)
    model.plan(mode="script", replies=[ASKED, BACK])
    done = {"wait_for": "agent_done"}

    script = [{"say": WISH}, done, done, {"hang_up": True}]
    sid = carrier.ring(business.number, script)
    carrier.wait_for_end(sid)
    call = business.settled(sid)

    assert call["end_reason"] == "caller_hung_up"
    assert business.transcript(sid, 5) == [
        ("agent", GREETING),
        ("caller", WISH),
        ("agent", ANNOUNCED),
        ("tool", "Nobody answered. The caller is back."),
        ("agent", BACK),
    ]
    assert told(call) == ["transfer-started", "transfer-failed"]
    assert carrier.heard(sid).count(GREETING) == 1
