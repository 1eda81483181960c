"""Conversations by text in every state, with labels, notes and words that are kept."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model

from agents.models import MessageAgent
from analytics.history import A_TEXT, CURRENCY
from telephony.models import (
    CannedReply,
    Conversation,
    ConversationLabel,
    DoNotContact,
    Label,
    Message,
    Note,
)
from telephony.samples import id_of
from telephony.services import do_not_contact, inbox_words
from voiceops.demo.practices import SYDNEY
from voiceops.demo.stage import Stage, store

Status, Mode, Need = Conversation.Status, Conversation.Mode, Conversation.Need

LABELS = ("Insurance", "Complaint", "New patient")
KEPT = {
    "We are on it": "Thank you, {{ contact_name }}. We look into it and write back "
    "today.",
    "Directions": "You find us at 480 Valencia Street, two minutes from 16th Street "
    "station.",
}
HOURS = "When are you open on Saturday?"
OPEN = "On Saturdays we are open from 9 am to 1 pm."


@dataclass(frozen=True)
class Talk:
    """What was written with `address`, `ago`: theirs begins. `by` is who has it."""

    city: str
    address: str
    ago: timedelta
    texts: tuple[str, ...]
    state: dict[str, Any] = field(default_factory=dict)
    by: str = ""
    note: str = ""
    labels: tuple[str, ...] = ()
    fate: dict[str, Any] = field(default_factory=dict)  # of the last text


TALKS = (
    Talk(
        city="San Francisco",
        address="+14155550161",
        ago=timedelta(minutes=25),
        state={"mode": Mode.HUMAN, "need": Need.ASKED_FOR, "unread_count": 1},
        texts=(HOURS, OPEN, "And who is on duty? I'd rather talk to a person."),
        labels=("New patient",),
    ),
    Talk(
        city="London",
        address="+442079460162",
        ago=timedelta(hours=3),
        state={"mode": Mode.HUMAN, "need": Need.NO_AGENT, "unread_count": 1},
        texts=("Did you just try to call me? My phone shows nothing.",),
    ),
    Talk(
        city="San Francisco",
        address="+14155550163",
        ago=timedelta(hours=5),
        state={"mode": Mode.HUMAN, "need": Need.TAKEN_OVER},
        by="Maya",
        texts=(
            "My insurance says that you never sent the bill.",
            "It went out on Monday. I send it once more; tell me if it arrives.",
            "It did, thank you!",
        ),
        labels=("Insurance", "Complaint"),
        note="Delta Dental had the old address. Changed it.",
    ),
    Talk(
        city="San Francisco",
        address="+14155550164",
        ago=timedelta(hours=7),
        texts=("How much is a cleaning?", "A check-up with cleaning costs $120."),
    ),
    Talk(
        city="Sydney",
        address="whatsapp:+61270100165",
        ago=timedelta(hours=9),
        state={"status": Status.SNOOZED},
        by="Ruby",
        texts=(
            "Is my crown back from the lab?",
            "Not yet. It comes in tomorrow; I write then.",
        ),
        note="Ask the lab in the morning.",
    ),
    Talk(
        city="San Francisco",
        address="+14155550166",
        ago=timedelta(days=1),
        texts=("Running late, sorry", "No problem. Please ring when you are here."),
        fate={"status": "undelivered", "error_code": 30003},
    ),
    Talk(
        city="London",
        address="+442079460167",
        ago=timedelta(days=2),
        state={"status": Status.CLOSED},
        by="Oliver",
        texts=("Thanks for fitting me in!", "With pleasure. Mind the new tooth."),
    ),
    Talk(
        city="San Francisco",
        address="+14155550168",
        ago=timedelta(days=3),
        state={"status": Status.CLOSED},
        texts=("STOP",),
    ),
)


def make(stage: Stage) -> None:
    labels = {name: Label(owner=stage.owner, name=name) for name in LABELS}
    for label in labels.values():
        inbox_words.save(label)
    for name, text in KEPT.items():
        inbox_words.save(CannedReply(owner=stage.owner, name=name, text=text))
    texter = MessageAgent.objects.for_owner(stage.owner).order_by("pk").first()
    for talk in TALKS:
        _write(stage, talk, texter, labels)
    do_not_contact.add(
        owner=stage.owner,
        number=TALKS[-1].address,
        source=DoNotContact.Source.STOP,
        reason="Texted STOP",
    )


def _write(
    stage: Stage, talk: Talk, texter: MessageAgent | None, labels: dict[str, Label]
) -> None:
    person, began_at = stage.people.get(talk.by), stage.at - talk.ago
    common = {"owner": stage.owner}
    thread = Conversation(
        **common | talk.state,
        id=id_of(began_at),
        phone=stage.phones[talk.city],
        address=talk.address,
        assigned_to=person,
        created_at=began_at,
    )
    if thread.is_snoozed:
        thread.snoozed_until = stage.on(SYDNEY, 1, "09:00")
    thread.save(force_insert=True)
    said = [
        _text(thread, place, body, began_at + timedelta(minutes=2 * place))
        for place, body in enumerate(talk.texts)
    ]
    for text in said:
        if not text.is_incoming:
            text.sent_by = Message.SentBy.USER if person else Message.SentBy.AGENT
            text.user, text.agent = person, None if person else texter
    for name, value in talk.fate.items():
        setattr(said[-1], name, value)
    at, common = said[-1].created_at, common | {"conversation": thread}
    rows: list[Model] = [*said]
    if talk.note:
        rows.append(
            Note(id=id_of(at), user=person, text=talk.note, created_at=at, **common)
        )
    rows += [ConversationLabel(label=labels[name], **common) for name in talk.labels]
    store(rows)
    thread.last_message, thread.last_message_at = said[-1], at
    thread.save(update_fields=["last_message", "last_message_at"])


def _text(thread: Conversation, place: int, body: str, at: datetime) -> Message:
    is_theirs = place % 2 == 0
    sides = [thread.address, thread.our_address][:: 1 if is_theirs else -1]
    return Message(
        id=id_of(at),
        owner=thread.owner,
        conversation=thread,
        carrier_account=thread.phone.carrier_account,
        direction="incoming" if is_theirs else "outgoing",
        status="received" if is_theirs else "delivered",
        sent_by=Message.SentBy.OTHER_PARTY,
        from_number=sides[0],
        to_number=sides[1],
        body=body,
        segments=1,
        cost=A_TEXT,
        currency=CURRENCY,
        created_at=at,
    )
