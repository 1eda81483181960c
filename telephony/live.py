"""Who is told while a call goes on: the people who watch, and the session that has it.

A bell has an id and nothing else: what was said never leaves the database this way.
"""

from functools import partial

from django.db import transaction

from telephony.models import Call
from voiceops import bells


def channel_of_workspace(owner_id) -> str:
    """Rung when something about a call has changed; the word is the call's id."""
    return f"live:{owner_id}"


def channel_of_call(call_id) -> str:
    """Rung when a person wants something of the call."""
    return f"call:{call_id}"


def changed(call: Call) -> None:
    """Tell whoever watches, once it is written."""
    _ring(channel_of_workspace(call.owner_id), str(call.pk))


def wanted(call: Call) -> None:
    """Tell the session that has the call."""
    _ring(channel_of_call(call.pk), bells.ANYTHING)


def _ring(channel: str, word: str) -> None:
    transaction.on_commit(partial(bells.ring, channel, word), robust=True)
