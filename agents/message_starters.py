"""What a new message agent can start from: texts with gaps, and fitting settings."""

from django.utils.translation import gettext_lazy as _

from agents.starters import Starter

RECEPTIONIST = """\
You answer the texts to {{ business }}.
You answer questions about the business, and take a note when somebody should call back.

Opening hours: {{ opening_hours }}.
Address: {{ address }}.

Who wants a call back: ask for the name and what it is about, one after the other. The number is the one they write from, unless they name another.
Answer from these facts only. What you do not know, the team will: offer a call back."""  # noqa: E501

REMINDER_REPLIES = """\
{{ business }} has texted its customers a reminder of their appointment. You answer what they write back.

Who confirms: thank them, and say that the appointment stands.
Who cannot come: ask which day would suit them, and say that {{ business }} will write to confirm it. Never promise a day yourself.
To bring along: {{ bring_along }}.
Address: {{ address }}."""  # noqa: E501

LEAD_QUALIFIER = """\
You write with somebody who is interested in {{ offer }} of {{ business }}.
Find out, one question a text, whether it fits:
What do they need, and by when?
Who decides, and is a budget set aside?
When can {{ sales_contact }} call them?

Promise no prices, discounts or dates: {{ sales_contact }} does that.
If they are not interested, thank them and write nothing more about it.
In the end, repeat what you noted and say who will call."""

SURVEY = """\
You ask {{ business }}'s customers about {{ topic }}, by text.
It takes two minutes and is voluntary: thank who does not want to, and stop.

Ask these questions one after the other, one a text, and wait for each answer:
{{ questions }}

Thank them for each answer without judging it. Never argue, never sell anything.
After the last answer thank them: the survey is over."""

AFTER_HOURS = """\
You answer the texts to {{ business }} while its team is away.
Opening hours: {{ opening_hours }}.
Emergencies: {{ emergency_contact }}.

If it sounds like an emergency, give the emergency contact at once.
Otherwise ask for the name and what it is about, and say that the team writes back when it is open.
Never promise a time."""  # noqa: E501

ASKS_FOR_PERSON = ["talk to a person", "speak to a person", "real person", "human"]
AWAY = "Thank you for your text. {{ business }} is closed now and writes back when it is open."  # noqa: E501
IN = "Thank you for your text. The team of {{ business }} is in and will answer you here."  # noqa: E501
EVENING = [["00:00", "09:00"], ["17:00", "24:00"]]
ALL_DAY = [["00:00", "24:00"]]
OUT_OF_OFFICE = {
    "days": {
        **dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), EVENING),
        **dict.fromkeys(("sat", "sun"), ALL_DAY),
    }
}
"""The zone is that of the workspace which makes the agent."""

EMPTY = Starter(
    "",
    _("Empty"),
    _("The usual settings; the instructions are yours."),
    "file",
    {"handoff_phrases": ASKS_FOR_PERSON},
)

MESSAGE_STARTERS = (
    Starter(
        "receptionist",
        _("Receptionist by text"),
        _("Answers questions about the business and takes notes for call-backs."),
        "message-square",
        {
            "instructions": RECEPTIONIST,
            "away_message": AWAY,
            "handoff_phrases": ASKS_FOR_PERSON,
        },
    ),
    Starter(
        "reminder",
        _("Appointment reminder replies"),
        _("Answers those who write back after a reminder: they come, or another day."),
        "calendar-clock",
        {
            "instructions": REMINDER_REPLIES,
            "temperature": 0.2,
            "max_tokens": 200,
            "handoff_phrases": ASKS_FOR_PERSON,
        },
    ),
    Starter(
        "lead",
        _("Lead qualifier"),
        _("Finds out what somebody needs, and who should call them."),
        "user-check",
        {
            "instructions": LEAD_QUALIFIER,
            "temperature": 0.5,
            "max_tokens": 200,
            "handoff_phrases": ASKS_FOR_PERSON,
        },
    ),
    Starter(
        "survey",
        _("Survey"),
        _("Asks a few questions, one a text, and thanks for each answer."),
        "clipboard-list",
        {
            "instructions": SURVEY,
            "temperature": 0.2,
            "max_tokens": 200,
            # An answer is often written in pieces.
            "reply_delay_s": 15,
            "handoff_phrases": ASKS_FOR_PERSON,
        },
    ),
    Starter(
        "after-hours",
        _("After hours"),
        _("Answers from 17:00 to 9:00 and at weekends, while your team is away."),
        "moon",
        {
            "instructions": AFTER_HOURS,
            "temperature": 0.2,
            "max_tokens": 200,
            "business_hours": OUT_OF_OFFICE,
            "away_message": IN,
            "handoff_phrases": ASKS_FOR_PERSON,
        },
    ),
    EMPTY,
)
