"""Who is told while a call or a conversation goes on: the people who watch, and the
session that has the call.

A bell has an id and nothing else: what was said never leaves the database this way.
"""

from functools import partial

from django.db import transaction

from telephony.models import Call, Conversation, Message
from voiceops import bells

OF_TEXTS = "texts:"  # before the id of a conversation


def channel_of_workspace(owner_id) -> str:
    """Rung when something has changed; the word is the call's id, or the
    conversation's with `OF_TEXTS` before it.
    """
    return f"live:{owner_id}"


def channel_of_call(call_id) -> str:
    """Rung when a person wants something of the call."""
    return f"call:{call_id}"


def changed(call: Call) -> None:
    """Tell whoever watches, once it is written."""
    _ring(channel_of_workspace(call.owner_id), str(call.pk))


def conversation_changed(conversation: Conversation) -> None:
    """Tell whoever watches, once it is written."""
    word = f"{OF_TEXTS}{conversation.pk}"
    _ring(channel_of_workspace(conversation.owner_id), word)


def text_changed(message: Message) -> None:
    """As above, by one of its texts."""
    word = f"{OF_TEXTS}{message.conversation_id}"
    _ring(channel_of_workspace(message.owner_id), word)


def wanted(call: Call) -> None:
    """Tell the session that has the call."""
    _ring(channel_of_call(call.pk), bells.ANYTHING)


def _ring(channel: str, word: str) -> None:
    transaction.on_commit(partial(bells.ring, channel, word), robust=True)
