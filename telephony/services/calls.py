"""What becomes of a call: it comes in, is talked through, and ends once.

Everything here may be repeated: the carrier delivers twice, late and out of order.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.timezone import now

from accounts.models import Workspace
from agents import dialogue, llm
from agents.models import VoiceAgent
from telephony import announcements, live, session
from telephony.models import Call, CallEvent, CallQuerySet, Phone, TestLine, Turn
from telephony.services import after_call, interventions, scheduled
from voiceops import metrics
from voiceops.ids import opaque_token

Status, Reason = Call.Status, Call.EndReason

# Twilio's error codes of a live session, and what they mean here.
SESSION_ERRORS = {
    "64102": (Reason.CONNECTION_FAILED, "the carrier could not connect"),
    "64105": (Reason.CONNECTION_LOST, "the connection broke off"),
}
MAX_RESUMES = 3  # a call's sessions after the first; then we say sorry and hang up
# Concluded from how a call ended, not told by anybody: they give way to what is told.
OF_OUTGOING = {
    Status.BUSY: Reason.BUSY,
    Status.NO_ANSWER: Reason.NO_ANSWER,
    Status.FAILED: Reason.NOT_REACHED,
    Status.CANCELED: Reason.CANCELED,
}
GUESSED = (Reason.CALLER_HUNG_UP, Reason.CARRIER_ENDED, *OF_OUTGOING.values())

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,40}")  # what can be one of our address tokens


# What a call's opening asks of its agent, for the carrier waits. What is missing here
# is read when it is asked for, by a statement of its own.
OPENING = (
    *("name", "transport", "model", "variables", "instructions", "knows_contact"),
    *("greeting", "greeting_mode", "greeting_interruptible", "interruptible"),
    *("interrupt_sensitivity", "language", "voice", "hints", "dtmf_detection"),
    *("tts_provider", "transcription_provider", "recording_enabled"),
    *("end_call_phrases", "end_call_message", "dtmf_length", "filler"),
    *("silence_reminders", "silence_reminder_s", "silence_timeout_s"),
    *("prompt__version", "prompt__text"),
    *("prompt_version__number", "prompt_version__text"),
)

# What every call that comes in asks for, but for whose it is. `filter` makes a copy;
# building them anew each time took a twentieth of the webhook.
_ANSWERING = (
    VoiceAgent.unscoped.answering()
    .select_related("prompt", "prompt_version")
    .only(*OPENING)
)
_PHONES = Phone.unscoped.select_related("carrier_account", "owner").only(
    "number",
    "deleted_at",
    "owner__timezone",
    "owner__suspended_at",
    "carrier_account__owner_id",
    "carrier_account__account_sid",
    "carrier_account__auth_token",
    "carrier_account__old_auth_token",
    "carrier_account__old_auth_token_until",
)


class CallOver(Exception):
    """The carrier asks about a call that has ended: a replay."""


@dataclass(frozen=True)
class Line:
    """What was called: a phone or a test line; its account signs the webhooks."""

    phone: Phone | None = None
    test_line: TestLine | None = None

    @property
    def _account(self):
        return self.test_line or self.phone.carrier_account

    def tokens_at(self, at: datetime) -> list[str]:
        return self._account.tokens_at(at)

    @property
    def account_sid(self) -> str:
        return self._account.account_sid

    @property
    def phone_id(self):
        return self.phone.pk if self.phone else None

    @property
    def owner(self) -> Workspace:
        return (self.test_line or self.phone).owner

    @property
    def owner_id(self):
        return (self.test_line or self.phone).owner_id


def line_of(token: str) -> Line | None:
    """The line with this address token; a removed number still has its own."""
    # Unique, so unordered: sorting one row costs a tenth of the whole webhook.
    if phone := next(iter(_PHONES.filter(webhook_token=token)), None):
        return Line(phone=phone)
    lines = TestLine.unscoped.select_related(
        "agent__prompt", "agent__prompt_version", "owner"
    )
    test_line = lines.filter(webhook_token=token).first()
    return Line(test_line=test_line) if test_line else None


def with_signer() -> CallQuerySet:
    """Calls with whose secret signs their webhooks, and all that a turn needs."""
    return Call.unscoped.select_related(
        "owner",
        "agent__prompt",
        "agent__prompt_version",
        "carrier_account",
        "test_line",
    )


def receive_call(
    line: Line, *, sid: str, from_number: str, to_number: str, at: datetime
) -> Call:
    """Write a call down, with its agent or the reason why nobody answers.

    A call that the carrier asks about again is the same call, as it was first
    answered; `CallOver` if it has ended since. Two requests at once are settled by
    the constraint on the SID.
    """
    refusal = _refusal(line, to_number)
    agent = None if refusal else _agent_of(line)
    if not refusal and agent is None:
        refusal = Reason.NO_ACTIVE_AGENT
    call = Call(
        **_of_line(line),
        **(_of_agent(agent, at) if agent else {"status": Status.RINGING}),
        sid=sid,
        direction=Call.Direction.INCOMING,
        from_number=from_number,
        to_number=to_number,
        started_at=at,
        last_event_at=at,
        end_reason=refusal,
    )
    try:
        call.save(force_insert=True)
    except IntegrityError:
        return _same_call(line, sid)
    live.changed(call)
    if not call.is_test:
        metrics.note_call_begun(call.direction)
    return call


def _refusal(line: Line, to_number: str) -> str:
    if line.owner.is_suspended:
        return Reason.SUSPENDED
    if line.phone is None:
        return ""
    if line.phone.is_deleted:
        return Reason.NUMBER_REMOVED
    return "" if to_number == line.phone.number else Reason.WRONG_NUMBER


def _agent_of(line: Line) -> VoiceAgent | None:
    if line.test_line:
        agent = None if line.test_line.agent.is_deleted else line.test_line.agent
    else:
        # A constraint lets there be one.
        agent = next(iter(_ANSWERING.filter(phone=line.phone)), None)
    if agent is not None:
        agent.owner = line.owner  # read along with the line
    return agent


def _of_line(line: Line) -> dict:
    return {
        "owner": line.owner,
        "phone": line.phone,
        "carrier_account": line.phone.carrier_account if line.phone else None,
        "test_line": line.test_line,
        "is_test": line.test_line is not None,
    }


def _of_agent(agent: VoiceAgent, at: datetime) -> dict:
    if agent.transport == VoiceAgent.Transport.GATHER:
        # The carrier answers with our first words and reports nothing before the end.
        answered = {"status": Status.IN_PROGRESS, "answered_at": at}
        return kept_of_agent(agent) | answered
    # Who speaks is looked up for the session: here the carrier waits.
    return _said_by(agent) | {"status": Status.RINGING}


def kept_of_agent(agent: VoiceAgent) -> dict:
    """What a call keeps of the agent as it is now, whatever becomes of it."""
    return _said_by(agent) | _thought_by(session.provider_of(agent))


def _said_by(agent: VoiceAgent) -> dict:
    return {
        "agent": agent,
        "transport": agent.transport,
        "prompt_version": agent.version_in_use,
    }


def _thought_by(provider: llm.Provider) -> dict:
    return {"model_label": provider.label[:200], "is_demo": provider.is_demo}


def _same_call(line: Line, sid: str) -> Call:
    call = with_signer().get(owner=line.owner, sid=sid)
    of_this_line = call.phone_id == line.phone_id and call.test_line == line.test_line
    if call.has_ended or not of_this_line:
        raise CallOver
    return call


def open_session(
    token: str, is_signed: Callable[[str], bool]
) -> tuple[Call, llm.Provider] | None:
    """The call whose live session has this address, and the model that will speak;
    None if it is not to be opened.

    `is_signed` is asked with each auth token of the call's account. The address is
    good for one connection, which is taken here.
    """
    call = with_signer().filter(relay_token=token).first()
    if call is None or not any(map(is_signed, call.tokens_at(now()))):
        return None
    waiting = Call.unscoped.filter(
        pk=call.pk,
        relay_connected_at=None,
        transport=VoiceAgent.Transport.STREAM,
        status__in=Call.OPEN,
        end_reason="",
    )
    provider = session.provider_of(call.agent)
    taken = waiting.update(relay_connected_at=now(), **_thought_by(provider))
    return (call, provider) if taken else None


def record_answer(call: Call, at: datetime) -> None:
    """Somebody, or something, has answered a call that we placed."""
    move_on(call, Status.IN_PROGRESS, at=at)


def end_unplaced(
    call: Call, status: str, reason: str, detail: str, *, at: datetime
) -> bool:
    """End a call that never became one at the carrier; False if it has moved on."""
    with transaction.atomic():
        has_ended = call.end_unplaced(status, reason, detail, at=at)
        if has_ended:
            after_call.begin(call)
    return has_ended


def begin_session(call: Call, at: datetime) -> None:
    """The session has begun, at `at`: the call is answered."""
    call.advance(Status.IN_PROGRESS, at=at)
    interventions.begin_session(call)
    _record_session(call, "started", at=at, session=call.times_resumed)
    announcements.started(call)


def _record_session(
    call: Call, status: str, *, at: datetime, session: int, detail: str = ""
) -> None:
    """What happened to a call's session of this number: each is told once.

    Negative sequences are ours, so that none is taken for the carrier's.
    """
    record_event(
        call, status=f"session-{status}", at=at, sequence=-1 - session, detail=detail
    )


def resume_session(call: Call, *, session: int) -> bool:
    """Give the call another live session, for number `session` was lost.

    False if that is no use: the call is over or about to be, or it was tried often
    enough. A loss that is told twice is one: the answer is the same.
    """
    if call.transport != VoiceAgent.Transport.STREAM or call.agent is None:
        return False
    if session < (MAX_RESUMES if has_begun(call) else 1):
        next_session(call, session=session)
    else:
        _read_standing(call)
    return call.times_resumed > session and not (call.end_reason or call.has_ended)


def next_session(call: Call, *, session: int) -> None:
    """After session number `session` the call is the agent's in another one.

    Nothing happens if that is so already, or if the call is over.
    """
    standing = Call.unscoped.filter(
        pk=call.pk,
        times_resumed=session,
        status__in=Call.OPEN,
        end_reason__in=("", *GUESSED),
    )
    standing.update(
        times_resumed=session + 1,
        relay_token=opaque_token(),
        relay_connected_at=None,
        handed_over_at=None,
        transfer_to="",
        end_reason="",
        updated_at=now(),
    )
    _read_standing(call)


def _read_standing(call: Call) -> None:
    """Where the call stands now, whoever moved it on."""
    call.refresh_from_db(
        fields=[
            "times_resumed",
            "relay_token",
            "relay_connected_at",
            "handed_over_at",
            "transfer_to",
            "end_reason",
            "status",
        ]
    )


def note_other_model(call: Call, label: str) -> None:
    """Another model answered than the one that was asked first. Repeating is safe."""
    record_event(call, status="other-model", at=now(), detail=label)


def note_caller_left(call: Call) -> None:
    """The socket was closed as if the caller had hung up.

    A proxy that restarts closes it like that too: then the session was resumed, or
    will be.
    """
    rows = Call.unscoped.filter(pk=call.pk, times_resumed=call.times_resumed)
    rows.filter(end_reason="").update(end_reason=Reason.CALLER_HUNG_UP)


def record_turn(call: Call, turn: dialogue.Turn) -> None:
    """Write a turn, or what became of it: an interruption shortens it later.

    A session that was lost has no say any more in what the next one has written.
    """
    if add_turn(call, turn):
        metrics.note_reply(turn.reply_ms)
    else:
        turns = Turn.unscoped.filter(call=call, number=turn.number)
        turns = turns.filter(call__times_resumed=call.times_resumed)
        turns.update(**_fields_of(call, turn), updated_at=now())
        live.changed(call)


def add_turn(call: Call, turn: dialogue.Turn) -> bool:
    """Write a new turn; False if there is one of that number."""
    row = Turn(
        owner=call.owner, call=call, number=turn.number, **_fields_of(call, turn)
    )
    try:
        row.save(force_insert=True)
    except IntegrityError:
        return False
    live.changed(call)
    return True


def _fields_of(call: Call, turn: dialogue.Turn) -> dict:
    return {
        "speaker": turn.speaker,
        "text": turn.text,
        "at": call.answered_at + timedelta(milliseconds=turn.at_ms),
        "at_ms": turn.at_ms,
        "reply_ms": turn.reply_ms,
        "interrupted": turn.interrupted,
        "tool": asdict(turn.tool) if turn.tool else None,
        "by": turn.by,
    }


def has_begun(call: Call) -> bool:
    """Whether somebody was connected with the agent, even if no word is written yet."""
    is_connected = call.relay_connected_at is not None
    return is_connected or Turn.unscoped.filter(call=call).exists()


def stored_turns(call: Call) -> list[dialogue.Turn]:
    """The transcript, as the dialogue knows it."""
    names = [field.name for field in fields(dialogue.Turn)]
    rows = Turn.unscoped.filter(call=call).order_by("number").values(*names)
    return [
        dialogue.Turn(
            **row | {"tool": dialogue.ToolUse(**row["tool"]) if row["tool"] else None}
        )
        for row in rows
    ]


def record_event(
    call: Call, *, status: str, at: datetime, sequence: int = -1, detail: str = ""
) -> None:
    """Add to the call's history; the same event again changes nothing."""
    event = CallEvent(
        owner_id=call.owner_id,
        call=call,
        status=status,
        sequence=sequence,
        detail=detail[:200],
        at=at,
    )
    CallEvent.unscoped.bulk_create([event], ignore_conflicts=True)
    live.changed(call)


