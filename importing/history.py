"""Calls and texts of an earlier system: what happened, nothing that still goes on."""

from datetime import datetime, timedelta

from agents.models import MessageAgent
from importing import values
from importing.making import Made, Run, checked, id_at, refuse_strangers
from importing.mapping import Document
from importing.values import Refused, source_id
from telephony import opt_outs
from telephony.models import (
    AfterCall,
    Call,
    CallCost,
    Conversation,
    DoNotContact,
    Message,
    Phone,
    Turn,
)
from telephony.services import do_not_contact
from telephony.services.carrier import InvalidNumber

Status, Reason = Call.Status, Call.EndReason
# Why a call ended as it did, where nobody said it.
REASONS = {
    Status.BUSY: Reason.BUSY,
    Status.NO_ANSWER: Reason.NO_ANSWER,
    Status.FAILED: Reason.NOT_REACHED,
    Status.CANCELED: Reason.CANCELED,
}
# A text in one of these states is still to be sent, or it is not known whether it was.
NOT_HISTORY = {
    *(Message.Status.LATER, Message.Status.WAITING, Message.Status.ASKING),
    *(Message.Status.UNKNOWN, Message.Status.SCHEDULED),
}
SPEAKERS = (Turn.Speaker.CALLER, Turn.Speaker.AGENT, Turn.Speaker.TOOL)
LONGEST_S = 24 * 3600
TEXTED_STOP = "Texted STOP before the import"


def phone_at(document: Document, ours: str, at: datetime, run: Run) -> Phone:
    """The number of a call or text, as registered then: whose it is, its owner tells.

    Numbers move from one person to another; history does not.
    """
    told = document.get("phone_id", source_id)
    if told:
        return run.ledger.need("phones", told, "phone_id")
    lives = run.ledger.phones_of(ours)
    then = [
        phone
        for phone in lives
        if phone.created_at <= at and (not phone.deleted_at or at < phone.deleted_at)
    ]
    found = then or lives
    if len(found) != 1:
        words = "is registered several times" if found else "is not registered here"
        raise Refused(f"the number {words}")
    return found[0]


def refuse_deleted(document: Document) -> None:
    if document.is_deleted:
        raise Refused("it was deleted there, and here is nothing that hides history")


# -- Calls -----------------------------------------------------------------------------


def make_call(document: Document, run: Run) -> Made:
    refuse_deleted(document)
    notes: list[str] = []
    direction = document.word("direction", Call.Direction.values)
    if direction is None:
        raise Refused("direction is missing")
    status = document.word("status", Status.values)
    if status is None:
        raise Refused("status is missing")
    if status in Call.OPEN:
        raise Refused("it goes on there: import again when it has ended")
    is_incoming = direction == Call.Direction.INCOMING
    theirs, ours = "from_number", "to_number"
    if not is_incoming:
        theirs, ours = ours, theirs
    numbers = {theirs: document.party(theirs), ours: document.party(ours)}
    started_at = _past(document, "started_at", run)
    phone = phone_at(document, numbers[ours], started_at, run)
    owner = phone.owner
    agent = _agent_of("agents", document, run)
    refuse_strangers(owner, agent_id=agent)
    sid = document.get("sid", values.line)
    _refuse_double(Call, owner, sid, run)
    call = checked(
        Call,
        id=id_at(started_at),
        owner=owner,
        phone=phone,
        carrier_account=phone.carrier_account,
        agent=agent,
        sid=sid,
        direction=direction,
        status=status,
        **(numbers | {ours: numbers[ours] or phone.number}),
        **_times(document, status, started_at),
        **_end(document, status),
        **_cost(document, run),
        answered_by=document.get("answered_by", values.word, "")[:30],
        model_label=document.get("model", values.text, "")[:200],
        placement="" if is_incoming else Call.Placement.PLACED,
        created_at=started_at,
    )
    call.last_event_at = call.ended_at
    parts = [*_turns(document, call, notes), _after_call(document, call)]
    if call.cost is not None:
        parts.append(
            CallCost(
                owner=owner,
                call=call,
                part=CallCost.Part.CARRIER,
                amount=call.cost,
                currency=call.currency,
            )
        )
    return Made(call, owner, after=parts, notes=notes)


def _past(document: Document, field: str, run: Run) -> datetime:
    at = document.moment(field)
    if at is None:
        raise Refused(f"{field} is missing")
    if at > run.at:
        raise Refused(f"{field} is in the future")
    return at


