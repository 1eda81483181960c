"""Calls of which nothing is heard any more: ask the carrier, and settle them.

Callbacks are best effort. The server's clock holds the longest call time, and every
call ends here at the latest. Two runs at once do no harm: each step holds for a call
as it is at that moment.
"""

import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from time import monotonic

from django.db.models import Exists, OuterRef

from telephony import twilio
from telephony.models import Call, Turn
from telephony.patience import patient_s
from telephony.services.calls import (
    follow_status,
    move_on,
    record_event,
    record_status,
)

# A process may have died with the session and missed the callbacks: ask soon.
ASK_AFTER_S = patient_s(60)
RINGING_LIMIT_S = patient_s(120)
GRACE_S = 60  # beyond the agent's longest call time, or a person's
ASK_FOR_S = patient_s(3600)  # so long a carrier that does not answer is asked again
ROUND_S = 20  # of asking; the next round comes within half a minute
ACCOUNTS_AT_ONCE = 8

logger = logging.getLogger(__name__)


def settle(at: datetime) -> int:
    """Settle what can be settled; how many calls were looked at."""
    looked_at, to_end = 0, []
    for call, told in _told_of(list(_silent_calls(at))):
        looked_at += 1
        try:
            if _settle(call, told, at):
                to_end.append(call)
        except Exception:  # the other calls have a right to be settled too
            logger.exception("call %s: not settled", call.pk)
    with ThreadPoolExecutor(ACCOUNTS_AT_ONCE) as pool:
        list(pool.map(_end, to_end))
    return looked_at


Told = twilio.CarrierCall | twilio.CarrierError | None


def _told_of(silent: list[Call]) -> Iterator[tuple[Call, Told]]:
    """What the carrier says of each call; None for a test line, which nobody can tell.

    Accounts are asked side by side and for so long only: a carrier that does not
    answer keeps nobody else's calls waiting. Who is left out comes next time, for the
    order is drawn by lot.
    """
    yield from ((call, None) for call in silent if call.carrier_account is None)
    accounts: dict = {}
    for call in silent:
        if call.carrier_account is not None:
            accounts.setdefault(call.carrier_account_id, []).append(call)
    until = monotonic() + ROUND_S
    with ThreadPoolExecutor(ACCOUNTS_AT_ONCE) as pool:
        drawn = random.sample(list(accounts.values()), len(accounts))
        asked = [pool.submit(_ask, calls, until) for calls in drawn]
        for answers in as_completed(asked):
            try:
                yield from answers.result()
            except Exception:  # the other accounts' calls are to be settled too
                logger.exception("an account's calls were not asked about")


def _ask(calls: list[Call], until: float) -> list[tuple[Call, Told]]:
    """Ask about an account's calls; the first refusal stands for all of the rest."""
    answers: list[tuple[Call, Told]] = []
    for place, call in enumerate(calls):
        if monotonic() > until:
            break
        try:
            answers.append((call, twilio.fetch_call(call.carrier_account, call.sid)))
        except twilio.NotFound as gone:
            answers.append((call, gone))
        except twilio.CarrierError as error:
            logger.warning("call %s: the carrier cannot be asked: %s", call.pk, error)
            return [*answers, *((left, error) for left in calls[place:])]
    return answers


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


def _patience_s(call: Call) -> float:
    if call.status != Call.Status.IN_PROGRESS:
        return RINGING_LIMIT_S
    return ASK_AFTER_S if call.carrier_account else _longest_s(call)


def _longest_s(call: Call) -> int:
    if call.handed_over_at is not None:
        return GRACE_S + Call.LONGEST_HANDED_OVER_S
    return GRACE_S + (call.agent.max_duration_s if call.agent else 0)


def _is_overdue(call: Call, at: datetime) -> bool:
    if call.status != Call.Status.IN_PROGRESS:
        return True
    talking = at - (call.handed_over_at or call.answered_at or call.started_at)
    return talking.total_seconds() > _longest_s(call)


def _settle(call: Call, told: Told, at: datetime) -> bool:
    """Write down what was told; True if the carrier must end the call now."""
    if isinstance(told, twilio.CarrierCall):
        return _follow(call, told, at)
    is_gone = told is None or isinstance(told, twilio.NotFound)
    if is_gone or _silent_s(call, at) >= ASK_FOR_S:
        _give_up(call, at)
    return False


def _follow(call: Call, told: twilio.CarrierCall, at: datetime) -> bool:
    if told.status not in Call.OPEN:
        duration_s = told.duration_s
        is_in_session = call.relay_connected_at and not call.handed_over_at
        if is_in_session:  # which would have told why it ended
            call.note_end_reason(Call.EndReason.CONNECTION_LOST)
        record_status(call, status=told.status, at=at, duration_s=duration_s)
        return False
    was_answered = told.status == Call.Status.IN_PROGRESS and call.status != told.status
    if _is_overdue(call, at) and not was_answered:
        call.note_end_reason(_why(call))
        return True
    # It goes on: asked again when it has been silent as long once more.
    follow_status(call, status=told.status, at=at)
    return False


def _end(call: Call) -> None:
    """Hang up at the carrier; its callback or the next round settles the call."""
    try:
        twilio.end_call(call.carrier_account, call.sid)
    except twilio.CarrierError as error:
        logger.warning("call %s: not ended: %s", call.pk, error)


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
