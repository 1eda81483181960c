"""Calls of which nothing is heard any more: ask the carrier, and settle them.

Callbacks are best effort. The server's clock holds the longest call time, and every
call ends here at the latest. Two runs at once do no harm: each step holds for a call
as it is at that moment.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from telephony import twilio
from telephony.models import Call, Turn
from telephony.services.calls import (
    follow_status,
    move_on,
    record_event,
    record_status,
)

# A process may have died with the session and missed the callbacks: ask soon.
ASK_AFTER_S = 60
RINGING_LIMIT_S = 120
GRACE_S = 60  # beyond the agent's longest call time
ASK_FOR_S = 3600  # so long a carrier that does not answer is asked again

logger = logging.getLogger(__name__)


def settle(at: datetime) -> int:
    """Settle what can be settled; how many calls were looked at."""
    unanswering: set = set()  # accounts: one refusal is enough for this round
    looked_at = 0
    for call in _silent_calls(at):
        looked_at += 1
        try:
            _settle(call, at, unanswering)
        except Exception:  # the other calls have a right to be settled too
            logger.exception("call %s: not settled", call.pk)
    return looked_at


def _silent_calls(at: datetime) -> Iterator[Call]:
    since = at - timedelta(seconds=ASK_AFTER_S)
    quiet = Call.unscoped.filter(
        ~Exists(Turn.unscoped.filter(call=OuterRef("pk"), at__gt=since)),
        ended_at=None,
        status__in=Call.OPEN,
        sid__isnull=False,
        last_event_at__lt=since,
    )
    rows = quiet.select_related("agent", "carrier_account").order_by("last_event_at")
    return (call for call in rows if _silent_s(call, at) > _patience_s(call))


def _silent_s(call: Call, at: datetime) -> float:
    return (at - call.last_event_at).total_seconds()


def _patience_s(call: Call) -> int:
    if call.status != Call.Status.IN_PROGRESS:
        return RINGING_LIMIT_S
    return ASK_AFTER_S if call.carrier_account else _longest_s(call)


def _longest_s(call: Call) -> int:
    return GRACE_S + (call.agent.max_duration_s if call.agent else 0)


def _is_overdue(call: Call, at: datetime) -> bool:
    if call.status != Call.Status.IN_PROGRESS:
        return True
    talking = at - (call.answered_at or call.started_at)
    return talking.total_seconds() > _longest_s(call)


def _settle(call: Call, at: datetime, unanswering: set) -> None:
    account = call.carrier_account
    if account is None:  # a test line: nobody can be asked
        return _give_up(call, at)
    if account.pk in unanswering and _silent_s(call, at) < ASK_FOR_S:
        return None
    try:
        told = twilio.fetch_call(account, call.sid)
        _follow(call, told, at)
    except twilio.NotFound:
        _give_up(call, at)
    except twilio.CarrierError as error:
        unanswering.add(account.pk)
        logger.warning("call %s: the carrier cannot be asked: %s", call.pk, error)
        if _silent_s(call, at) >= ASK_FOR_S:
            _give_up(call, at)


def _follow(call: Call, told: twilio.CarrierCall, at: datetime) -> None:
    if told.status not in Call.OPEN:
        duration_s = told.duration_s
        if call.relay_connected_at:  # its session would have told why it ended
            call.note_end_reason(Call.EndReason.CONNECTION_LOST)
        record_status(call, status=told.status, at=at, duration_s=duration_s)
        return
    was_answered = told.status == Call.Status.IN_PROGRESS and call.status != told.status
    if _is_overdue(call, at) and not was_answered:
        return _end(call)
    # It goes on: asked again when it has been silent as long once more.
    follow_status(call, status=told.status, at=at)


def _end(call: Call) -> None:
    """Hang up at the carrier; its callback or the next round settles the call."""
    call.note_end_reason(_why(call))
    twilio.end_call(call.carrier_account, call.sid)


def _why(call: Call) -> str:
    if call.status == Call.Status.IN_PROGRESS:
        return Call.EndReason.TIME_UP
    if call.direction == Call.Direction.OUTGOING:
        return Call.EndReason.NO_ANSWER
    return Call.EndReason.OUR_ERROR


def _give_up(call: Call, at: datetime) -> None:
    logger.warning("call %s: its end was never reported", call.pk)
    call.note_end_reason(Call.EndReason.NEVER_REPORTED)
    record_event(call, status="never-reported", at=at)
    move_on(call, Call.Status.FAILED, at=at)