def _agent_of(collection: str, document: Document, run: Run):
    told = document.get("agent_id", source_id)
    return run.ledger.need(collection, told, "agent_id") if told else None


def _refuse_double(model, owner, sid: str | None, run: Run) -> None:
    if sid is None:
        return
    is_there = model.unscoped.filter(owner=owner, sid=sid).exists()
    if is_there or not run.take("sid", model, owner.pk, sid):
        raise Refused("one with the same SID is here already")


def _times(document: Document, status: str, started_at: datetime) -> dict:
    """When it was answered and ended, as far as that is told, and how long it was."""
    answered_at, ended_at = document.moment("answered_at"), document.moment("ended_at")
    duration_s = document.get("duration_s", values.seconds)
    was_answered = status == Status.COMPLETED or answered_at is not None
    begun = answered_at or started_at
    if ended_at is None:
        ended_at = begun + timedelta(seconds=min(duration_s or 0, LONGEST_S))
    if not started_at <= begun <= ended_at:
        raise Refused("its start, answer and end are in no order")
    if duration_s is None:
        duration_s = int((ended_at - begun).total_seconds()) if was_answered else 0
    if max(duration_s, (ended_at - started_at).total_seconds()) > LONGEST_S:
        raise Refused("it is longer than a call can be")
    if was_answered and answered_at is None:
        answered_at = max(started_at, ended_at - timedelta(seconds=duration_s))
    return {
        "started_at": started_at,
        "answered_at": answered_at,
        "ended_at": ended_at,
        "duration_s": duration_s,
    }


def _end(document: Document, status: str) -> dict[str, str]:
    """Why it ended, in our words if it is told in them; else theirs beside."""
    told = document.get("end_reason", values.line, "")
    ours = told.lower().replace("-", "_")
    if ours in Reason.values:
        return {"end_reason": ours}
    reason = REASONS.get(Status(status), "")
    return {"end_reason": str(reason), "end_detail": told[:200]}


def _cost(document: Document, run: Run) -> dict:
    cost = document.get("cost", values.amount)
    if cost is None:
        return {}
    currency = document.get("currency", values.line, run.names.defaults.currency)
    return {"cost": cost, "currency": currency.upper()}


def _turns(document: Document, call: Call, notes: list[str]) -> list[Turn]:
    """What was said; an entry that cannot be read is left out, with a note."""
    try:
        told = document.get("turns", values.listed, [])
    except Refused as refused:
        notes.append(f"{refused}: there is no transcript")
        return []
    turns: list[Turn] = []
    for entry in told:
        try:
            turns.append(_turn(document.within(entry), call, len(turns) + 1))
        except Refused:
            continue
    if left_out := len(told) - len(turns):
        notes.append(f"{left_out} entries of the transcript were left out")
    return turns


def _turn(entry: Document, call: Call, number: int) -> Turn:
    begun = call.answered_at or call.started_at
    at = entry.moment("at", begun)
    speaker = entry.word("speaker", SPEAKERS)
    if speaker is None:
        raise Refused("speaker is missing")
    return checked(
        Turn,
        owner=call.owner,
        call=call,
        number=number,
        speaker=speaker,
        text=entry.need("text", values.text),
        at=at,
        at_ms=max(0, int((at - begun).total_seconds() * 1000)),
        reply_ms=entry.get("reply_ms", values.seconds),
        interrupted=entry.get("interrupted", values.boolean, False),
        created_at=at,
    )


def _after_call(document: Document, call: Call) -> AfterCall:
    """Done: nothing of an imported call is analyzed here, or asked of the carrier."""
    summary = document.get("summary", values.text, "")
    extracted = document.get("extracted", values.plain)
    kinds = AfterCall.Analysis
    return AfterCall(
        owner=call.owner,
        call=call,
        step=AfterCall.Step.DONE,
        analysis=kinds.DONE if summary or extracted else kinds.NOT_WANTED,
        summary=summary,
        extracted=extracted,
        created_at=call.ended_at,
    )


# -- Texts -----------------------------------------------------------------------------


