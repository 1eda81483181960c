"""A machine answers: a message after the beep, or nothing, and no conversation."""

from datetime import timedelta

import httpx
import pytest
from django.utils.timezone import now

from simulator.engine import MAGIC_ENDINGS
from telephony import tasks, twilio
from telephony.services import asking, voicemail
from telephony.tests.calls import make_turn
from telephony.tests.carriers import KEY
from telephony.tests.conftest import ended, transcript
from telephony.tests.outgoing import (
    CALLEE,
    arrange,
    calls_at,
    make_placing_number,
    open_call,
)
from tests.processes import WITHIN_S, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
MACHINE = "+16285550600"


@pytest.fixture(autouse=True)
def worker(monkeypatch):
    """What would be queued is done at once, in the web process."""

    def run(args, **options):
        voicemail.leave_message(args[0], now())

    monkeypatch.setattr(tasks.leave_message, "apply_async", run)


def call_of(number, to):
    call = open_call(number, to)
    asking.place(call.pk)
    wait_until(lambda: is_over(call), WITHIN_S, "the call is over")
    return call


def is_over(call):
    call.refresh_from_db()
    return call.has_ended


def heard(carrier, number, to):
    """Everything that was played to whoever answered."""
    (placed,) = calls_at(carrier, number, to)
    answer = httpx.get(
        f"{carrier.url}/control/calls/{placed['sid']}",
        headers={"Authorization": f"Bearer {KEY}"},
    )
    events = answer.json()["events"]
    return "".join(e["text"] for e in events if e["type"] == "agent_text")


@pytest.mark.parametrize("transport", ["stream", "gather"])
def test_voicemail_is_told_the_message_and_hung_up_on(transport, live, carrier):
    number = make_placing_number(
        carrier,
        transport=transport,
        voicemail_detection=True,
        voicemail_message="Please call {{ company }} back.",
        variables={"company": "Brightside"},
    )

    call = call_of(number, MACHINE)
    live.wait_until_idle()

    assert ended(call) == ("completed", "voicemail")
    assert call.answered_by == "machine_end_beep"
    assert heard(carrier, number, MACHINE).endswith("Please call Brightside back.")


def test_voicemail_without_a_message_is_hung_up_on(live, carrier):
    number = make_placing_number(carrier, voicemail_detection=True)

    call = call_of(number, MACHINE)

    assert ended(call) == ("completed", "voicemail")
    assert call.answered_by == "machine_start"


def test_person_is_talked_to_while_the_carrier_listens(live, carrier):
    number = make_placing_number(
        carrier, voicemail_detection=True, voicemail_message="Call us."
    )

    call = call_of(number, CALLEE)

    assert call.end_reason != "voicemail"
    assert "Call us." not in heard(carrier, number, CALLEE)


def test_without_detection_nobody_is_asked(live, carrier):
    number = make_placing_number(carrier)
    call = open_call(number)

    assert voicemail.detection_of(call) is None


def test_message_is_left_once_however_often_it_is_told(live, carrier, monkeypatch):
    number = make_placing_number(carrier, voicemail_detection=True)
    call = open_call(number)
    call.adopt("CA" + 32 * "5")
    fields = number.of_call(call, AnsweredBy="machine_start")
    hung_up = []
    monkeypatch.setattr(twilio, "end_call", lambda account, sid: hung_up.append(sid))

    for _ in range(3):
        path = f"/webhooks/twilio/calls/{call.pk}/detected"
        assert number.post(path, fields).status_code == 204

    assert hung_up == [call.sid]
    assert ended(call)[1] == "voicemail"


@pytest.fixture
def noticed(carrier, monkeypatch):
    """A call that a machine has answered, its task lost; and what the carrier did."""
    monkeypatch.setattr(voicemail, "_ring_the_bell", lambda call: None)
    number = make_placing_number(
        carrier, voicemail_detection=True, voicemail_message="Call us."
    )
    call = open_call(number)
    call.adopt("CA" + 32 * "6")
    call.advance("in-progress", at=now())
    voicemail.hear_of(call, "machine_end_beep")
    return call