def record_status(
    call: Call,
    *,
    status: str,
    at: datetime,
    sequence: int = -1,
    duration_s: int | None = None,
) -> None:
    """What the carrier says of the call; in any order, any number of times."""
    with transaction.atomic():  # one turn at the database is enough
        record_event(call, status=status, sequence=sequence, at=at)
        _keep(call, status=status, at=at, duration_s=duration_s)
    scheduled.follow(call)


def move_on(call: Call, status: str, *, at: datetime) -> bool:
    """Move on to `status`; False if that is old news. The only way to end a call.

    Exactly one of those who tell that a call has ended begins what comes after it.
    """
    with transaction.atomic():
        has_moved = call.advance(status, at=at)
        if has_moved and call.has_ended:
            interventions.end_call(call, at)
            after_call.begin(call)
        if has_moved:
            live.changed(call)
    return has_moved


def follow_status(
    call: Call, *, status: str, at: datetime, duration_s: int | None = None
) -> None:
    """Move the call on, and keep what else the report knows of it."""
    with transaction.atomic():  # nobody sees an end without its reason
        _keep(call, status=status, at=at, duration_s=duration_s)
    scheduled.follow(call)


def _keep(call: Call, *, status: str, at: datetime, duration_s: int | None) -> None:
    move_on(call, status, at=at)
    rows = Call.unscoped.filter(pk=call.pk)
    if status in Call.OPEN:
        if status == Status.IN_PROGRESS:
            rows.filter(answered_at=None).update(answered_at=at)
    else:
        call.note_end_reason(_guess(call, status))
        if duration_s is not None:
            rows.filter(duration_s=None).update(duration_s=duration_s)
    rows.update(last_event_at=Greatest(F("last_event_at"), at))


