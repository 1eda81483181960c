"""What a new voice agent can start from: texts with gaps, and fitting settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Starter:
    """`fields` are of an agent; what is not named keeps the model's default."""

    key: str
    name: str | Promise
    summary: str | Promise
    icon: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the new agent is called at first."""
        return str(self.name) if self.key else ""


RECEPTIONIST = """\
You are the receptionist of {{ business }}.
You answer questions about the business, and take a note when somebody should call back.

Opening hours: {{ opening_hours }}.
Address: {{ address }}.

Who wants a call back: ask for the name, the number and what it is about, one after the other, and repeat the number.
Answer from these facts only. What you do not know, the team will: offer a call back.
When the caller has what they need, say goodbye."""  # noqa: E501

REMINDER = """\
You call {{ customer_name }} for {{ business }} about the appointment on {{ appointment_time }}.
Speak about the appointment only with {{ customer_name }}. If somebody else answers, ask when to call again and say goodbye.

Remind them of the appointment and ask whether they will come.
If they cannot come, ask which day would suit them, and say that {{ business }} will call back to confirm it.
To bring along: {{ bring_along }}.
Repeat what was agreed, thank them and say goodbye."""  # noqa: E501

LEAD_QUALIFIER = """\
You speak with somebody who is interested in {{ offer }} of {{ business }}.
Find out, one question at a time, whether it fits:
What do they need, and by when?
Who decides, and is a budget set aside?
How can {{ sales_contact }} reach them, and when?

Promise no prices, discounts or dates: {{ sales_contact }} does that.
If they are not interested, thank them and say goodbye at once.
In the end, repeat what you noted, say who will call, and say goodbye."""

SURVEY = """\
You ask {{ business }}'s customers about {{ topic }}.
It takes two minutes and is voluntary.
First ask whether now is a good moment. If not, thank them and say goodbye.

Ask these questions one after the other, and wait for each answer:
{{ questions }}

Thank them for each answer without judging it. Never argue, never sell anything.
After the last answer thank them and say goodbye."""

AFTER_HOURS = """\
You answer the calls of {{ business }} while it is closed.
Opening hours: {{ opening_hours }}.
Emergencies: {{ emergency_contact }}.

If it sounds like an emergency, give the emergency contact at once, slowly, and repeat it.
Otherwise ask for the name, the number and what it is about, repeat the number, and say that the team calls back when it is open.
Never promise a time. Then say goodbye."""  # noqa: E501

GOODBYE = ["goodbye"]

EMPTY = Starter(
    "",
    _("Empty"),
    _("A greeting and the usual settings; the instructions are yours."),
    "file",
    {"end_call_phrases": GOODBYE},
)

STARTERS = (
    Starter(
        "receptionist",
        _("Receptionist"),
        _("Answers questions about the business and takes notes for call-backs."),
        "phone-incoming",
        {
            "direction": "incoming",
            "greeting": "Hello, this is the automated assistant of {{ business }}. "
            "How can I help you?",
            "instructions": RECEPTIONIST,
            "temperature": 0.4,
            "end_call_phrases": GOODBYE,
        },
    ),
    Starter(
        "reminder",
        _("Appointment reminder"),
        _("Calls before an appointment and hears whether it stands."),
        "calendar-clock",
        {
            "direction": "outgoing",
            "greeting": "Hello, this is the automated assistant of {{ business }}. "
            "Am I speaking with {{ customer_name }}?",
            "instructions": REMINDER,
            "temperature": 0.2,
            "max_tokens": 200,
            "silence_timeout_s": 20,
            "max_duration_s": 300,
            "end_call_phrases": GOODBYE,
        },
    ),
    Starter(
        "lead",
        _("Lead qualifier"),
        _("Finds out what somebody needs, and who should call them."),
        "user-check",
        {
            "direction": "both",
            "greeting": "Hello, this is the automated assistant of {{ business }}. "
            "May I ask you a few questions about what you are looking for?",
            "instructions": LEAD_QUALIFIER,
            "temperature": 0.5,
            "end_call_phrases": GOODBYE,
        },
    ),
    Starter(
        "survey",
        _("Survey"),
        _("Asks a few questions, one after the other, and thanks for each answer."),
        "clipboard-list",
        {
            "direction": "outgoing",
            "greeting": "Hello, this is an automated assistant calling for "
            "{{ business }}. Do you have two minutes for a few questions?",
            "instructions": SURVEY,
            "temperature": 0.2,
            "max_tokens": 200,
            # Who thinks about an answer says nothing for a while.
            "silence_timeout_s": 45,
            "interrupt_sensitivity": "medium",
            "end_call_phrases": GOODBYE,
        },
    ),
    Starter(
        "after-hours",
        _("After hours"),
        _("Answers while you are closed: emergencies now, all others tomorrow."),
        "moon",
        {
            "direction": "incoming",
            "greeting": "Hello, {{ business }} is closed now. This is the automated "
            "assistant. How can I help you?",
            "instructions": AFTER_HOURS,
            "temperature": 0.2,
            "max_tokens": 200,
            "max_duration_s": 300,
            "end_call_phrases": GOODBYE,
        },
    ),
    EMPTY,
)


def starter_of(key: str, starters: tuple[Starter, ...] = STARTERS) -> Starter:
    """The starter of this key; the last one, which is empty, for any other."""
    return next((starter for starter in starters if starter.key == key), starters[-1])
