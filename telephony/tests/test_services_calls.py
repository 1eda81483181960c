"""What a call keeps, and what an agent brings into it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from agents.dialogue import Dialogue
from agents.dialogue import Turn as Spoken
from agents.models import Prompt, PromptVersion
from agents.prompts import PREAMBLE
from agents.services import save_prompt
from telephony import session
from telephony.models import Call, CallEvent, Turn
from telephony.services import calls
from telephony.tests.conftest import CALLER, ended

pytestmark = pytest.mark.django_db


@pytest.fixture
def call(number):
    call = number.ring()[1]
    calls.begin_session(call, timezone.now())
    return call


def test_receive_call_freezes_agent_and_prompt(number):
    prompt = Prompt.unscoped.create(
        owner=number.phone.owner, name="Reception", text="Be kind.", version=7
    )
    number.agent.prompt = prompt
    number.agent.save()
    _, call = number.ring()

    prompt.version = 8
    prompt.save()
    number.agent.transport = "gather"
    number.agent.save()

    call.refresh_from_db()
    assert (call.prompt_version, call.transport) == (7, "stream")


def test_a_session_keeps_the_model_that_speaks_in_it(number, settings):
    settings.LLM_BASE_URL = "https://models.example/v1"
    number.agent.model = "tiny-1"
    number.agent.save()
    _, call = number.ring()

    _, provider = calls.open_session(call.relay_token, lambda secret: True)

    call.refresh_from_db()
    assert (call.model_label, call.is_demo) == ("tiny-1 at models.example", False)
    assert provider.label == call.model_label


@pytest.mark.parametrize(
    "change",
    [
        lambda call: call.advance("completed", at=timezone.now()),
        lambda call: call.note_end_reason("time_up"),
    ],
    ids=["advance", "note_end_reason"],
)
def test_a_change_of_a_call_is_noted_in_its_time_of_change(call, change):
    call.refresh_from_db()
    before = call.updated_at

    change(call)

    call.refresh_from_db()
    assert call.updated_at > before


def prompted(number, *texts):
    """Give the agent a prompt whose versions have these texts."""
    prompt = None
    for text in texts:
        prompt = save_prompt(
            owner=number.phone.owner,
            prompt=prompt,
            name="Reception",
            text=text,
            note="",
            author=None,
        )
    number.agent.prompt = prompt
    number.agent.save()
    return prompt


def instructions_of(call):
    """What the model is told in the call, without what every agent is told."""
    stored = calls.with_signer().get(pk=call.pk)
    told = session.settings_of(stored, at=timezone.now()).instructions
    return told.removeprefix(PREAMBLE).strip()


def test_call_of_a_pinned_agent_keeps_to_its_version(number):
    prompt = prompted(number, "Be kind.", "Be brief.")
    number.agent.prompt_version = PromptVersion.unscoped.get(prompt=prompt, number=1)
    number.agent.save()

    _, call = number.ring()

    assert (call.prompt_version, instructions_of(call)) == (1, "Be kind.")


def test_call_keeps_the_text_that_it_began_with(number):
    prompt = prompted(number, "Be kind.")
    _, call = number.ring()

    prompted_later = save_prompt(
        owner=prompt.owner,
        prompt=prompt,
        name="Reception",
        text="Be brief.",
        note="",
        author=None,
    )

    assert prompted_later.version == 2
    assert (call.prompt_version, instructions_of(call)) == (1, "Be kind.")
    assert instructions_of(number.ring()[1]) == "Be brief."


def test_call_goes_on_when_its_agent_is_given_other_instructions(number):
    prompted(number, "Be kind.")
    _, call = number.ring()

    number.agent.prompt, number.agent.instructions = None, "On your own."
    number.agent.save()

    assert instructions_of(call) == "On your own."


@pytest.mark.django_db(transaction=True)
def test_record_turn_writes_and_replaces(number):
    call = number.ring()[1]
    calls.begin_session(call, timezone.now())
    said = Spoken(1, "agent", "Hello there", at_ms=1500, reply_ms=20)
    cut = Spoken(1, "agent", "Hello", at_ms=1500, reply_ms=20, interrupted=True)

    for turn in (said, said, cut):
        calls.record_turn(call, turn)

    row = Turn.unscoped.get(call=call)
    assert row.at == call.answered_at + timedelta(milliseconds=1500)
    assert calls.stored_turns(call) == [cut]


def test_record_event_twice_is_one_event(call):
    for _ in range(2):
        calls.record_event(call, status="x", sequence=3, at=timezone.now())

    assert CallEvent.unscoped.filter(call=call, status="x").count() == 1


def test_session_end_reported_twice_keeps_the_first_reason(call):
    for code in ("64102", "64105"):
        goes_on = calls.record_session_end(
            call,
            session_status="failed",
            call_status="in-progress",
            error_code=code,
            duration_s=None,
            session=calls.MAX_RESUMES,
            at=timezone.now(),
        )
        assert not goes_on

    assert ended(call) == ("in-progress", "connection_failed")


def test_told_reason_survives_the_end(call):
    call.note_end_reason(Call.EndReason.AGENT_ENDED)

    calls.record_status(call, status="completed", at=timezone.now(), duration_s=9)

    assert ended(call) == ("completed", "agent_ended")


def test_settings_fill_in_the_facts_of_the_call(number, call):
    agent = call.agent
    agent.variables = {"shop": "Brightside", "trick": "{{ shop }}", "count": 3}
    agent.greeting = "This is {{ agent_name }} of {{ shop }}{{ nobody }}."
    agent.instructions = "{{caller_number}}, {{ today }}, {{ trick }}, {{ count }}."
    call.owner.timezone = "Asia/Kathmandu"
    at = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)  # already the 23rd there

    settings = session.settings_of(call, at=at)

    assert settings.greeting == "This is Reception of Brightside."
    assert settings.instructions == (
        f"{PREAMBLE}\n\n{CALLER}, Monday, 23 November 2026, {{{{ shop }}}}, 3."
    )
    assert session.greeting_of(call, at=at) == settings.greeting


def test_settings_carry_the_agents_rules(call):
    agent = call.agent
    agent.end_call_phrases = ["bye", 7]
    agent.end_call_message = "Take care, {{ missing }}!"
    agent.greeting_mode = "caller_first"
    agent.dtmf_detection = False

    settings = session.settings_of(call, at=call.started_at)

    assert settings.end_call_phrases == ("bye", "7")
    assert settings.end_call_message == "Take care, !"
    assert (settings.caller_speaks_first, settings.dtmf) == (True, False)
    assert session.greeting_of(call, at=call.started_at) == ""


def test_the_model_is_shown_the_latest_turns_of_a_long_call(call):
    settings = session.settings_of(call, at=timezone.now())
    turns = [
        Spoken(n, "caller" if n % 2 else "agent", f"Line {n}.", at_ms=n)
        for n in range(1, 301)
    ]

    shown = Dialogue(settings, turns).messages()

    assert [message["content"] for message in shown[1:]] == [
        f"Line {n}." for n in range(101, 301)
    ]
