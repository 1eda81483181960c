"""All calls and texts of a workspace with one number, and notes; newest first."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db.models import QuerySet
from django.utils.timezone import localdate

from accounts.models import Workspace
from telephony.models import Call, Conversation, Message, Note, ScheduledCall
from telephony.models.texts import WHATSAPP

Row = Call | Message | Note
CALLS, TEXTS = "calls", "texts"
E164 = re.compile(r"\+[1-9][0-9]{1,18}")
MOST_TO_COME = 10


@dataclass(frozen=True)
class Entry:
    """One call, one note of the team, or texts of one conversation and day that nothing
    came between."""

    at: datetime
    call: Call | None = None
    note: Note | None = None
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
    """Up to `size` of all there is, or of `only` CALLS or TEXTS, before `before`.

    Ids are in the order of time, so one key is a place in all these tables.
    """
    found: list[Row] = []
    if only != TEXTS:
        found += _newest(calls_with(owner, number), before, size)
    if only != CALLS:
        ids = _conversations_with(owner, number)
        found += _newest(_texts_in(owner, ids), before, size)
        notes = Note.objects.for_owner(owner).filter(conversation__in=ids)
        if not only:
            found += _newest(notes.select_related("user"), before, size)
    found.sort(key=lambda row: row.pk, reverse=True)
    shown = found[:size]
    older = shown[-1].pk if len(found) > size else None
    return Timeline(list(_entries(shown)), older)


def calls_with(owner: Workspace, number: str) -> QuerySet[Call]:
    calls = Call.objects.for_owner(owner).of_other_party(number)
    return calls.filter(is_test=False).select_related("agent", "after_call")


def texts_with(owner: Workspace, number: str) -> QuerySet[Message]:
    """By way of the conversations, which an index finds: there are few."""
    return _texts_in(owner, _conversations_with(owner, number))


def _texts_in(owner: Workspace, ids: list[UUID]) -> QuerySet[Message]:
    messages = Message.objects.for_owner(owner).filter(conversation__in=ids)
    return messages.select_related("conversation__phone", "agent", "user")


def _conversations_with(owner: Workspace, number: str) -> list[UUID]:
    """By SMS and by WhatsApp, with any number of ours."""
    theirs = Conversation.objects.for_owner(owner).filter(
        address__in=[number, WHATSAPP + number]
    )
    return list(theirs.values_list("pk", flat=True))


def calls_to_come(owner: Workspace, number: str) -> QuerySet[ScheduledCall]:
    """What is scheduled, the next one first."""
    rows = ScheduledCall.objects.for_owner(owner).to_come().filter(to_number=number)
    rows = rows.select_related("agent", "campaign")
    return rows.order_by("scheduled_for", "pk")[:MOST_TO_COME]


def _newest(rows: QuerySet, before: UUID | None, size: int) -> list:
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[: size + 1])


def _entries(rows: Iterable[Row]) -> Iterator[Entry]:
    for _key, together in groupby(rows, _belongs_to):
        match list(together):
            case [Call() as call]:
                yield Entry(call.started_at, call=call)
            case [Note() as note]:
                yield Entry(note.created_at, note=note)
            case several:
                texts = [row for row in several if isinstance(row, Message)]
                yield Entry(texts[0].created_at, texts=texts[::-1])


def _belongs_to(row: Row):
    """What one entry of texts has in common; all others are alone."""
    if isinstance(row, Message):
        return row.conversation_id, localdate(row.created_at)
    return row.pk
