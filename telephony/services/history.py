"""Reading calls back: what pages show beside a call's own columns."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from accounts.models import Workspace
from telephony.models import Call, Turn
from telephony.transcripts import typical_ms
from voiceops.paging import Search

# So many calls are looked through for a page of those that no index finds: a few
# milliseconds' work, however many calls there are and however few are wanted.
SEARCHED_CALLS = 10_000
SEARCHED_TRANSCRIPTS = 1_000
FOUND_BY_INDEX = [set(), {"agent"}, {"phone"}]


def search_for(
    asked: set[str], narrow: Callable[[QuerySet], QuerySet]
) -> Search | None:
    """How to find calls by the filters `asked`; None: `CallQuerySet.by_index` can."""
    if asked in FOUND_BY_INDEX:
        return None
    window = SEARCHED_TRANSCRIPTS if "q" in asked else SEARCHED_CALLS
    return Search(narrow, window)


def typical_replies(owner: Workspace, calls: Iterable[Call]) -> dict[UUID, int | None]:
    """The median reply time of each call, in milliseconds, in one statement."""
    replies = defaultdict(list)
    turns = Turn.objects.for_owner(owner).filter(
        call__in=[call.pk for call in calls], reply_ms__isnull=False
    )
    for call_id, reply_ms in turns.values_list("call_id", "reply_ms"):
        replies[call_id].append(reply_ms)
    return {call_id: typical_ms(times) for call_id, times in replies.items()}


def note_typical_replies(owner: Workspace, calls: list[Call]) -> list[Call]:
    """The same calls, each with its `typical_reply_ms`, for a list of them."""
    typical = typical_replies(owner, calls) if calls else {}
    for call in calls:
        call.typical_reply_ms = typical.get(call.pk)
    return calls


def live_calls(owner: Workspace) -> QuerySet[Call]:
    """The calls now in progress, newest first."""
    calls = Call.objects.for_owner(owner).in_progress()
    return calls.select_related("agent", "phone").order_by("-pk")


def with_last_words(calls: QuerySet[Call], owner: Workspace) -> QuerySet[Call]:
    """Each call with `last_speaker` and `last_words`, None before the first."""
    turns = Turn.objects.for_owner(owner).filter(call=OuterRef("pk"))
    heard = [Turn.Speaker.CALLER, Turn.Speaker.AGENT]
    latest = turns.filter(speaker__in=heard).order_by("-number")
    return calls.annotate(
        last_speaker=Subquery(latest.values("speaker")[:1]),
        last_words=Subquery(latest.values("text")[:1]),
    )
