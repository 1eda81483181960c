"""What the other party of a call or of texts asks for: no more calls, or one later.

What is answered is read by the model, so it says what became of the wish and what to
tell the other party.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Workspace, validate_time_zone
from agents.models import VoiceAgent
from telephony.dialling import numbers
from telephony.models import Call, Conversation, DoNotContact, ScheduledCall
from telephony.services import do_not_contact, scheduled
from telephony.services.carrier import InvalidNumber
from telephony.transcripts import other_party

NO_NUMBER = "The other party's number is not known: say that this cannot be done now."
UNKNOWN_ZONE = "Their time zone is not known: ask for their city, then try again."
# The number of a test is nobody's: it neither belongs on a list nor answers.
ONLY_A_TEST = "This is a test: nothing is stored. Say what you would say in a call."
TIME_SHAPE = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Party:
    """Who wishes something, and of whom."""

    owner: Workspace
    number: str
    phone_id: UUID | None = None  # the number of ours
    agent_id: UUID | None = None  # the voice agent they talk with
    variables: Mapping[str, str] = field(default_factory=dict)
    is_test: bool = False


def party_of_call(call: Call) -> Party:
    return Party(
        call.owner,
        other_party(call),
        call.phone_id,
        call.agent_id,
        call.variables,
        is_test=call.is_test,
    )


def party_of_conversation(conversation: Conversation) -> Party:
    return Party(conversation.owner, conversation.number, conversation.phone_id)


def stop_contacting(party: Party, reason: str) -> str:
    """Put the other party on the do-not-contact list. Safe to repeat."""
    if party.is_test:
        return ONLY_A_TEST
    try:
        do_not_contact.add(
            owner=party.owner,
            number=party.number,
            source=DoNotContact.Source.CALLER,
            reason=reason,
        )
    except InvalidNumber:
        return NO_NUMBER
    except do_not_contact.OnTheList:
        return "The number was on the list already. Confirm that nobody will call."
    return "The number is on the do-not-contact list. Confirm that nobody will call."


def book_follow_up(party: Party, *, time: str, zone: str, at: datetime) -> str:
    """Schedule a call to the other party at a time on their clock.

    Repeating is safe: one call back waits for a number, and another time moves it.
    """
    if party.is_test:
        return ONLY_A_TEST
    number = party.number
    parsed = numbers.parse(number)
    if parsed is None:
        return NO_NUMBER
    agent = _who_calls(party)
    if agent is None:
        return "No agent here places calls: say that somebody will get back to them."
    try:
        wall = datetime.strptime(time, TIME_SHAPE)
    except ValueError:
        return "Write the time as 2026-03-05T15:30, on their own clock."
    zones = (ZoneInfo(zone),) if _is_zone(zone) else numbers.zones_of(parsed)
    moments = {wall.replace(tzinfo=found).astimezone(UTC) for found in zones}
    if len(moments) != 1:  # its zones do not agree, or nobody knows them
        return UNKNOWN_ZONE
    wish = {
        "scheduled_for": moments.pop(),
        "timezone": zone if _is_zone(zone) else "",
        "variables": dict(party.variables) if agent.pk == party.agent_id else {},
    }
    try:
        row = _book(agent, number, wish, at)
    except scheduled.Refused as refusal:
        return f"It cannot be booked: {refusal} Say so, and offer another time."
    if row.detail:
        return f"It is booked, but moved into the hours for calls: {row.detail}"
    return f"A call is booked for {wall:%A, %d %B, %H:%M} on their clock. Confirm it."


def _book(agent: VoiceAgent, number: str, wish: dict, at: datetime) -> ScheduledCall:
    """Move the call back that was booked before, or book one. Raises what those do."""
    with transaction.atomic():
        # Two bookings at once wait for each other.
        VoiceAgent.unscoped.select_for_update(no_key=True).get(pk=agent.pk)
        booked = ScheduledCall.unscoped.filter(
            agent=agent,
            to_number=number,
            created_by=None,  # no person has scheduled it
            status=ScheduledCall.Status.PENDING,
        ).first()
        if booked is not None:
            return scheduled.change(booked, wish, at=at)
        row = ScheduledCall(owner=agent.owner, agent=agent, to_number=number, **wish)
        return scheduled.schedule(row, by=None, at=at)


def _who_calls(party: Party) -> VoiceAgent | None:
    """Their own agent if it places calls, else the one of that number that does."""
    placing = VoiceAgent.unscoped.placing().filter(owner=party.owner)
    related = placing.select_related("owner", "phone__carrier_account", "prompt")
    own = related.filter(pk=party.agent_id).first()
    return own or related.filter(phone=party.phone_id, phone__isnull=False).first()


def _is_zone(name: str) -> bool:
    try:
        validate_time_zone(name)
    except ValidationError:
        return False
    return True
