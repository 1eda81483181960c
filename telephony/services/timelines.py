"""All calls and texts of a workspace with one number, newest first."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db.models import QuerySet
from django.utils.timezone import localdate

from accounts.models import Workspace
from telephony.models import Call, Conversation, Message, ScheduledCall
from telephony.models.texts import WHATSAPP

CALLS, TEXTS = "calls", "texts"
E164 = re.compile(r"\+[1-9][0-9]{1,18}")
MOST_TO_COME = 10


@dataclass(frozen=True)
class Entry:
    """One call, or texts of one conversation and day that nothing came between."""

    at: datetime
    call: Call | None = None
    texts: list[Message] = field(default_factory=list)  # oldest first

    @property
    def conversation(self) -> Conversation:
        return self.texts[0].conversation


@dataclass(frozen=True)
class Timeline:
    """`older` is the `before` of what comes earlier; None: that was all."""

    entries: list[Entry]
    older: UUID | None = None


def is_number(text: str) -> bool:
    """Whether there can be calls and texts with it: the rest are names and short
    codes."""
    return E164.fullmatch(text) is not None


def of_number(
    owner: Workspace,
    number: str,
    *,
    size: int,
    before: UUID | None = None,
    only: str = "",
) -> Timeline:
    """Up to `size` calls and texts, those before `before`; `only` CALLS or TEXTS.

    Ids are in the order of time, so one key is a place in both tables.
    """
    found: list[Call | Message] = []
    if only != TEXTS:
        found += _newest(calls_with(owner, number), before, size)
    if only != CALLS:
        found += _newest(texts_with(owner, number), before, size)
    found.sort(key=lambda row: row.pk, reverse=True)
    shown = found[:size]
    older = shown[-1].pk if len(found) > size else None
    return Timeline(list(_entries(shown)), older)


def calls_with(owner: Workspace, number: str) -> QuerySet[Call]:
    calls = Call.objects.for_owner(owner).of_other_party(number)
    return calls.filter(is_test=False).select_related("agent", "after_call")


def texts_with(owner: Workspace, number: str) -> QuerySet[Message]:
    """By way of the conversations, which an index finds: there are few."""
    ids = [conversation.pk for conversation in conversations_with(owner, number)]
    messages = Message.objects.for_owner(owner).filter(conversation__in=ids)
    return messages.select_related("conversation__phone", "agent", "user")


def conversations_with(owner: Workspace, number: str) -> QuerySet[Conversation]:
    """By text and by WhatsApp, with any number of ours: the latest first."""
    theirs = Conversation.objects.for_owner(owner).filter(
        address__in=[number, WHATSAPP + number]
    )
    return theirs.order_by("-last_message_at")


def calls_to_come(owner: Workspace, number: str) -> QuerySet[ScheduledCall]:
    """What is scheduled, the next one first."""
    rows = ScheduledCall.objects.for_owner(owner).to_come().filter(to_number=number)
    rows = rows.select_related("agent", "campaign")
    return rows.order_by("scheduled_for", "pk")[:MOST_TO_COME]


def _newest(rows: QuerySet, before: UUID | None, size: int) -> list:
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[: size + 1])


def _entries(rows: Iterable[Call | Message]) -> Iterator[Entry]:
    for key, together in groupby(rows, _belongs_to):
        same = list(together)
        if key is None:
            yield from (Entry(call.started_at, call=call) for call in same)
        else:
            yield Entry(same[0].created_at, texts=same[::-1])


def _belongs_to(row: Call | Message):
    """What one entry of texts has in common; None for a call."""
    if isinstance(row, Call):
        return None
    return row.conversation_id, localdate(row.created_at)