def make_message(document: Document, run: Run) -> Made:
    refuse_deleted(document)
    notes: list[str] = []
    direction = document.word("direction", Message.Direction.values)
    if direction is None:
        raise Refused("direction is missing")
    is_incoming = direction == Message.Direction.INCOMING
    usual = Message.Status.RECEIVED if is_incoming else None
    status = document.word("status", Message.Status.values, usual)
    if status is None or status in NOT_HISTORY:
        raise Refused("it is not told that it was sent: it would have to be sent here")
    theirs, ours = "from_number", "to_number"
    if not is_incoming:
        theirs, ours = ours, theirs
    numbers = {theirs: document.party(theirs), ours: document.party(ours)}
    if not numbers[theirs]:
        raise Refused(f"{theirs} is missing")
    at = _past(document, "created_at", run)
    phone = phone_at(document, numbers[ours], at, run)
    owner = phone.owner
    agent = _agent_of("message_agents", document, run)
    refuse_strangers(owner, agent_id=agent)
    sid = document.get("sid", values.line)
    _refuse_double(Message, owner, sid, run)
    conversation, new = _conversation(phone, numbers[theirs], at, run)
    message = checked(
        Message,
        id=id_at(at),
        owner=owner,
        conversation=conversation,
        carrier_account=phone.carrier_account,
        direction=direction,
        status=status,
        sid=sid,
        **(numbers | {ours: numbers[ours] or phone.number}),
        body=document.get("body", values.text, ""),
        media=_media(document, is_incoming, notes),
        sent_by=_sender(document, is_incoming, agent),
        agent=agent,
        error_code=document.get("error_code", values.whole),
        error_detail=document.get("error", values.text, "")[:200],
        segments=document.get("segments", values.whole, 1),
        **_cost(document, run),
        created_at=at,
    )
    return Made(message, owner, before=new, notes=notes)


def _conversation(phone: Phone, address: str, at: datetime, run: Run):
    """That of these two, and it again in a list if it is not here yet.

    It is closed: nobody is waited for.
    """
    key = ("conversation", phone.pk, address)
    known = run.shared.get(key)
    if known is None:
        known = Conversation.unscoped.filter(phone=phone, address=address).first()
    if known is not None:
        run.shared[key] = known
        return known, []
    made = checked(
        Conversation,
        id=id_at(at),
        owner=phone.owner,
        phone=phone,
        address=address,
        status=Conversation.Status.CLOSED,
        last_message_at=at,
        created_at=at,
    )
    run.shared[key] = made
    return made, [made]


def _sender(document: Document, is_incoming: bool, agent: MessageAgent | None) -> str:
    if is_incoming:
        return Message.SentBy.OTHER_PARTY
    usual = Message.SentBy.AGENT if agent else Message.SentBy.USER
    return document.word("sent_by", Message.SentBy.values, usual)


def _media(document: Document, is_incoming: bool, notes: list[str]) -> list[dict]:
    """What came with it: addresses of ours, the carrier's SIDs of theirs."""
    told = document.get("media", values.listed, [])
    if is_incoming:
        found = [
            {"sid": each["sid"], "content_type": each["content_type"]}
            for each in told
            if isinstance(each, dict)
            and isinstance(each.get("sid"), str)
            and isinstance(each.get("content_type"), str)
        ]
    else:
        urls = [each.get("url") if isinstance(each, dict) else each for each in told]
        found = [
            {"url": url}
            for url in urls
            if isinstance(url, str) and url.startswith(("https://", "http://"))
        ]
    if len(found) < len(told):
        notes.append(f"{len(told) - len(found)} of its media were left out")
    return found


def finish_messages(made: list[Made], run: Run) -> None:
    """Let conversations tell of their latest text, and keep who wants none."""
    latest: dict = {}
    for message in sorted((each.row for each in made), key=lambda row: row.created_at):
        latest[message.conversation_id] = message
        if message.direction == Message.Direction.INCOMING:
            _note_wish(message)
    for message in latest.values():
        thread = message.conversation
        if (
            thread.last_message_id is None
            or thread.last_message_at <= message.created_at
        ):
            thread.last_message, thread.last_message_at = message, message.created_at
            thread.save(update_fields=["last_message", "last_message_at"])


def _note_wish(message: Message) -> None:
    """Whoever stopped texts there is not called or texted from here either."""
    number = message.conversation.number
    listed = do_not_contact.find(message.owner, number)
    word = opt_outs.word_in(message.body, has_stopped=lambda: listed is not None)
    if word == opt_outs.Word.STOP and listed is None:
        try:
            do_not_contact.add(
                owner=message.owner,
                number=number,
                source=DoNotContact.Source.STOP,
                reason=TEXTED_STOP,
            )
        except InvalidNumber:  # a short code or a name: nobody to call
            return
    elif word == opt_outs.Word.START and listed and listed.reason == TEXTED_STOP:
        listed.put_away()
