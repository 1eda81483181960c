"""Taking the words out of calls and texts; their rows, and all figures, stay.

A reply's time is a figure, so a turn stays with who spoke and when. Nothing here is
counted anew: the triggers of analytics look at other columns.
"""

from collections.abc import Collection
from uuid import UUID

from django.utils.timezone import now

from hooks.models import Delivery
from telephony.models import (
    AfterCall,
    Call,
    CallFact,
    Conversation,
    ConversationFact,
    Intervention,
    Message,
    Note,
    TextToolUse,
    Turn,
)


def calls(ids: Collection[UUID]) -> int:
    """Take out what was said in these ended calls, and what was made of it.

    How many had words. Safe to repeat; call it in a transaction.
    """
    at = now()
    wordy = Call.unscoped.filter(pk__in=ids, words_removed_at=None)
    removed = wordy.update(words_removed_at=at, updated_at=at)
    of_calls = {"call__in": ids}
    Turn.unscoped.filter(**of_calls).update(text="", tool=None, by="", updated_at=at)
    CallFact.unscoped.filter(**of_calls).delete()
    Intervention.unscoped.filter(**of_calls).update(text="", updated_at=at)
    after = AfterCall.unscoped.filter(**of_calls)
    # Who is analyzing one has no say any more: there is nothing left to analyze.
    after.filter(analysis=AfterCall.Analysis.WAITING).update(
        analysis=AfterCall.Analysis.NOT_WANTED,
        step=AfterCall.Step.PRICING,
        next_try_at=at,
        claimed_until=None,
    )
    after.update(summary="", extracted=None, error="", updated_at=at)
    _told(call__in=ids)
    return removed


def texts(ids: Collection[UUID]) -> int:
    """Take out what stands in these texts, and what tools were asked for them.

    How many had words. Safe to repeat; call it in a transaction.
    """
    at = now()
    wordy = Message.unscoped.filter(pk__in=ids, words_removed_at=None)
    removed = wordy.update(body="", media=[], words_removed_at=at, updated_at=at)
    TextToolUse.unscoped.filter(asked__in=ids).update(
        arguments="{}", text="", updated_at=at
    )
    _told(text__in=ids)
    return removed


def notes_of(conversations: Collection[UUID], *, before) -> None:
    """Remove what was noted in these conversations before that moment."""
    of_these = {"conversation__in": conversations}
    Note.unscoped.filter(**of_these, created_at__lt=before).delete()
    ConversationFact.unscoped.filter(**of_these, updated_at__lt=before).delete()


def conversations_of(messages: Collection[UUID]) -> list[UUID]:
    found = Conversation.unscoped.filter(messages__in=messages).distinct()
    return list(found.values_list("pk", flat=True))


def _told(**about) -> None:
    """Webhooks' copies of them; what is still to be told is told first."""
    told = Delivery.unscoped.filter(**about)
    told.exclude(status=Delivery.Status.PENDING).delete()
