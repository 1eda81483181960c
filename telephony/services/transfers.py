"""Handing a call over to a person, and taking it back if nobody answers.

Everything here may be repeated: the carrier delivers twice, late and out of order.
"""

from contextlib import suppress
from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import Workspace
from agents import handing_over
from agents.dialogue import TRANSFER_CALL
from telephony.models import Call, Phone, Turn
from telephony.services import calls, carrier, dialling

Status, Reason = Call.Status, Call.EndReason

# What the agent is told when it has the call again.
NOT_ALLOWED = "Not done: this number may not be called."
OUTCOMES = {
    Status.BUSY: "Nobody could be reached: the line was busy. The caller is back.",
    Status.NO_ANSWER: "Nobody answered. The caller is back.",
}
NOT_REACHED = "Nobody could be reached. The caller is back."


@handing_over.rule
def check_number(owner: Workspace, number: str) -> str:
    """The number in E.164; ValidationError if calls may not be handed over to it."""
    with suppress(carrier.InvalidNumber):
        number = carrier.e164(number)
    if why_not := refusal(owner, number, now()):
        raise ValidationError(why_not)
    return number


def refusal(owner: Workspace, number: str, at: datetime) -> str:
    """Why the workspace's calls may not be handed over to `number`; "" if they may."""
    if Phone.objects.for_owner(owner).filter(number=number).exists():
        return _("It is a number of this workspace: the call would come back here.")
    return dialling.decide_number_for(owner, number, at).reason


def begin(call: Call, *, session: int, at: datetime) -> bool:
    """After this session a person is to be called; False: go on as the call stands."""
    is_over = call.has_ended or call.end_reason not in ("", *calls.GUESSED)
    if is_over or call.times_resumed != session or call.agent is None:
        return False
    if call.handed_over_at is not None:
        return True
    number = number_of(call)
    if why_not := refusal(call.owner, number, at):
        _record(call, "failed", session, at, why_not)
        _take_back(call, session, "refused", NOT_ALLOWED)
        return False
    _record(call, "started", session, at, number)
    standing = Call.unscoped.filter(
        pk=call.pk,
        times_resumed=session,
        handed_over_at=None,
        status__in=Call.OPEN,
        end_reason__in=("", *calls.GUESSED),
    )
    standing.update(handed_over_at=at, end_reason="", updated_at=at)
    call.refresh_from_db(
        fields=["handed_over_at", "times_resumed", "status", "end_reason"]
    )
    return call.handed_over_at is not None


def number_of(call: Call) -> str:
    """Whom the call is handed over to."""
    return call.transfer_to or call.agent.transfer_number


def record_answer(call: Call, *, session: int, at: datetime) -> None:
    """The person has answered, and hears what is whispered."""
    _record(call, "answered", session, at)


def end(
    call: Call,
    *,
    session: int,
    has_talked: bool,
    dial_status: str,
    call_status: str,
    duration_s: int | None,
    at: datetime,
) -> None:
    """The person has left, or was not reached: then the agent has the call again."""
    if call.handed_over_at is None or call.times_resumed != session:
        return  # old news: the agent has it already
    if has_talked:
        _record(call, "answered", session, at)
        calls.note_told_reason(call, Reason.TRANSFERRED, "")
    else:
        _record(call, "failed", session, at, dial_status)
        if call_status in Call.OPEN:
            text = OUTCOMES.get(dial_status, NOT_REACHED)
            return _take_back(call, session, "failed", text)
    if call_status in Status.values:
        calls.follow_status(call, status=call_status, at=at, duration_s=duration_s)
    call.refresh_from_db(fields=["end_reason", "status"])


def _record(
    call: Call, status: str, session: int, at: datetime, detail: str = ""
) -> None:
    """Each is told once a session, like what happens to the session itself."""
    calls.record_event(
        call, status=f"transfer-{status}", at=at, sequence=-1 - session, detail=detail
    )


def _take_back(call: Call, session: int, status: str, text: str) -> None:
    """Tell the agent what came of it, before it has the call again."""
    asked = Turn.unscoped.filter(call=call, speaker=Turn.Speaker.TOOL)
    turn = asked.order_by("-number").first()
    if turn is not None and turn.tool["name"] == TRANSFER_CALL:
        turn.tool["status"], turn.text = status, text
        turn.save(update_fields=["tool", "text"])
    calls.next_session(call, session=session)
