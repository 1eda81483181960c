"""What people see of conversations: which ones, how many, and what was written.

Nothing here costs more in a big workspace than in a small one: lists are found by
index, counted up to a bound, and searched through a bounded number of rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import (
    Exists,
    IntegerField,
    OuterRef,
    Prefetch,
    QuerySet,
    Subquery,
    Value,
)

from accounts.models import Workspace
from telephony.models import (
    Contact,
    Conversation,
    ConversationLabel,
    Label,
    Message,
    Note,
    TextToolUse,
)
from telephony.models.texts import WHATSAPP
from telephony.services import contacts
from voiceops.ids import made_at
from voiceops.paging import Search, newest_first

MOST_COUNTED = 1_000
MOST_SHOWN_IN_NAV = 99
SEARCHED = 10_000  # texts, and conversations, that one search looks through
MATCHING_TEXTS = 500
MATCHES = 50
FEWEST_DIGITS = 3
TEXTS_A_PAGE = 100
MAY_BE_REPEATED = Message.REPEATABLE | {Message.Status.UNKNOWN}

TABS: dict[str, Callable[[QuerySet], QuerySet]] = {
    "needs-human": lambda rows: rows.needing_person(),
    "open": lambda rows: rows.open(),
    "snoozed": lambda rows: rows.snoozed(),
    "closed": lambda rows: rows.closed(),
}


def conversations_of(owner: Workspace) -> QuerySet:
    return Conversation.objects.for_owner(owner)


# -- Counting --------------------------------------------------------------------------


class _Count(Subquery):
    """How many rows a query has, which may end at a limit."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def counts(owner: Workspace) -> dict[str, int]:
    """How many each tab has, up to one more than `MOST_COUNTED`: one statement."""
    rows = conversations_of(owner)
    queries = {name: of_tab(rows) for name, of_tab in TABS.items()}
    found = _counted(owner, list(queries.values()), MOST_COUNTED)
    return dict(zip(queries, found, strict=True))


def waiting_count(owner: Workspace) -> int:
    """How many have texts that a person should read, up to one more than shown."""
    waiting = conversations_of(owner).needing_person().unread()
    return _counted(owner, [waiting], MOST_SHOWN_IN_NAV)[0]


def _counted(owner: Workspace, queries: list[QuerySet], most: int) -> tuple[int, ...]:
    counted = [
        _Count(query.order_by().annotate(one=Value(1)).values("one")[: most + 1])
        for query in queries
    ]
    return Workspace.objects.filter(pk=owner.pk).values_list(*counted).get()


# -- Searching -------------------------------------------------------------------------


def search(owner: Workspace, text: str) -> list[Conversation]:
    """The conversations with a number, a name or words, the latest first, wherever
    they are: of the newest conversations, contacts and texts.
    """
    wanted = _with_words(owner, text) | _with_number(owner, text)
    wanted |= _with_name(owner, text)
    rows = conversations_of(owner).filter(pk__in=wanted)
    return list(with_last_texts(rows).order_by("-last_message_at", "-pk")[:MATCHES])


def _with_words(owner: Workspace, text: str) -> set:
    return _found(
        Message.objects.for_owner(owner),
        lambda rows: rows.filter(body__icontains=text),
        "conversation_id",
    )


def _with_number(owner: Workspace, text: str) -> set:
    digits = "".join(filter(str.isdecimal, text))
    if len(digits) < FEWEST_DIGITS or any(map(str.isalpha, text)):
        return set()
    rows = conversations_of(owner)
    found = _found(rows, lambda rows: rows.with_number(digits), "pk")
    return found | _with_whole_numbers(owner, {f"+{digits}"})


def _with_name(owner: Workspace, text: str) -> set:
    numbers = _found(
        Contact.objects.for_owner(owner),
        lambda rows: rows.filter(name__icontains=text),
        "number",
    )
    return _with_whole_numbers(owner, numbers)


def _with_whole_numbers(owner: Workspace, numbers: set[str]) -> set:
    ways = [f"{way}{number}" for number in numbers for way in ("", WHATSAPP)]
    rows = conversations_of(owner).filter(address__in=ways)
    return {*rows.values_list("pk", flat=True)}


def _found(rows: QuerySet, narrow: Callable[[QuerySet], QuerySet], column: str) -> set:
    newest = rows.order_by("-pk")
    search = Search(narrow, SEARCHED)
    matching = search.look_through(newest, search.stop(newest))
    return {*matching.values_list(column, flat=True)[:MATCHING_TEXTS]}


