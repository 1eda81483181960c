"""Campaigns in each state, and the one that fails loudly.

The carrier account of the demo may not call British numbers: every call of the London
recall was refused, so the campaign has paused itself, an alert fires, and the dashboard
counts what failed. Each of them leads to a call, which says what to do.
"""

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from agents.models import VoiceAgent
from agents.outcomes import Outcome
from telephony.models import (
    Call,
    Campaign,
    CampaignEvent,
    RefusedRow,
    ScheduledCall,
)
from telephony.samples import id_of
from telephony.services import campaigns as verbs
from telephony.tables import table_of
from telephony.twilio import Rejected
from voiceops.demo import past
from voiceops.demo.practices import AMERICA, LONDON
from voiceops.demo.stage import Stage, store

Status, Kind, Contact = Campaign.Status, CampaignEvent.Kind, ScheduledCall.Status
Reason = Call.EndReason

RECALL = "London: a check-up is due"
REFUSED_CALLS = 14
# The carrier's own words (https://www.twilio.com/docs/api/errors/21215).
NOT_PERMITTED = Rejected(
    21215,
    "Account not authorized to call +4420…. Perhaps you need to enable some "
    "international permissions",
)
NAMES = (
    *("Ava Brooks", "Liam Ortiz", "Mia Coleman", "Noah Jenkins", "Zoe Patterson"),
    *("Eli Foster", "Ruth Bailey", "Omar Haddad", "Nina Petrova", "Jack Doyle"),
    *("Leah Simmons", "Hugo Marsh", "Ella Whitfield", "Samir Rao", "Grace Lloyd"),
    *("Felix Barker", "Amy Winters", "Theo Lambert", "Rosa Keller", "Max Nolan"),
)
REMINDED = (
    "Hello, this is the automated assistant of Brightside Dental.",
    "Oh, hello.",
    "I call about your appointment on Thursday at nine. Will you come?",
    "Yes, I will be there.",
    "Wonderful. Goodbye!",
)
MOVED = (
    *REMINDED[:3],
    "I am afraid that I can't. Would Monday be possible?",
    "I take a note: Monday instead. The team will call you back. Goodbye!",
)
# How the calls of a reminder end, in turn.
ENDS = (
    (Contact.COMPLETED, Reason.AGENT_ENDED, REMINDED, Outcome.RESOLVED),
    (Contact.COMPLETED, Reason.AGENT_ENDED, MOVED, Outcome.FOLLOW_UP_NEEDED),
    (Contact.NO_ANSWER, Reason.NO_ANSWER, (), Outcome.NOT_REACHED),
    (Contact.COMPLETED, Reason.AGENT_ENDED, REMINDED, Outcome.RESOLVED),
    (Contact.BUSY, Reason.BUSY, (), Outcome.NOT_REACHED),
)


def make(stage: Stage) -> None:
    reminders = stage.agents["Appointment reminders"]
    began_at = stage.on(AMERICA, -6, "09:30")
    done = _campaign(stage, reminders, "Reminders for this week", began_at, contacts=20)
    _call_them(done, reminders, began_at, called=20)
    _log(stage, done, began_at, refused=2)
    store(
        RefusedRow(owner=stage.owner, campaign=done, line=line, kind=kind, **told)
        for line, kind, told in (
            (21, "number", {"text": "415 555", "reason": "This is no number."}),
            (22, "duplicate", {"text": "+14155550180", "reason": "Twice in the list."}),
        )
    )
    _end(done, Status.COMPLETED, began_at + timedelta(hours=3))
    _canceled(stage, reminders)
    _paused(stage, reminders)
    _running(stage, reminders)
    _ready(stage, reminders)
    _failed(stage)


def _canceled(stage: Stage, agent: VoiceAgent) -> None:
    began_at = stage.on(AMERICA, -9, "11:00")
    campaign = _campaign(stage, agent, "Closed on Monday", began_at, contacts=20)
    _call_them(campaign, agent, began_at, called=4)
    _log(stage, campaign, began_at)
    _waiting(campaign).update(
        status=Contact.CANCELED, detail=_("The campaign was canceled.")
    )
    at = began_at + timedelta(minutes=25)
    campaign.note(Kind.CANCELED, by=stage.people["Maya"], at=at)
    campaign.turn(Status.CANCELED, ended_at=at)


def _running(stage: Stage, agent: VoiceAgent) -> None:
    """It goes on tomorrow: the rest is called then, at the pocket carrier."""
    began_at = stage.latest(AMERICA, "10:00")
    campaign = _campaign(stage, agent, "Six-month check-ups", began_at, contacts=20)
    _call_them(campaign, agent, began_at, called=9)
    _log(stage, campaign, began_at)
    tomorrow = stage.on(AMERICA, 1, "10:00")
    _waiting(campaign).update(scheduled_for=tomorrow, due_at=tomorrow)


def _ready(stage: Stage, agent: VoiceAgent) -> None:
    """A list that was read, with rows that nobody is called for."""
    rows = [f"+150355501{30 + n},{name},Friday" for n, name in enumerate(NAMES[:12])]
    text = "\n".join(["Phone,Patient name,Appointment time", *rows, rows[3], "503,?,?"])
    campaign = verbs.create(
        Campaign(owner=stage.owner, agent=agent, name="Friday is moved"),
        file_name="friday.csv",
        table=table_of(text),
        by=stage.people["Maya"],
    )
    verbs.map_columns(campaign, campaign.mapping)


