"""Sending texts: each at most once.

A text is written before the carrier is asked; its id is in the address that the
carrier reports to. It goes from `waiting` to `asking` in one step that only one worker
can make, and back only after a clear no. An answer that got lost is never a reason to
ask again: the text is looked for (`lost_texts`), and what cannot be found stays
`unknown`.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import User
from agents.segments import MAX_TEXT_CHARACTERS, size_of
from telephony import announcements, live, opt_outs, tasks, twilio
from telephony.addresses import webhook_url
from telephony.models import Conversation, Message, Phone
from telephony.patience import patient
from telephony.services import budgets, conversations

SentBy, Status = Message.SentBy, Message.Status

# What the carrier could not be asked for by then is not sent any more.
SEND_WITHIN = patient(600)
# A task that got lost is made up for by the clock.
WAIT_FOR_TASK = patient(5)
DOUBLE_CLICK = timedelta(seconds=10)
BATCH = 200

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """Nothing is sent there, for the other party wants no texts or the budget is used
    up: `str()` says why.
    """


class WithAgent(Exception):
    """The agent has the conversation, and nobody has said to take it over."""


class NotRepeatable(Exception):
    """The text was sent, may still be sent, or was sent once more already."""

    def __str__(self):
        return _("This text cannot be sent again.")


def send(
    phone: Phone,
    address: str,
    *,
    body: str,
    media_urls: Sequence[str] = (),
    by: User | None,
    at: datetime,
    **more,
) -> Message:
    """Have a text sent to an address. Raises Stopped.

    Who asks twice in a moment gets the first one again.
    """
    with transaction.atomic():
        conversation = conversations.locked(phone, address)
        if why := conversations.why_no_texts(conversation) or (
            budgets.why_no_first_text(conversation, at)
        ):
            raise Stopped(why)
        wish = {"conversation": conversation, "body": body, "user": by, **more}
        if by is not None and (sent := _asked_for_just_now(at, media_urls, **wish)):
            return sent
        given = {"sent_by": SentBy.USER, "user": by, **more}
        return write(conversation, [body], media_urls=media_urls, at=at, **given)[0]


def _asked_for_just_now(
    at: datetime, media_urls: Sequence[str] = (), **wish
) -> Message | None:
    """The same text, where somebody has clicked twice."""
    just_now = Message.unscoped.filter(**wish, created_at__gt=at - DOUBLE_CLICK)
    alike = (
        message
        for message in just_now.order_by("-pk")
        if [one["url"] for one in message.media] == [*media_urls]
    )
    return next(alike, None)


def reply(
    conversation: Conversation,
    *,
    body: str,
    by: User,
    takes_over: bool,
    at: datetime,
) -> Message:
    """A person writes, and has the conversation from then on. Raises Stopped, and
    WithAgent where that is still to be said: there is an agent that falls silent.
    """
    with transaction.atomic():
        row = conversations.lock(conversation)
        _refuse_where_stopped(row)
        if row.is_with_agent:
            if not takes_over and conversations.agent_of(row) is not None:
                raise WithAgent
            conversations.take_over(row, by=by)
        return send(row.phone, row.address, body=body, by=by, at=at)


def _refuse_where_stopped(conversation: Conversation) -> None:
    if conversation.phone.is_deleted:
        raise Stopped(_number_is_gone())
    if why := conversations.why_no_texts(conversation):
        raise Stopped(why)


def _number_is_gone() -> str:
    return _("Your number of this conversation was removed.")


def begin(
    phone: Phone, address: str, *, body: str, takes_over: bool, by: User, at: datetime
) -> Conversation:
    """A person writes to somebody, as `reply` does. Raises Stopped."""
    with transaction.atomic():
        conversation = conversations.locked(phone, address)
        if takes_over:
            conversations.take_over(conversation, by=by)
        else:
            conversations.reopen(conversation)
        return send(phone, address, body=body, by=by, at=at).conversation


def repeat(
    message: Message, *, by: User, may_arrive_twice: bool = False, at: datetime
) -> Message:
    """Have a text of ours sent once more: it surely did not arrive, or a person
    accepts that it may arrive twice. Raises Stopped and NotRepeatable.
    """
    with transaction.atomic():
        conversation = conversations.lock(message.conversation)
        message.refresh_from_db()  # as it is now that nobody else writes
        repeatable = message.REPEATABLE | (
            {Status.UNKNOWN} if may_arrive_twice else set()
        )
        is_repeated = Message.unscoped.filter(repeats=message).exists()
        if message.is_incoming or is_repeated or message.status not in repeatable:
            raise NotRepeatable
        _refuse_where_stopped(conversation)
        return write(
            conversation,
            [message.body],
            media_urls=[one["url"] for one in message.media],
            sent_by=SentBy.USER,
            user=by,
            repeats=message,
            at=at,
        )[0]


def send_later(
    conversation: Conversation, *, body: str, by: User, send_at: datetime, at: datetime
) -> Message:
    """Write down what is to be sent then; who has the conversation stays. Raises
    Stopped. Who asks twice in a moment gets the first one again.
    """
    with transaction.atomic():
        row = conversations.lock(conversation)
        _refuse_where_stopped(row)
        wish = {"conversation": row, "body": body, "user": by, "send_at": send_at}
        if written := _asked_for_just_now(at, **wish):
            return written
        message = _made(row, body, status=Status.LATER, send_at=send_at, user=by)
        message.save(force_insert=True)
        live.conversation_changed(row)
    return message


def cancel(message: Message) -> bool:
    """Do not send what was written for later; False if its time has come."""
    with transaction.atomic():
        if not message.cancel():
            return False
        live.text_changed(message)
    return True


def send_due(at: datetime) -> None:
    """Send what was written for now. Safe to run twice at once."""
    due = Message.unscoped.filter(status=Status.LATER, send_at__lte=at)
    for message in due.order_by("send_at").select_related("conversation")[:BATCH]:
        with transaction.atomic():
            conversation = conversations.lock(message.conversation)
            if message.come_due():
                _follow_up(conversation, message, at)


def write(
    conversation: Conversation,
    bodies: Sequence[str],
    *,
    media_urls: Sequence[str] = (),
    at: datetime,
    **fields,
) -> list[Message]:
    """Write down what is to be sent, in this order. The conversation is locked."""
    media = [{"url": url} for url in media_urls]
    messages = [
        _made(conversation, body, media=media, part=part, **fields)
        for part, body in enumerate(bodies)
    ]
    for message in messages:
        message.save(force_insert=True)
    _follow_up(conversation, messages[-1], at)
    return messages


def _made(conversation: Conversation, body: str, **fields) -> Message:
    return Message(
        **{
            "owner_id": conversation.owner_id,
            "conversation": conversation,
            "carrier_account_id": conversation.phone.carrier_account_id,
            "direction": Message.Direction.OUTGOING,
            "from_number": conversation.our_address,
            "to_number": conversation.address,
            "body": body,
            "status": Status.WAITING,
            "sent_by": SentBy.USER,
            "segments": size_of(body).segments,
            **fields,
        }
    )


def _follow_up(conversation: Conversation, latest: Message, at: datetime) -> None:
    """It is the latest text now, and sent after the commit."""
    rows = Conversation.unscoped.filter(pk=conversation.pk)
    rows.update(last_message=latest, last_message_at=at, updated_at=at)
    live.conversation_changed(conversation)
    tasks.ring(tasks.send_texts, conversation.pk)


def pieces(text: str) -> list[str]:
    """`text` in pieces that the carrier takes, cut between words where it can be."""
    found = []
    while len(text) > MAX_TEXT_CHARACTERS:
        head = text[: MAX_TEXT_CHARACTERS + 1]
        cut = max(head.rfind(" "), head.rfind("\n"))
        cut = cut if cut > 0 else MAX_TEXT_CHARACTERS
        found.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*found, text] if text else found


# -- Asking the carrier ----------------------------------------------------------------


def send_waiting(conversation_id) -> None:
    """Send a conversation's texts in their order. Safe to repeat and to race: one
    worker asks, the others leave.
    """
    while (message := _next(conversation_id)) is not None:
        if _may_not_be_sent(message):
            continue
        if not message.begin_asking(now()) or not _ask(message):
            return


def _next(conversation_id) -> Message | None:
    """The first that waits; None while another one is being sent."""
    pending = Message.unscoped.filter(
        conversation=conversation_id, status__in=[Status.WAITING, Status.ASKING]
    ).select_related("conversation__phone", "conversation__owner", "carrier_account")
    first = pending.order_by("pk").first()
    return first if first is not None and first.status == Status.WAITING else None


def _may_not_be_sent(message: Message) -> bool:
    """Whether it was settled instead: stopped since it was written, its number gone,
    or too late.
    """
    with transaction.atomic():
        if why := conversations.why_no_text_at_all(message.conversation):
            return message.block(why) and _announced(message)
        # That no text reaches them any more they are still told.
        is_told = message.sent_by == SentBy.SYSTEM
        if not is_told and conversations.why_no_texts(message.conversation):
            return message.block() and _announced(message)
        why = ""
        if message.sent_by == SentBy.USER:
            why = budgets.why_no_first_text(message.conversation, now())
        if message.conversation.phone.is_deleted:
            why = _number_is_gone()
        elif message.wanted_at < now() - SEND_WITHIN:
            why = message.error_detail or _("It could not be sent in time.")
        failed = {"status": Status.FAILED, "error_detail": why[:200]}
        return bool(why) and message.give_up(**failed) and _announced(message)


def _announced(message: Message) -> bool:
    announcements.text_moved(message)
    return True


def _ask(message: Message) -> bool:
    """Ask once; False after an answer that allows to ask for the same text again."""
    try:
        taken = twilio.create_message(
            message.carrier_account,
            to_address=message.to_number,
            from_address=message.from_number,
            body=message.body,
            media_urls=[one["url"] for one in message.media],
            status_url=webhook_url("text_status", message.pk),
        )
    except (twilio.Throttled, twilio.Unreachable) as error:  # nothing was sent
        message.take_back(str(error))
        return False
    except twilio.AnswerLost:  # perhaps it was sent
        logger.warning("message %s: the carrier's answer was lost", message.pk)
        message.lose(now())
        live.text_changed(message)
    except twilio.CarrierError as error:  # a clear no
        refuse(message, error)
    else:
        follow(message, taken, at=now())
    return True


def refuse(message: Message, error: twilio.CarrierError) -> None:
    """The carrier clearly did not send it."""
    from telephony.services import texts  # which imports this module

    code = error.code if isinstance(error, twilio.Rejected) else None
    detail = getattr(error, "message", "") or str(error)
    with transaction.atomic():
        if message.rise_to(
            Status.FAILED, error_code=code, error_detail=detail[:200], look_at=None
        ):
            announcements.text_moved(message)
            if code == opt_outs.STOPPED_AT_CARRIER:
                texts.stop(message.conversation)


def follow(message: Message, told: twilio.CarrierMessage, *, at: datetime) -> None:
    """Take over how the carrier says that it stands."""
    from telephony.services import texts  # as above

    if not message.adopt(told.sid):
        logger.warning("message %s: is another one at the carrier", message.pk)
        return
    if told.status in Message.RANK:
        texts.record_status(
            message, status=told.status, error_code=told.error_code, at=at
        )


def send_waiting_everywhere(at: datetime) -> None:
    """Send the texts whose task got lost, or that the carrier could not take yet."""
    waiting = Message.unscoped.filter(
        status=Status.WAITING, created_at__lt=at - WAIT_FOR_TASK
    )
    conversation_ids = waiting.order_by("pk").values_list("conversation", flat=True)
    for conversation_id in dict.fromkeys(conversation_ids[:BATCH]):
        tasks.send_texts.delay(str(conversation_id))
