"""Asking the carrier what became of texts: those whose answer got lost, those of which
nothing is heard, and what each costs. Safe to run twice at once.

The first report with the text's id in its address settles a lost one. Meanwhile the
account's texts are listed, several times over two minutes. What is not found then stays
`unknown`, and is never sent again by itself.
"""

import logging
from datetime import datetime, timedelta

from telephony import live, twilio
from telephony.models import Message
from telephony.patience import patient
from telephony.services import sending, text_costs, text_tools

Status = Message.Status

# Longer than any request to the carrier can take: whoever asked is dead.
ASKING_TAKES = patient(30)
LOOKS_AFTER = [patient(seconds) for seconds in (5, 15, 30, 60, 120)]
LOOK_FOR = LOOKS_AFTER[-1]
# Of one that is known there: for how it ended, and its price.
FOLLOWED_AFTER = [patient(seconds) for seconds in (600, 3_600, 10_800, 43_200, 86_400)]
# Their clock is not ours, and they tell whole seconds.
CLOCKS_DIFFER = timedelta(seconds=5)
BATCH = 50

logger = logging.getLogger(__name__)


def look(at: datetime) -> int:
    """Ask for the texts whose time it is; how many there were."""
    stuck = Message.unscoped.filter(
        status=Status.ASKING, asked_at__lt=at - ASKING_TAKES
    )
    for message in stuck[:BATCH]:
        if message.lose(at):
            live.text_changed(message)
    text_tools.settle_forgotten(at)
    due = Message.unscoped.filter(look_at__lte=at).select_related(
        "carrier_account", "conversation__owner", "conversation__phone"
    )
    looked = 0
    for message in due.order_by("look_at")[:BATCH]:
        if message.look_again_at(_next_look(message, at)):  # else another process looks
            looked += 1
            _look_for(message, at)
    return looked


def _next_look(message: Message, at: datetime) -> datetime | None:
    looks = LOOKS_AFTER if message.sid is None else FOLLOWED_AFTER
    since = message.asked_at or message.created_at
    moments = (since + after for after in looks)
    return next((moment for moment in moments if moment > at), None)


def _look_for(message: Message, at: datetime) -> None:
    try:
        told = _at_the_carrier(message)
    except twilio.CarrierError as error:
        logger.warning("message %s: cannot be asked for: %s", message.pk, error)
        return
    if told is None:
        return
    if not message.is_incoming:
        sending.follow(message, told, at=at)
    if told.price is not None:
        price = (told.price, told.price_unit)
        message.note_cost(**text_costs.cost_of(message, [price]))


def _at_the_carrier(message: Message) -> twilio.CarrierMessage | None:
    """The text as the carrier has it; a lost one only if there can be no doubt.

    It was made after we asked, and it is no other one of ours. While the answer for
    another one with the same words is open too, only a report can tell them apart.
    """
    if message.sid is not None:
        return twilio.fetch_message(message.carrier_account, message.sid)
    since = message.asked_at - CLOCKS_DIFFER
    listed = twilio.find_messages(
        message.carrier_account,
        to_address=message.to_number,
        from_address=message.from_number,
    )
    alike = [one for one in listed if one.body.strip() == message.body.strip()]
    made_since = [one for one in alike if one.created_at >= since]
    ours = Message.unscoped.filter(owner=message.owner_id)
    known = set(
        ours.filter(sid__in=[one.sid for one in made_since]).values_list(
            "sid", flat=True
        )
    )
    candidates = [one for one in made_since if one.sid not in known]
    if len(candidates) != 1 or _has_double(message):
        return None
    return candidates[0]


def _has_double(message: Message) -> bool:
    doubles = Message.unscoped.filter(
        conversation=message.conversation_id,
        body=message.body,
        sid=None,
        status__in=[Status.ASKING, Status.UNKNOWN],
    )
    return doubles.exclude(pk=message.pk).exists()
