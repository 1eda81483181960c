"""What people see of conversations: which ones, how many, and what was written.

Nothing here costs more in a big workspace than in a small one: lists are found by
index, counted up to a bound, and searched through a bounded number of rows.
"""

from collections.abc import Callable

from django.db.models import IntegerField, QuerySet, Subquery, Value

from accounts.models import Workspace
from telephony.models import Contact, Conversation, Message
from telephony.models.texts import WHATSAPP
from telephony.services import contacts
from voiceops.paging import Page, Search, newest_first

MOST_COUNTED = 1_000
MOST_SHOWN_IN_NAV = 99
SEARCHED = 10_000  # texts, and conversations, that one search looks through
MATCHING_TEXTS = 500
MATCHES = 50
FEWEST_DIGITS = 3
TEXTS_A_PAGE = 100

TABS: dict[str, Callable[[QuerySet], QuerySet]] = {
    "needs-human": lambda rows: rows.needing_person(),
    "open": lambda rows: rows.open(),
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
    return rows.select_related("last_message", "phone")


def note_contacts(owner: Workspace, rows: list[Conversation]) -> None:
    """Set `contact` of each: what is known of the other party, or None."""
    known = contacts.find_all(owner, {row.number for row in rows})
    for row in rows:
        row.contact = known.get(row.number)


# -- One conversation ------------------------------------------------------------------


def texts_of(conversation: Conversation, **position) -> Page:
    """A page of what was written; `rows` are in the order of reading."""
    texts = Message.objects.for_owner(conversation.owner_id).filter(
        conversation=conversation
    )
    related = texts.select_related("user", "agent", "repeated")
    page = newest_first(related, size=TEXTS_A_PAGE, **position)
    page.rows.reverse()
    return page