def _waiting(campaign: Campaign) -> QuerySet[ScheduledCall]:
    rows = ScheduledCall.unscoped.filter(campaign=campaign)
    return rows.filter(status=Contact.PENDING)


def _paused(stage: Stage, agent: VoiceAgent) -> None:
    """Somebody has paused it: nobody else is called until it is resumed."""
    began_at = stage.on(AMERICA, -1, "10:00")
    campaign = _campaign(stage, agent, "Whitening until July", began_at, contacts=20)
    _call_them(campaign, agent, began_at, called=8)
    _log(stage, campaign, began_at)
    at = began_at + timedelta(minutes=50)
    campaign.note(Kind.PAUSED, by=stage.people["Maya"], at=at)
    campaign.turn(Status.PAUSED)


def _failed(stage: Stage) -> None:
    agent = stage.agents["London recalls"]
    began_at = stage.latest(LONDON, "10:02")
    campaign = _campaign(stage, agent, RECALL, began_at, contacts=20)
    rows = []
    for line, row in enumerate(_contacts(campaign, began_at, area="+4420794602"), 1):
        if line <= REFUSED_CALLS:
            at = began_at + timedelta(seconds=6 * line)
            row.status, row.attempts_made = Contact.FAILED, 1
            row.detail = str(Reason.REJECTED.label)
            rows += _attempt(
                row,
                agent,
                at,
                lines=(),
                status=Call.Status.FAILED,
                reason=Reason.REJECTED,
                outcome=Outcome.NOT_REACHED,
                end_detail=str(NOT_PERMITTED)[:200],
                placement=Call.Placement.NOT_PLACED,
                sid=None,
            )
        rows.append(row)
    store(sorted(rows, key=_contacts_first))
    _log(stage, campaign, began_at, by="Oliver")
    why = _(
        "%(failed)d of the %(ended)d calls that ended within two minutes have failed. "
        "Look at some of them before you resume."
    ) % {"failed": REFUSED_CALLS, "ended": REFUSED_CALLS}
    campaign.note(Kind.STOPPED, at=began_at + timedelta(minutes=2), why=why)
    campaign.turn(Status.PAUSED, pause_reason=why)


def _campaign(
    stage: Stage, agent: VoiceAgent, name: str, at: datetime, *, contacts: int
) -> Campaign:
    return Campaign.unscoped.create(
        id=id_of(at),
        owner=stage.owner,
        agent=agent,
        name=name,
        status=Status.RUNNING,
        created_by=stage.by,
        created_at=at,
        started_at=at,
        running_since=at,
        columns=["Phone", "Patient name"],
        mapping={"to": 0, "variables": {"patient_name": 1}},
        rows=contacts,
        rows_read=contacts,
    )


def _log(stage, campaign: Campaign, at: datetime, *, by="Maya", refused=0) -> None:
    who = stage.people[by]
    rows = campaign.rows + refused
    if refused:
        campaign.turn(campaign.status, rows=rows, rows_read=rows, rows_refused=refused)
    before = at - timedelta(minutes=10)
    taken = campaign.contacts
    campaign.note(Kind.UPLOADED, by=who, at=before, file="patients.csv", rows=rows)
    campaign.note(Kind.READ, at=before, taken=taken, refused=refused)
    campaign.note(Kind.STARTED, by=who, at=at, contacts=taken)


def _end(campaign: Campaign, status: str, at: datetime) -> None:
    campaign.note(Kind.COMPLETED, at=at)
    campaign.turn(status, ended_at=at)


def _contacts(campaign: Campaign, at: datetime, *, area: str) -> list[ScheduledCall]:
    return [
        ScheduledCall(
            id=id_of(at),
            owner=campaign.owner,
            campaign=campaign,
            line=line,
            agent=campaign.agent,
            to_number=f"{area}{30 + line}",
            variables={"patient_name": name},
            scheduled_for=at,
            due_at=at,
            created_by=campaign.created_by,
            created_at=at,
        )
        for line, name in enumerate(NAMES, 1)
    ]


def _call_them(
    campaign: Campaign, agent: VoiceAgent, at: datetime, *, called: int
) -> None:
    rows = []
    area = f"+1{415 if called == len(NAMES) else 503}55501"
    for line, row in enumerate(_contacts(campaign, at, area=area), 1):
        if line <= called:
            status, reason, lines, outcome = ENDS[line % len(ENDS)]
            row.status, row.attempts_made = status, 1
            row.detail = str(reason.label)
            rows += _attempt(
                row,
                agent,
                at + timedelta(minutes=5 * line),
                lines=lines,
                status=status,
                reason=reason,
                outcome=outcome,
                placement=Call.Placement.PLACED,
            )
        rows.append(row)
    store(sorted(rows, key=_contacts_first))


def _attempt(row: ScheduledCall, agent: VoiceAgent, at: datetime, **how):
    return past.call(
        agent,
        row.to_number,
        at,
        name=f"{row.campaign_id.hex[-6:]}-{row.line}",
        direction=Call.Direction.OUTGOING,
        scheduled_call=row,
        attempt=1,
        variables=row.variables,
        placed_by=row.created_by,
        asked_at=at,
        **how,
    )


def _contacts_first(row) -> bool:
    """Calls point at what they were made for."""
    return not isinstance(row, ScheduledCall)