def with_last_texts(rows: QuerySet) -> QuerySet:
    related = rows.select_related("last_message", "phone", "assigned_to")
    return related.prefetch_related(_labels())


def _labels() -> Prefetch:
    """Those of each conversation that are not deleted, as `shown_labels`."""
    standing = ConversationLabel.unscoped.filter(label__deleted_at=None)
    ordered = standing.select_related("label").order_by("label__name")
    return Prefetch("labelled", ordered, to_attr="shown_labels")


def with_label(rows: QuerySet, label: Label) -> QuerySet:
    """Those that have it, of rows whose number is bounded."""
    has = ConversationLabel.unscoped.filter(conversation=OuterRef("pk"), label=label)
    return rows.filter(Exists(has))


def newest(rows: QuerySet) -> QuerySet:
    """As many of the latest as one search looks through."""
    latest = rows.order_by("-last_message_at", "-pk").values_list("last_message_at")
    beyond = list(latest[SEARCHED - 1 : SEARCHED])
    return rows.filter(last_message_at__gte=beyond[0][0]) if beyond else rows


def note_contacts(owner: Workspace, rows: list[Conversation]) -> None:
    """Set `contact` of each: what is known of the other party, or None."""
    known = contacts.find_all(owner, {row.number for row in rows})
    for row in rows:
        row.contact = known.get(row.number)


# -- One conversation ------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One thing in a conversation: a text, a note, or what an agent's tool did."""

    at: datetime
    text: Message | None = None
    note: Note | None = None
    use: TextToolUse | None = None


@dataclass(frozen=True)
class Thread:
    """A page of a conversation, in the order of reading.

    `earlier` and `later` are the texts before and after which others are.
    """

    entries: list[Entry]
    to_come: list[Message]  # written for later
    earlier: UUID | None = None
    later: UUID | None = None


def thread_of(
    conversation: Conversation, *, before: UUID | None = None, after: UUID | None = None
) -> Thread:
    """The latest page, or that before or after a text."""
    texts = _of(Message, conversation).select_related("user", "agent")
    page = newest_first(
        texts.filter(send_at=None), size=TEXTS_A_PAGE, before=before, after=after
    )
    rows = page.rows[::-1]
    entries = [Entry(row.created_at, text=row) for row in rows]
    # Ids are moments: what else happened between the first and the last of the page.
    since = rows[0].pk if rows and page.older else None
    until = rows[-1].pk if rows and page.newer else None
    notes = _between(_of(Note, conversation).select_related("user"), since, until)
    entries += [Entry(note.created_at, note=note) for note in notes]
    uses = _between(_of(TextToolUse, conversation), since, until)
    entries += [Entry(use.created_at, use=use) for use in uses]
    planned = list(texts.filter(send_at__isnull=False).order_by("-send_at")[:MATCHES])
    first = made_at(since) if since else None
    last = made_at(until) if until else None
    entries += [
        Entry(row.send_at, text=row)
        for row in planned
        if not row.is_for_later
        and (first is None or row.send_at >= first)
        and (last is None or row.send_at <= last)
    ]
    _note_repeated(conversation, [entry.text for entry in entries if entry.text])
    return Thread(
        sorted(entries, key=lambda entry: entry.at),
        sorted(filter(lambda row: row.is_for_later, planned), key=_send_at),
        earlier=page.older,
        later=page.newer,
    )


def _note_repeated(conversation: Conversation, texts: list[Message]) -> None:
    """Set `is_repeated` of each: whether it was sent once more."""
    wanted = [text.pk for text in texts if text.status in MAY_BE_REPEATED]
    repeated = _of(Message, conversation).filter(repeats__in=wanted)
    found = {*repeated.values_list("repeats_id", flat=True)} if wanted else set()
    for text in texts:
        text.is_repeated = text.pk in found


def _send_at(text: Message) -> datetime:
    return text.send_at


def _of(model, conversation: Conversation) -> QuerySet:
    rows = model.objects.for_owner(conversation.owner_id)
    return rows.filter(conversation=conversation)


def _between(rows: QuerySet, since: UUID | None, until: UUID | None) -> QuerySet:
    if since is not None:
        rows = rows.filter(pk__gt=since)
    if until is not None:
        rows = rows.filter(pk__lt=until)
    return rows.order_by("-pk")[:TEXTS_A_PAGE]
