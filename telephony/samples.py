"""Past calls to look at in a demo workspace: invented, and marked as such."""

import random
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.dialogue import SPEECH_CHARACTERS_PER_SECOND
from agents.models import VoiceAgent
from telephony.models import Call, CallEvent, Turn
from voiceops.ids import earliest_uuid7

COUNT = 40
DAYS = 14
SID_PREFIX = "sample-"
MODEL_LABEL = "Sample data: this call never took place"
# 555-0100 to 555-0199 are set aside for fiction by the North American plan.
CALLED_NUMBER = "+14155550142"
RING_S = 2
BUSINESS_HOURS = range(8, 18)

Reason = Call.EndReason


@dataclass(frozen=True)
class Script:
    """One conversation, the agent first, and how the call ended."""

    lines: tuple[str, ...] = ()
    reason: Reason = Reason.CALLER_HUNG_UP
    status: Call.Status = Call.Status.COMPLETED
    interrupted: int | None = None  # which line the caller talked over, from 0
    silence_s: int = 0


HELLO = "Brightside Dental, this is the automated assistant. How can I help you?"
MORE = "Is there anything else?"

SCRIPTS = (
    Script(
        (
            HELLO,
            "Hi, what time do you open on Saturday?",
            f"On Saturdays we are open from nine to one. {MORE}",
            "No, that's all. Thanks!",
            "You are welcome. Goodbye!",
        ),
        Reason.AGENT_ENDED,
    ),
    Script(
        (
            HELLO,
            "How much is a cleaning?",
            f"A check-up with cleaning costs 120 dollars. {MORE}",
            "Do you take Delta Dental?",
            f"Yes, we take Delta Dental, Cigna and MetLife. {MORE}",
            "Great, thank you, bye.",
        ),
    ),
    Script(
        (
            HELLO,
            "I need to move my appointment on Thursday.",
            "I can take a note for the team. What is your name, and which day would",
            "It's Amara Okafor, and Friday morning would be best.",
            "Thank you. The team will call you back to confirm Friday morning.",
            "Perfect, thanks.",
        ),
        interrupted=2,
    ),
    Script(
        (
            HELLO,
            "Where are you exactly?",
            f"We are at 480 Valencia Street, near 16th Street station. {MORE}",
            "Can I park there?",
            "There is a garage across the street; we stamp the ticket for two hours.",
        ),
    ),
    Script((HELLO,), Reason.CALLER_SILENT, silence_s=30),
    Script(
        (
            HELLO,
            "My tooth broke and it hurts a lot.",
            "I am sorry to hear that. For emergencies we keep a slot every day. "
            "Please come in as soon as you can, or call 911 if you are in danger.",
            "I'll come right now.",
            "We will tell the team. See you soon.",
        ),
        Reason.AGENT_ENDED,
    ),
    Script(
        (
            HELLO,
            "Can you tell me whether my insurance paid the last invoice?",
            "I am sorry, something went wrong here. Please call again later.",
        ),
        Reason.MODEL_FAILED,
    ),
    Script(
        (
            HELLO,
            "Do you treat children too?",
            f"Yes, from the first tooth on. Their check-up costs 80 dollars. {MORE}",
            "No, thank you.",
            "Thank you for calling. Goodbye!",
        ),
        Reason.AGENT_ENDED,
    ),
    Script(
        (HELLO, "Hello? Can you hear me?", "Yes, I can hear you well. What can I"),
        Reason.CONNECTION_LOST,
        Call.Status.FAILED,
    ),
    Script((), Reason.NO_ACTIVE_AGENT),
)


# What is noted of some callers, by what they said.
CONTACTS: dict[str, dict] = {
    "It's Amara Okafor": {
        "name": "Amara Okafor",
        "email": "amara.okafor@example.com",
        "notes": "Prefers Friday mornings.",
        "call_consent": "given",
        "call_consent_note": "Ticked the box on the form for new patients",
    },
    "Do you take Delta Dental?": {
        "name": "Jordan Lee",
        "variables": {"insurance": "Delta Dental"},
    },
    "My tooth broke": {
        "name": "Sam Rivera",
        "notes": "Afraid of needles: take time to explain.",
        "timezone": "America/Denver",
        "text_consent": "refused",
        "text_consent_note": "Said so at the desk",
    },
}


