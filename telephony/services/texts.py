"""Texts that come in, and what becomes of those that go out.

The carrier waits for the answer, so what takes time is left to the clock: who answers
is decided here, the answer is made elsewhere (`answering`).
"""

import logging
from datetime import datetime

from django.db import IntegrityError, transaction

from agents.segments import size_of
from telephony import announcements, opt_outs
from telephony.models import Conversation, DoNotContact, Message, Phone
from telephony.models.texts import WHATSAPP
from telephony.opt_outs import Word
from telephony.patience import patient
from telephony.services import conversations, do_not_contact, sending
from telephony.services.carrier import InvalidNumber

# A price appears at the carrier some time after the message.
PRICE_AFTER = patient(600)

logger = logging.getLogger(__name__)


def receive(
    phone: Phone,
    *,
    sid: str,
    address: str,
    to_address: str,
    body: str,
    media: list[dict],
    opt_out: str = "",
    segments: int | None = None,
    at: datetime,
) -> Message | None:
    """Keep a text that came in, and say when it is answered; None if it is known.

    Texts of one party wait for each other, so the first ones make one conversation.
    """
    message = Message(
        owner_id=phone.owner_id,
        carrier_account=phone.carrier_account,
        direction=Message.Direction.INCOMING,
        sid=sid,
        from_number=address,
        to_number=to_address,
        body=body,
        media=media,
        status=Message.Status.RECEIVED,
        sent_by=Message.SentBy.OTHER_PARTY,
        segments=segments or size_of(body).segments,
        look_at=at + PRICE_AFTER,
    )
    try:
        _keep(message, phone, opt_out, at)
    except IntegrityError:  # a constraint lets one have this name
        if Message.unscoped.filter(owner=phone.owner_id, sid=sid).exists():
            return None
        raise
    return message


def _keep(message: Message, phone: Phone, opt_out: str, at: datetime) -> None:
    """Write the text and all that follows from it, or nothing."""
    with transaction.atomic():
        conversation = conversations.locked(phone, message.from_number)
        message.conversation = conversation
        message.save(force_insert=True)
        word = _word_in(conversation, message.body, opt_out)
        _note(conversation, message, word, at)
        if word is not None:
            _obey(conversation, message, word, at)
        announcements.text_received(message)


def _note(
    conversation: Conversation, message: Message, word: Word | None, at: datetime
) -> None:
    """What the text does to its conversation, and when the agent is to answer."""
    conversation.wake()
    conversation.unread_count += 1
    conversation.last_message, conversation.last_message_at = message, at
    if word is None and conversation.is_with_agent:
        conversations.put_off_answer(conversation, at)
    conversation.save()


# -- Opting out ------------------------------------------------------------------------


def _word_in(conversation: Conversation, body: str, told: str) -> Word | None:
    def has_stopped() -> bool:
        row = conversations.listed(conversation)
        return row is not None and row.source == DoNotContact.Source.STOP

    return opt_outs.word_in(body, told=told, has_stopped=has_stopped)


def _obey(
    conversation: Conversation, message: Message, word: Word, at: datetime
) -> None:
    """Do what the word says, at once, and answer it where the carrier does not."""
    if word == Word.STOP:
        stop(conversation)
    elif word == Word.START:
        _start(conversation)
    if conversation.is_whatsapp:
        sending.write(
            conversation,
            [str(opt_outs.ANSWERS[word])],
            sent_by=Message.SentBy.SYSTEM,
            answers=message,
            at=at,
        )


def stop(conversation: Conversation) -> None:
    """The other party wants no more texts and calls. Safe to repeat."""
    number = conversation.number
    _answer_no_more(conversation)
    if conversations.listed(conversation) is not None:
        return
    try:
        do_not_contact.add(
            owner=conversation.owner,
            number=number,
            source=DoNotContact.Source.STOP,
        )
    except InvalidNumber:  # a short code or a name: nobody texts it first
        logger.warning("conversation %s: stopped, and is no number", conversation.pk)
    except do_not_contact.OnTheList:
        pass


def _start(conversation: Conversation) -> None:
    """It takes off the list only what STOP has put on it.

    What was written in between stays unanswered, as if it had been looked at before.
    """
    row = conversations.listed(conversation)
    if row is not None and row.source == DoNotContact.Source.STOP:
        _answer_no_more(conversation)
        do_not_contact.remove(row, by=None, reason="START")


def _answer_no_more(conversation: Conversation) -> None:
    """No agent answers what the other party has written up to now."""
    number = conversation.number
    theirs = Conversation.unscoped.filter(
        owner=conversation.owner_id, address__in=[number, WHATSAPP + number]
    )
    theirs.update(next_try_at=None, claimed_until=None)


# -- What becomes of ours --------------------------------------------------------------


def record_status(
    message: Message, *, status: str, error_code: int | None, at: datetime
) -> None:
    """Note what the carrier tells of a text of ours. Safe to repeat, in any order."""
    error = {"error_code": error_code} if error_code else {}
    with transaction.atomic():
        if message.rise_to(status, look_at=at + PRICE_AFTER, **error):
            announcements.text_moved(message)
            if error_code == opt_outs.STOPPED_AT_CARRIER:
                stop(message.conversation)
