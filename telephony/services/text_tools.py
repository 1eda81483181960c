"""Tools that message agents use before they answer, each at most once.

A use is written down before it is tried, by whoever still has the turn. Of one whose
worker died nobody knows whether it was done: that is what the model is told, and a tool
that is not safe to repeat is not used again for this answer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import now

from agents import texting
from agents.chat import ToolCall
from agents.models import MessageAgent
from agents.tools import Toolbox
from telephony import built_ins, live, session, words
from telephony.models import Conversation, Message, TextToolUse
from telephony.services import conversations
from voiceops.threads import in_thread

Status = TextToolUse.Status

MAX_SHOWN = 16  # latest uses that the model is shown
MAX_OLD_CHARACTERS = 1_000  # of what a tool told for an earlier answer
# Longer than any turn has: whoever used it is dead.
LONGEST_TURN = timedelta(minutes=5)
NOBODY_KNOWS = (
    "It was begun and cut off: nobody knows whether it was done. Say so if it matters."
)
BEGUN_BEFORE = (
    "Not done: it was begun before and cut off, so nobody knows whether it was done "
    "already. It is not done twice. Tell them so."
)


class TurnLost(Exception):
    """Somebody has written or taken over meanwhile: nobody waits for this answer."""


@dataclass(frozen=True)
class Turn:
    """Whose tools are used in which conversation, to answer which text."""

    conversation: Conversation  # as it was claimed
    asked: Message
    toolbox: Toolbox


def toolbox_of(agent: MessageAgent, conversation: Conversation) -> Toolbox:
    return Toolbox.of(agent, built_ins.of_conversation(conversation))


async def use(turn: Turn, call: ToolCall, within_s: float) -> texting.Use:
    """Use a tool for an answer, once. Raises TurnLost."""
    call = session.heard_call(call)
    row = await in_thread(_begin, turn, call)
    if row.status != Status.RUNNING:
        return shown(row)
    used = await texting.run_tool(turn.toolbox, call, within_s)
    await in_thread(_settle, row, used)
    return shown(row)


def _begin(turn: Turn, call: ToolCall) -> TextToolUse:
    with transaction.atomic():
        conversation = conversations.lock(turn.conversation)
        if conversation.claimed_until != turn.conversation.claimed_until:
            raise TurnLost
        earlier = TextToolUse.unscoped.filter(asked=turn.asked)
        row = TextToolUse(
            owner_id=conversation.owner_id,
            conversation=conversation,
            asked=turn.asked,
            number=earlier.count() + 1,
            name=call.name,
            arguments=call.arguments,
        )
        is_doubtful = earlier.filter(name=call.name, status=Status.UNKNOWN).exists()
        if is_doubtful and not turn.toolbox.is_repeatable(call.name):
            row.status, row.text = Status.REFUSED, BEGUN_BEFORE
        row.save(force_insert=True)
        live.conversation_changed(conversation)
    return row


def _settle(row: TextToolUse, used: texting.Use) -> None:
    """Write what became of it, also where it was given up for lost meanwhile."""
    row.status, row.text = used.status, words.speakable(used.text)
    row.elapsed_ms = used.elapsed_ms
    row.save(update_fields=["status", "text", "elapsed_ms"])
    live.conversation_changed(row.conversation)


def settle_lost(conversation: Conversation) -> None:
    """Whoever had the turn before has it no more."""
    _lose(TextToolUse.unscoped.filter(conversation=conversation))


def settle_forgotten(at: datetime) -> None:
    """The uses of dead workers in conversations that have no turn any more."""
    _lose(TextToolUse.unscoped.filter(created_at__lt=at - LONGEST_TURN))


def _lose(uses) -> None:
    uses.filter(status=Status.RUNNING).update(
        status=Status.UNKNOWN, text=NOBODY_KNOWS, updated_at=now()
    )


def shown(row: TextToolUse, most_characters: int | None = None) -> texting.Use:
    """As the model is shown it."""
    text = row.text[:most_characters]
    return texting.Use(row.name, row.arguments, row.status, text, row.elapsed_ms or 0)


def since(conversation: Conversation, message: Message) -> list[TextToolUse]:
    """What was used after a text, oldest first."""
    uses = TextToolUse.unscoped.filter(conversation=conversation, pk__gt=message.pk)
    return list(uses.order_by("-pk")[:MAX_SHOWN])[::-1]