def past_calls(
    *, reception: VoiceAgent, after_hours: VoiceAgent, now: datetime
) -> Iterator[tuple[Call, list[Turn], list[CallEvent]]]:
    """Unsaved rows of the same calls every time, spread over the days before `now`.

    `now` is in the zone whose business hours decide which agent answered.
    """
    chance = random.Random("Brightside Dental")
    step = timedelta(days=DAYS) / COUNT
    for number in range(COUNT):
        at = now - number * step - timedelta(minutes=chance.randrange(20, 200))
        agent = reception if at.hour in BUSINESS_HOURS else after_hours
        # Seven is coprime to the number of scripts: neighbours differ.
        script = SCRIPTS[number * 7 % len(SCRIPTS)]
        yield _rows(script, agent, number=number, at=at, chance=chance)


def _rows(
    script: Script,
    agent: VoiceAgent,
    *,
    number: int,
    at: datetime,
    chance: random.Random,
) -> tuple[Call, list[Turn], list[CallEvent]]:
    answered_at = at + timedelta(seconds=RING_S) if script.lines else None
    call = Call(
        id=id_of(at),
        owner_id=agent.owner_id,
        created_at=at,
        agent=agent if script.lines else None,
        sid=f"{SID_PREFIX}{number + 1:04}",
        direction=Call.Direction.INCOMING,
        status=script.status,
        from_number=f"+1415555{100 + chance.randrange(100):04}",
        to_number=CALLED_NUMBER,
        transport=agent.transport if script.lines else "",
        prompt_version=1 if script.lines else None,
        model_label=MODEL_LABEL,
        is_demo=True,
        started_at=at,
        answered_at=answered_at,
        end_reason=script.reason,
    )
    turns, length_ms = _turns(script, call, chance) if script.lines else ([], 4000)
    call.duration_s = round(length_ms / 1000) + script.silence_s
    call.ended_at = (answered_at or at) + timedelta(seconds=call.duration_s)
    call.last_event_at = call.ended_at
    return call, turns, _events(call)


def _turns(script: Script, call: Call, chance: random.Random) -> tuple[list[Turn], int]:
    """The turns at a person's pace, and when the last one is over, in milliseconds."""
    turns, clock_ms = [], 0
    for place, text in enumerate(script.lines):
        is_agent = place % 2 == 0
        pause_ms = chance.randrange(380, 1100) if place else 0
        clock_ms += pause_ms
        at = call.answered_at + timedelta(milliseconds=clock_ms)
        turns.append(
            Turn(
                id=id_of(at),
                owner_id=call.owner_id,
                call=call,
                created_at=at,
                number=place + 1,
                speaker=Turn.Speaker.AGENT if is_agent else Turn.Speaker.CALLER,
                text=text,
                at=at,
                at_ms=clock_ms,
                reply_ms=pause_ms if is_agent and place else None,
                interrupted=place == script.interrupted,
            )
        )
        clock_ms += len(text) * 1000 // SPEECH_CHARACTERS_PER_SECOND
    return turns, clock_ms


def _events(call: Call) -> list[CallEvent]:
    times = {"ringing": call.started_at, call.status: call.ended_at}
    return [
        CallEvent(
            id=id_of(at),
            owner_id=call.owner_id,
            call=call,
            created_at=at,
            status=status,
            at=at,
            sequence=sequence,
        )
        for sequence, (status, at) in enumerate(times.items())
    ]


def id_of(at: datetime) -> uuid.UUID:
    """An id as a row made at that time would have."""
    return uuid.UUID(int=earliest_uuid7(at).int | secrets.randbits(62))