def _guess(call: Call, status: str) -> str:
    """Why a call has probably ended like this, if nobody tells."""
    if status == Status.COMPLETED and call.handed_over_at is not None:
        return Reason.TRANSFERRED if has_joined(call) else Reason.CALLER_HUNG_UP
    if status == Status.COMPLETED:
        is_streamed = call.transport == VoiceAgent.Transport.STREAM
        was_resumed = is_streamed and call.times_resumed
        was_lost = was_resumed and call.relay_connected_at is None
        return Reason.CONNECTION_LOST if was_lost else Reason.CALLER_HUNG_UP
    if call.direction == Call.Direction.OUTGOING:
        return OF_OUTGOING[status]
    return Reason.CARRIER_ENDED


def has_joined(call: Call) -> bool:
    """Whether the person has answered to whom the call is handed over now."""
    events = CallEvent.unscoped.filter(call=call, status="transfer-answered")
    return events.filter(sequence=-1 - call.times_resumed).exists()


def record_session_end(
    call: Call,
    *,
    session_status: str,
    call_status: str,
    error_code: str,
    duration_s: int | None,
    session: int,
    at: datetime,
) -> bool:
    """The carrier left the live session: why, and what it says of the call.

    True if the call is to go on in another session.
    """
    reason, meaning = SESSION_ERRORS.get(error_code, (Reason.CONNECTION_LOST, ""))
    detail = f"{error_code}: {meaning}" if meaning else error_code
    _record_session(call, session_status, at=at, session=session, detail=detail)
    if session_status == "failed":
        if call_status in Call.OPEN and resume_session(call, session=session):
            return True
        note_told_reason(call, reason, detail)
    if call_status in Status.values:
        follow_status(call, status=call_status, at=at, duration_s=duration_s)
    return False


def note_session_lost(call: Call) -> None:
    note_told_reason(call, Reason.CONNECTION_LOST, "")


def note_told_reason(call: Call, reason: str, detail: str) -> None:
    """A reason that somebody knows, also when a guess was quicker."""
    if not call.note_end_reason(reason, detail):
        guessed = Call.unscoped.filter(pk=call.pk, end_reason__in=GUESSED)
        guessed.update(end_reason=reason, end_detail=detail)


def note_our_error(owner_id, sid: str) -> None:
    """The call ends because something broke here."""
    calls = Call.unscoped.filter(owner_id=owner_id, sid=sid, end_reason="")
    calls.update(end_reason=Reason.OUR_ERROR)
