"""Scheduled calls of an earlier system: the past as history, the future paused."""

from django.db.models import F, Max

from agents.models import VoiceAgent
from importing import values
from importing.making import (
    Made,
    Run,
    born_at,
    checked,
    id_at,
    refuse_strangers,
    set_if_can_be,
)
from importing.mapping import Document
from importing.models import Origin
from importing.values import Refused, source_id
from telephony.models import Call, Campaign, CampaignEvent, ScheduledCall

Status = ScheduledCall.Status
PASSED = "Its time had passed when it was imported."
IN_FLIGHT = "It was being dialled there: nobody here knows whether it rang."
DELETED = "It was deleted before the import."
AGENT_DELETED = "Its agent was deleted before the import."


def make_scheduled_call(document: Document, run: Run) -> Made:
    """An intent to call. What was meant for the past is never dialled here.

    What is to come is a contact of a paused campaign of its agent, so that a person
    lets it begin; with `dials` it is due by itself.
    """
    notes: list[str] = []
    told = document.need("agent_id", source_id)
    agent = run.ledger.need("agents", told, "agent_id")
    owner = agent.owner
    if document.get("user_id", source_id) and run.owner_of(document).pk != owner.pk:
        raise Refused("agent_id is of something in another workspace")
    meant_for = document.moment("scheduled_for")
    if meant_for is None:
        raise Refused("scheduled_for is missing")
    at = born_at(document, run)
    status, detail = _standing(document, agent, meant_for, run)
    row = checked(
        ScheduledCall,
        id=id_at(at),
        owner=owner,
        agent=agent,
        to_number=document.number("to_number"),
        scheduled_for=meant_for,
        due_at=meant_for,
        status=status,
        detail=detail[:200],
        created_at=at,
        **_terms(document, notes),
    )
    before = []
    if row.is_pending and run.dials:
        row.next_attempt_at = meant_for
    elif row.is_pending:
        row.campaign, before = _campaign(agent, run)
        run.lines[row.campaign.pk] += 1
        row.line = run.lines[row.campaign.pk]
    call = _call(document, run, notes)
    if call is not None:
        refuse_strangers(owner, call_id=call)
        row.attempts_made = max(row.attempts_made, 1)
    return Made(row, owner, before=before, notes=notes, joins=call)


def _standing(document, agent: VoiceAgent, meant_for, run: Run) -> tuple[str, str]:
    """What it is here, and why."""
    status = document.word("status", Status.values)
    if status is None:
        raise Refused("status is missing")
    detail = document.get("detail", values.text, "")
    if status in ScheduledCall.IN_FLIGHT:
        return Status.UNKNOWN, IN_FLIGHT
    if status != Status.PENDING:
        return status, detail
    if document.is_deleted:
        return Status.CANCELED, DELETED
    if meant_for <= run.at:
        return Status.EXPIRED, PASSED
    if agent.deleted_at is not None:
        return Status.CANCELED, AGENT_DELETED
    return status, detail


def _terms(document: Document, notes: list[str]) -> dict:
    """How to call, as far as it is told and can be."""
    given: dict = {"attempts_made": document.get("attempts", _count, 0)}
    for name in ("timezone", "variables", "max_attempts", "retry_delay_s"):
        set_if_can_be(given, ScheduledCall, name, document, notes)
    return given


def _count(value) -> int:
    """How many attempts: a number, or a list of them."""
    return len(value) if isinstance(value, list) else values.whole(value)


def _campaign(agent: VoiceAgent, run: Run):
    """The paused campaign of what this agent was to call, and it again in a list if it
    is new.
    """
    key = ("campaign", agent.pk)
    if key in run.shared:
        return run.shared[key], []
    mine = Origin.unscoped.filter(
        source=run.ledger.source,
        collection="campaigns",
        source_id__startswith=f"{agent.pk} ",
    )
    paused = Campaign.unscoped.filter(status=Campaign.Status.PAUSED, deleted_at=None)
    known = paused.filter(pk__in=mine.values("object_id")).first()
    if known is not None:
        rows = ScheduledCall.unscoped.filter(campaign=known)
        run.shared[key] = known
        run.lines[known.pk] = rows.aggregate(last=Max("line"))["last"] or 0
        return known, []
    made = Campaign(
        owner=agent.owner,
        agent=agent,
        name=f"Imported: {agent.name}"[:100],
        status=Campaign.Status.PAUSED,
        started_at=run.at,
    )
    told = f"{agent.pk} {made.pk}"
    origin = run.ledger.origin("campaigns", told, made, agent.owner)
    run.shared[key], run.lines[made.pk] = made, 0
    return made, [made, origin]


def _call(document: Document, run: Run, notes: list[str]) -> Call | None:
    """The call that came of it; in a dry run calls are not kept to be found."""
    told = document.get("call_id", source_id)
    if told is None or run.is_dry:
        return None
    call = run.ledger.find("calls", told)
    if call is None or call.scheduled_call_id:
        notes.append("its call is not here, or is another one's")
        return None
    return call


def finish_scheduled_calls(made: list[Made], run: Run) -> None:
    """Join calls with what they were made for, and count the campaigns' contacts."""
    for each in made:
        if each.joins is not None:
            calls = Call.unscoped.filter(pk=each.joins.pk, scheduled_call=None)
            calls.update(scheduled_call=each.row, attempt=each.row.attempts_made)
    contacts: dict = {}
    for each in made:
        if each.row.campaign is not None:
            contacts.setdefault(each.row.campaign, []).append(each.row)
    for campaign, rows in contacts.items():
        Campaign.unscoped.filter(pk=campaign.pk).update(
            rows=F("rows") + len(rows), rows_read=F("rows_read") + len(rows)
        )
        campaign.note(CampaignEvent.Kind.READ, taken=len(rows), refused=0)
