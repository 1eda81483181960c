"""What an agent that knows whom it talks to is told of them: bounded, and as data."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.timezone import localtime

from accounts.models import Workspace
from agents.known import NOTHING, Known
from telephony.models import Call, Contact, Conversation, Message
from telephony.services import contacts, timelines
from telephony.transcripts import other_party

CONTACT_NAME = "contact_name"  # the placeholder that is filled with the name

# So much of each is shown: as much as helps in a talk, and no call gets dear by it.
NOTES_CHARACTERS = 2_000
VARIABLES, VALUE_CHARACTERS = 20, 100
CALLS, SUMMARY_CHARACTERS = 5, 300
TEXTS, TEXT_CHARACTERS = 10, 200


def of_call(call: Call, *, with_records: bool = False) -> Known:
    """What the call's agent knows of the other party.

    Without the records, which only the model is shown, it takes one statement; none
    where the agent is to know nothing, and in test calls, whose caller is invented.
    """
    number = other_party(call)
    if call.is_test or not _may_know(call.agent, number):
        return NOTHING
    contact = contacts.find(call.owner_id, number)
    records: dict[str, Any] = {}
    if with_records:
        records = _records(call.owner, number, contact, besides=call.pk)
    return Known(_variables(contact), records)


def of_conversation(conversation: Conversation, agent: Any) -> Known:
    """What the message agent knows besides the texts of this conversation."""
    number = conversation.number
    if not _may_know(agent, number):
        return NOTHING
    owner = agent.owner
    contact = contacts.find(owner, number)
    records = _records(owner, number, contact, besides=conversation.pk)
    return Known(_variables(contact), records)


def _may_know(agent: Any, number: str) -> bool:
    return agent is not None and agent.knows_contact and timelines.is_number(number)


def _variables(contact: Contact | None) -> dict[str, str]:
    if contact is None:
        return {}
    named = {CONTACT_NAME: contact.name} if contact.name else {}
    return {**contact.variables, **named}


def _records(
    owner: Workspace, number: str, contact: Contact | None, *, besides: UUID
) -> dict[str, Any]:
    """What there is, but for the call or the conversation in which it is told."""
    zone = ZoneInfo(owner.timezone)
    calls = timelines.calls_with(owner, number).exclude(pk=besides)
    talked = calls.exclude(after_call__summary="").filter(after_call__isnull=False)
    texts = timelines.texts_with(owner, number).exclude(conversation=besides)
    texts = texts.filter(words_removed_at=None).exclude(status__in=Message.UNTOLD)
    found = {
        **_noted(contact),
        "earlier_calls": _calls(talked.order_by("-pk")[:CALLS], zone),
        "latest_texts": _texts(texts.order_by("-pk")[:TEXTS], zone),
    }
    return {name: value for name, value in found.items() if value}


def _noted(contact: Contact | None) -> dict[str, Any]:
    if contact is None:
        return {}
    variables = list(contact.variables.items())[:VARIABLES]
    return {
        "name": contact.name,
        "notes": contact.notes[:NOTES_CHARACTERS],
        "noted": {name: value[:VALUE_CHARACTERS] for name, value in variables},
    }


def _calls(calls: Iterable[Call], zone: ZoneInfo) -> list[dict[str, str]]:
    """Oldest first, as one reads."""
    told = [
        {
            "at": _wall(call.started_at, zone),
            "direction": call.direction,
            "summary": call.after_call.summary[:SUMMARY_CHARACTERS],
        }
        for call in calls
    ]
    return told[::-1]


def _texts(messages: Iterable[Message], zone: ZoneInfo) -> list[dict[str, str]]:
    told = [
        {
            "at": _wall(message.created_at, zone),
            "from": "them" if message.is_incoming else "us",
            "text": message.body[:TEXT_CHARACTERS],
        }
        for message in messages
    ]
    return told[::-1]


def _wall(at: datetime, zone: ZoneInfo) -> str:
    return localtime(at, zone).strftime("%Y-%m-%d %H:%M")
