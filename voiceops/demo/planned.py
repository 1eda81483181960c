"""What is to come, and who is not to be called: contacts, calls at a time, the list."""

from datetime import time, timedelta

from telephony.models import Contact, DoNotContact, RecurringCall, ScheduledCall
from telephony.samples import id_of
from telephony.services import contacts, do_not_contact, recurring, scheduled
from voiceops.demo.practices import AMERICA, LONDON, SYDNEY
from voiceops.demo.stage import Stage, store

Status, Source = ScheduledCall.Status, DoNotContact.Source

PEOPLE = (
    {
        "number": "+442079460118",
        "name": "Gwen Evans",
        "notes": "Mother of Poppy (6). Mornings are best.",
        "timezone": LONDON,
        "call_consent": "given",
        "call_consent_note": "Said so at the desk",
    },
    {
        "number": "+442079460231",
        "name": "Ava Brooks",
        "variables": {"last_visit": "May"},
        "timezone": LONDON,
    },
    {
        "number": "+61270100118",
        "name": "Tom Baker",
        "email": "tom.baker@mail.example",
        "timezone": SYDNEY,
        "variables": {"dentist": "Dr Lin"},
    },
    {
        "number": "+61270100131",
        "name": "Isla Moore",
        "timezone": SYDNEY,
        "text_consent": "given",
        "text_consent_note": "Ticked the box on the form for new patients",
    },
    {
        "number": "+15035550190",
        "name": "Wes Dalton",
        "notes": "Does not want to be called by machines.",
        "call_consent": "refused",
        "call_consent_note": "Told us in a call",
    },
)
LISTED = (
    ("+14155550191", Source.CALLER, "Asked the agent not to be called again"),
    ("+442079460199", Source.PERSON, "Wrote a letter of complaint"),
    ("+61270100199", Source.CSV, "From the list of the practice before"),
)
TO_COME = (
    ("Appointment reminders", "+15035550131", AMERICA, 1, "10:30", "Leah Simmons"),
    ("Appointment reminders", "+15035550132", AMERICA, 2, "15:00", "Omar Haddad"),
    ("Sydney reception", "+61270100118", SYDNEY, 2, "09:30", "Tom Baker"),
)
# Of the days before: how it ended, and why.
PAST = (
    (Status.COMPLETED, "The agent ended the call", 1),
    (Status.NO_ANSWER, "Nobody answered", 3),
    (Status.BLOCKED, "The number was put on the do-not-contact list.", 0),
    (Status.EXPIRED, "Its window had passed.", 0),
    (Status.CANCELED, "Canceled by Maya", 0),
)


def make(stage: Stage) -> None:
    for told in PEOPLE:
        contacts.save(Contact(owner=stage.owner, **told), at=stage.at)
    for number, source, reason in LISTED:
        do_not_contact.add(
            owner=stage.owner,
            number=number,
            source=source,
            reason=reason,
            by=stage.people["Oliver"] if source != Source.CALLER else None,
        )
    for agent, number, zone, days, clock, name in TO_COME:
        wanted = ScheduledCall(
            owner=stage.owner,
            agent=stage.agents[agent],
            to_number=number,
            timezone=zone,
            scheduled_for=stage.on(zone, days, clock),
            variables={"patient_name": name, "appointment_time": "next week"},
        )
        scheduled.schedule(wanted, by=stage.people["Maya"], at=stage.at)
    _over(stage)
    _recurring(stage)


def _over(stage: Stage) -> None:
    agent = stage.agents["Appointment reminders"]
    rows = []
    for days, (status, detail, attempts) in enumerate(PAST, 2):
        at = stage.on(AMERICA, -days, "14:00")
        rows.append(
            ScheduledCall(
                id=id_of(at - timedelta(days=1)),
                owner=stage.owner,
                agent=agent,
                to_number=f"+1503555019{days}",
                scheduled_for=at,
                due_at=at,
                status=status,
                detail=detail,
                attempts_made=attempts,
                created_by=stage.people["Maya"],
                created_at=at - timedelta(days=1),
            )
        )
    store(rows)


def _recurring(stage: Stage) -> None:
    """One that goes on in each of two zones, and one that is paused."""
    common = {"owner": stage.owner, "starts_on": stage.at.date()}
    weekly = RecurringCall(
        **common,
        agent=stage.agents["Appointment reminders"],
        to_number="+15035550133",
        frequency="weekly",
        days=["mon", "thu"],
        time=time(11),
        timezone=AMERICA,
        variables={"patient_name": "Nina Petrova", "appointment_time": "next week"},
    )
    monthly = RecurringCall(
        **common,
        agent=stage.agents["Sydney reception"],
        to_number="+61270100131",
        frequency="monthly",
        days=["tue"],
        nth=1,
        time=time(9, 30),
        timezone=SYDNEY,
    )
    daily = RecurringCall(
        **common,
        agent=stage.agents["Appointment reminders"],
        to_number="+15035550134",
        time=time(17),
        timezone=AMERICA,
        variables={"patient_name": "Jack Doyle", "appointment_time": "tomorrow"},
    )
    for row in (weekly, monthly, daily):
        recurring.create(row, by=stage.people["Maya"], at=stage.at)
    recurring.pause(daily, at=stage.at)
