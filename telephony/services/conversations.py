"""Who has a conversation by text, the agent or a person, and whether it is over."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import audit, halts
from accounts.audit import Action
from accounts.models import User, Workspace
from accounts.switches import Feature
from agents import texting
from agents.models import MessageAgent
from telephony import announcements, live, opt_outs, tasks
from telephony.models import (
    Conversation,
    ConversationLabel,
    DoNotContact,
    Label,
    Message,
    Note,
    Phone,
)
from telephony.services import contacts, do_not_contact

Mode, Need, Status = Conversation.Mode, Conversation.Need, Conversation.Status

BATCH = 200
MOST_WORDS_IN_A_ROW = 20  # of STOP, START and HELP; who writes more is not answered


# What every text that comes in asks for, but for whose it is: `filter` makes a copy.
_LOCKED = Conversation.unscoped.select_for_update(of=("self",))
_ANSWERING = MessageAgent.unscoped.filter(is_active=True, deleted_at=None)


class NoMember(Exception):
    """The person is not in the workspace."""

    def __str__(self):
        return _("This person is not in the workspace.")


class NoAgent(Exception):
    """No agent is active on the number, so it cannot have the conversation."""

    def __str__(self):
        return _("No message agent is active on this number: activate one first.")


def locked(phone: Phone, address: str) -> Conversation:
    """The conversation of a number with a party, made on first use. Within a
    transaction: whoever else writes in it waits."""
    # Unique, so unordered, as below: sorting costs more than it looks.
    row = next(iter(_LOCKED.filter(phone=phone, address=address)), None)
    if row is None:
        made, _is_new = Conversation.unscoped.get_or_create(
            phone_id=phone.pk, address=address, defaults={"owner_id": phone.owner_id}
        )
        row = _LOCKED.get(pk=made.pk)
    row.phone = phone
    return row


def lock(conversation: Conversation) -> Conversation:
    """The row as it is now, nobody else's until the transaction ends."""
    related = _LOCKED.select_related("owner", "phone__carrier_account")
    return related.get(pk=conversation.pk)


def agent_of(conversation: Conversation) -> MessageAgent | None:
    """Who answers the texts to the conversation's number now."""
    agents = _ANSWERING.filter(phone=conversation.phone_id)
    return agents.select_related("owner", "phone", "prompt", "prompt_version").first()


def listed(conversation: Conversation) -> DoNotContact | None:
    """The other party's place on the do-not-contact list, if it has one."""
    return do_not_contact.find(conversation.owner_id, conversation.number)


def why_no_texts(conversation: Conversation) -> str:
    """Why the other party must not be texted, in words; "" if it may."""
    if why := why_no_text_at_all(conversation):
        return why
    number, owner = conversation.number, conversation.owner_id
    if listed(conversation) is not None:
        words = _("%(number)s is on the do-not-contact list: it gets no texts.")
        return words % {"number": number}
    contact = contacts.find(owner, number)
    if contact is not None and contact.refuses_texts:
        return _("%(number)s refuses texts: it gets none.") % {"number": number}
    return ""


def why_no_text_at_all(conversation: Conversation) -> str:
    """Why the workspace sends no texts for the moment, in words; "" if it does."""
    return halts.why_halted(conversation.owner, Feature.TEXTS)


def asked_last(conversation: Conversation) -> Message | None:
    """The latest text that an agent answers, which is no STOP, START or HELP."""
    came_in = Message.unscoped.filter(
        conversation=conversation, direction=Message.Direction.INCOMING
    ).order_by("-pk")[:MOST_WORDS_IN_A_ROW]
    return next((one for one in came_in if not opt_outs.is_word(one.body)), None)


def put_off_answer(conversation: Conversation, at: datetime) -> None:
    """The agent answers once nothing more came for a while; a person, if there is no
    agent. The row is locked, and saved by whoever calls.
    """
    agents = _ANSWERING.filter(phone=conversation.phone_id)
    delay_s = next(iter(agents.values_list("reply_delay_s", flat=True)), None)
    if delay_s is None:
        give_to_person(conversation, Need.NO_AGENT)
        return
    conversation.next_try_at = at + timedelta(seconds=delay_s)
    conversation.attempts = 0
    conversation.claimed_until = None  # what is being answered now is old
    tasks.ring(tasks.answer_texts, in_s=delay_s)


def give_to_person(conversation: Conversation, need: str) -> None:
    """The agent is silent from now on. The row is locked, and saved by the caller."""
    conversation.mode, conversation.need = Mode.HUMAN, need
    conversation.next_try_at = conversation.claimed_until = None