class Telling:
    """The carrier's part of it, which fails as planned."""

    def __init__(self, monkeypatch):
        self.failures = []
        self.done = []
        monkeypatch.setattr(twilio, "say_instead", self._do("said"))
        monkeypatch.setattr(twilio, "end_call", self._do("ended"))
        monkeypatch.setattr(voicemail, "_ring_the_bell", self._ring)
        self.at = now()

    def _do(self, what):
        def did(*args):
            if self.failures:
                raise self.failures.pop(0)
            self.done.append(what)

        return did

    def _ring(self, call):
        voicemail.leave_message(call.pk, self.at)

    def after(self, seconds):
        self.at = now() + timedelta(seconds=seconds)
        voicemail.leave_waiting(self.at)


@pytest.fixture
def telling(noticed, monkeypatch):
    return Telling(monkeypatch)


def test_message_is_left_by_the_clock_where_its_task_was_lost(telling):
    telling.after(1)
    assert telling.done == []  # its task may be on its way

    telling.after(4)
    telling.after(8)

    assert telling.done == ["said"]


def test_message_is_left_later_if_the_carrier_cannot_be_reached(telling):
    telling.failures = [twilio.Unreachable(), twilio.Unreachable()]

    for seconds in (4, 8, 12, 16):
        telling.after(seconds)

    assert telling.done == ["said"]


def test_message_that_comes_too_late_is_not_left_and_the_call_ends(telling):
    telling.failures = [twilio.Unreachable()]

    for seconds in (4, 40, 44):
        telling.after(seconds)

    assert telling.done == ["ended"]


def test_message_whose_answer_was_lost_is_not_left_again(telling, noticed):
    telling.failures = [twilio.AnswerLost()]

    with pytest.raises(twilio.AnswerLost):
        telling.after(4)
    telling.after(8)

    assert telling.done == []


SCREENED = "+16285550183"
PATIENTLY_SCREENED = "+16285550184"
MESSAGE = "Brightside, about your appointment."


def arranged(carrier):
    """The same assistant; its person waits until somebody listens: turn by turn that
    takes longer than a silence of this carrier's, whose clock stands still."""
    *before, _silence, hello = MAGIC_ENDINGS["0183"]["script"][:5]
    script = [*before, {"say": hello["say"]}, *MAGIC_ENDINGS["0183"]["script"][5:]]
    arrange(carrier, PATIENTLY_SCREENED, script=script)
    return PATIENTLY_SCREENED


@pytest.mark.parametrize("transport", ["stream", "gather"])
def test_assistant_is_told_who_calls_and_its_person_is_greeted(
    transport, live, carrier, stub_llm, settings
):
    settings.LLM_BASE_URL = stub_llm.base_url
    stub_llm.configure(mode="script", replies=("See you then, goodbye.",))
    number = make_placing_number(
        carrier,
        transport=transport,
        greeting="Hello, this is Brightside.",
        screening_message=MESSAGE,
        end_call_phrases=["goodbye"],
    )

    screened = SCREENED if transport == "stream" else arranged(carrier)
    call = call_of(number, screened)

    assert [text for _, text in transcript(call)] == [
        "Hello, this is Brightside.",
        "Hi, if you record your name and reason for calling, I’ll see if this person "
        "is available.",
        MESSAGE,
        "Thanks. Please stay on the line.",
        "Hello?",
        "Hello, this is Brightside.",
        "That suits me. Goodbye.",
        "See you then, goodbye.",
    ]
    assert len(stub_llm.requests) == 1


def test_assistant_that_was_told_who_calls_is_no_voicemail(live, carrier):
    number = make_placing_number(
        carrier, voicemail_detection=True, screening_message=MESSAGE
    )
    call = open_call(number, CALLEE)
    call.advance("in-progress", at=now())
    make_turn(call, 1, MESSAGE, speaker="agent")

    voicemail.hear_of(call, "machine_start")

    assert ended(call) == ("in-progress", "")
