"""The time of the inbox's pages with a thousand conversations and with a hundred
thousand: it must not depend on how many there are.

Each page is asked for through all of Django in this process, and what
the database takes is measured apart. All times are of CPU.
"""

import logging
import os
import time
from datetime import timedelta
from uuid import UUID

from scripts.bench.asking import Measured, answer_alone, best_of

SMALL = 1_000
BIG = int(os.environ.get("BENCH_CONVERSATIONS", "100000"))
# Who looks and in which workspace, what is known of the other party, labels and counts.
BUDGET_STATEMENTS = 8
BUDGET_STATEMENTS_OF_ONE = 13  # with its texts, notes, tools, agent and contact
BUDGET_QUERY_MS = 5
BUDGET_SEARCH_MS = 100  # one page of what no index finds, in a bounded number of rows
BUDGET_GROWTH = 1.5
SLACK_MS = 3  # the counts end at a thousand, which a small workspace does not reach
RARE = 1_000
BATCH = 5_000


def run(name: str) -> bool:
    """Print the table of the database `name`; whether all is within its budget."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import override_settings

    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    answer_alone()
    started = time.perf_counter()
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        small, big = _measure(SMALL), _measure(BIG)
    took_s = time.perf_counter() - started
    print(
        f"The inbox on {name}: {SMALL:,} conversations of {SMALL:,}, then {BIG:,} of"
        f" {SMALL + BIG:,}; ms of CPU (took {took_s:.0f} s)"
    )
    return _report(small, big)


def _measure(count: int) -> dict[str, Measured]:
    """Fill in a new workspace, and look at each of its pages."""
    from scripts.bench.crowd import open_workspaces

    homes, client, _program = open_workspaces(0)
    pages = _fill(homes[0], count)
    return {
        name: best_of(lambda path=path: client.get(path))
        for name, path in pages.items()
    }


def _fill(home, count: int) -> dict[str, str]:
    """Conversations of every kind, a text in each; the path of each page by name."""
    from accounts.models import Membership
    from telephony.models import Conversation, ConversationLabel, Label
    from voiceops.ids import earliest_uuid7
    from voiceops.paging import Place

    owner, _agent, phone = home
    me = Membership.objects.get(workspace=owner).user
    begun = earliest_uuid7(owner.created_at - timedelta(days=365)).int
    conversations, texts = [], []
    for number in range(count):
        row = _conversation(owner, phone, UUID(int=begun + (number << 80)), number, me)
        conversations.append(row)
        texts.append(_text(row, phone, number))
    _store(conversations, texts)
    label = Label.unscoped.create(owner=owner, name="Rare")
    ConversationLabel.unscoped.bulk_create(
        ConversationLabel(owner=owner, conversation=row, label=label)
        for row in conversations[:: RARE // 10]
    )
    deep = Conversation.objects.for_owner(owner).open().order_by("last_message_at")[60]
    place = Place(deep.last_message_at, deep.pk)
    number = conversations[7].address.removeprefix("+")
    return {
        "needs human": "/inbox",
        "by unread, needs human": "/inbox?unread=1",
        "open": "/inbox?tab=open",
        "open, deep": f"/inbox?tab=open&before={place}",
        "by unread, open": "/inbox?tab=open&unread=1",
        "snoozed": "/inbox?tab=snoozed",
        "closed": "/inbox?tab=closed",
        "by unread, none": "/inbox?tab=closed&unread=1",
        "mine": "/inbox?tab=open&assigned=me",
        "by nobody's": "/inbox?tab=open&assigned=nobody",
        "by label": f"/inbox?tab=open&label={label.pk}",
        "by whole number": f"/inbox?q=%2B{number}",
        "by digits, none": "/inbox?q=99999999999",
        "by common words": "/inbox?q=appointment",
        "by words, none": "/inbox?q=zebra",
        "a conversation": deep.get_absolute_url() + "/texts",
        "the badge": "/inbox/badge",
    }


def _conversation(owner, phone, pk: UUID, number: int, me):
    """Of ten: one needs a person, three are with the agent, one is snoozed."""
    from telephony.models import Conversation
    from voiceops.ids import made_at

    kind = number % 10
    is_open = kind < 4
    return Conversation(
        id=pk,
        owner=owner,
        phone=phone,
        address=f"+1628{number:07}",
        mode="human" if kind == 0 else "agent",
        status="open" if is_open else "snoozed" if kind == 4 else "closed",
        # Most of what the agents answer no person has read.
        unread_count=int(is_open and number % 40 != 0),
        assigned_to=me if number % RARE == 0 else None,
        last_message_at=made_at(pk),
    )


def _text(conversation, phone, number: int):
    from telephony.models import Message

    return Message(
        id=UUID(int=conversation.pk.int + 1),
        owner=conversation.owner,
        conversation=conversation,
        carrier_account_id=phone.carrier_account_id,
        direction="incoming",
        from_number=conversation.address,
        to_number=phone.number,
        body=f"I would like an appointment, please. This is my text {number}.",
        status="received",
        sent_by="other_party",
    )


def _store(conversations, texts) -> None:
    from django.db import connection
    from django.db.models import OuterRef, Subquery

    from telephony.models import Conversation, Message

    Conversation.unscoped.bulk_create(conversations, batch_size=BATCH)
    Message.unscoped.bulk_create(texts, batch_size=BATCH)
    text = Message.unscoped.filter(conversation=OuterRef("pk")).values("pk")[:1]
    rows = Conversation.unscoped.filter(owner=conversations[0].owner)
    rows.update(last_message=Subquery(text))
    with connection.cursor() as cursor:
        # As autovacuum does after a while.
        is_sqlite = connection.vendor == "sqlite"
        cursor.execute("ANALYZE" if is_sqlite else "VACUUM ANALYZE")


def _report(small: dict[str, Measured], big: dict[str, Measured]) -> bool:
    print(
        f"  {'page':24}{'statements':>11}{'page':>8}{'big/small':>11}"
        f"{'database':>10}{'big/small':>11}{'slowest':>9}"
    )
    over = []
    for name, at_big in big.items():
        at_small = small[name]
        print(
            f"  {name:24}{at_big.statements:11}{at_big.page_ms:8.1f}"
            f"{at_big.page_ms / at_small.page_ms:11.2f}{at_big.database_ms:10.2f}"
            f"{at_big.database_ms / at_small.database_ms:11.2f}{at_big.slowest_ms:9.2f}"
        )
        if not _is_within(name, at_small, at_big):
            over.append(name)
    print(
        f"  budget: {BUDGET_STATEMENTS} statements ({BUDGET_STATEMENTS_OF_ONE} in a"
        f" conversation), the slowest {BUDGET_QUERY_MS} ms"
        f" ({BUDGET_SEARCH_MS} in a search), growth {BUDGET_GROWTH};"
        f" over: {', '.join(over) or 'none'}"
    )
    return not over


def _is_within(name: str, small: Measured, big: Measured) -> bool:
    if name.startswith("by "):
        return big.slowest_ms <= BUDGET_SEARCH_MS
    grown_ms = big.database_ms - BUDGET_GROWTH * small.database_ms
    is_one = name == "a conversation"
    statements = BUDGET_STATEMENTS_OF_ONE if is_one else BUDGET_STATEMENTS
    return (
        big.slowest_ms <= BUDGET_QUERY_MS
        and grown_ms <= SLACK_MS
        and big.statements <= statements
    )