def take_over(conversation: Conversation, *, by: User | None = None) -> Conversation:
    """A person answers from now on; what the agent has not said, it does not say.

    Nobody's conversation becomes that person's.
    """
    with transaction.atomic():
        row = lock(conversation)
        if row.is_with_agent:
            with audit.changing(row, Action.TAKEN_OVER):
                give_to_person(row, Need.TAKEN_OVER)
                row.wake()
                row.assigned_to = row.assigned_to or by
                row.save()
            for message in row.messages(manager="unscoped").filter(
                sent_by=Message.SentBy.AGENT, status=Message.Status.WAITING
            ):
                if message.give_up(status=Message.Status.CANCELED):
                    announcements.text_moved(message)
            live.conversation_changed(row)
    return row


def release(conversation: Conversation, *, at: datetime) -> Conversation:
    """The agent has it again, and answers what was not answered. Raises NoAgent."""
    with transaction.atomic():
        row = lock(conversation)
        agent = agent_of(row)
        if agent is None:
            raise NoAgent
        if not row.is_with_agent:
            with audit.changing(row, Action.RELEASED):
                _hand_back(row, at)
                last = row.last_message
                # Who has asked for a person has had one.
                if (
                    last is not None
                    and last.is_incoming
                    and not opt_outs.is_word(last.body)
                    and not texting.asks_for_person(agent, last.body)
                ):
                    put_off_answer(row, at)
                row.save()
            live.conversation_changed(row)
    return row


def close(conversation: Conversation, *, at: datetime) -> Conversation:
    """The matter is settled: the next text opens it again, with the agent."""
    with transaction.atomic():
        row = lock(conversation)
        if row.status != Status.CLOSED:
            with audit.changing(row, Action.CLOSED):
                _hand_back(row, at)
                row.status, row.unread_count = Status.CLOSED, 0
                row.snoozed_until = None
                row.next_try_at = row.claimed_until = None
                row.save()
            live.conversation_changed(row)
    return row


def reopen(conversation: Conversation) -> Conversation:
    """It is not settled after all, or not to be put off; who has it stays."""
    with transaction.atomic():
        row = lock(conversation)
        if row.status != Status.OPEN:
            with audit.changing(row):
                row.wake()
                row.save()
            live.conversation_changed(row)
    return row


# -- Order -----------------------------------------------------------------------------


def snooze(conversation: Conversation, *, until: datetime) -> Conversation:
    """Out of the way until then, or until the other party writes; answers go on."""
    with transaction.atomic():
        row = lock(conversation)
        if not row.is_closed:
            with audit.changing(row):
                row.status, row.snoozed_until = Status.SNOOZED, until
                row.save()
            live.conversation_changed(row)
    return row


def wake_due(at: datetime) -> None:
    """Bring back what was snoozed until now, as unread. Safe to run twice at once."""
    due = Conversation.unscoped.snoozed().filter(snoozed_until__lte=at)
    for found in due.order_by("snoozed_until")[:BATCH]:
        with transaction.atomic():
            row = lock(found)
            if row.is_snoozed and row.snoozed_until <= at:
                row.wake()
                row.unread_count = max(row.unread_count, 1)
                row.save()
                live.conversation_changed(row)


def assign(conversation: Conversation, user: User | None) -> Conversation:
    """Whose it is among the team; nobody's with None. Raises NoMember."""
    with transaction.atomic():
        row = lock(conversation)
        if user is not None and not members_of(row.owner).filter(pk=user.pk).exists():
            raise NoMember
        with audit.changing(row):
            row.assigned_to = user
            row.save()
        live.conversation_changed(row)
    return row


def members_of(owner: Workspace) -> QuerySet[User]:
    """Who can be given a conversation."""
    return User.objects.filter(memberships__workspace=owner)


def add_note(conversation: Conversation, *, text: str, by: User) -> Note:
    """Something for the team; nobody is sent it."""
    with transaction.atomic():
        row = lock(conversation)
        note = Note(owner_id=row.owner_id, conversation=row, user=by, text=text)
        note.save(force_insert=True)
        live.conversation_changed(row)
    return note


def set_labels(conversation: Conversation, labels: Collection[Label]) -> None:
    """It has these and no others."""
    wanted = {label.pk: label for label in labels}
    with transaction.atomic():
        row = lock(conversation)
        labelled = ConversationLabel.unscoped.filter(conversation=row)
        before = {one.label_id: one.label for one in labelled.select_related("label")}
        if before.keys() == wanted.keys():
            return
        labelled.exclude(label__in=wanted).delete()
        for pk in wanted.keys() - before.keys():
            ConversationLabel(
                owner_id=row.owner_id, conversation=row, label=wanted[pk]
            ).save(force_insert=True)
        names = [sorted(map(str, side.values())) for side in (before, wanted)]
        audit.record(Action.CHANGED, row, changes={"labels": names})
        live.conversation_changed(row)


def _hand_back(row: Conversation, at: datetime) -> None:
    row.mode, row.need, row.released_at = Mode.AGENT, "", at


def mark_read(conversation: Conversation) -> None:
    """Somebody has seen all of it."""
    unread = Conversation.unscoped.filter(pk=conversation.pk, unread_count__gt=0)
    if unread.update(unread_count=0):
        conversation.unread_count = 0
        live.conversation_changed(conversation)
