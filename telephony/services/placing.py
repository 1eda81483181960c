"""Placing calls: each at most once.

The call is written before the carrier is asked; its id is in every address that the
carrier is given, and the first callback may overtake the answer. A call goes from
`opened` to `asked` in one step that only one worker can make, and back only after a
clear no. An answer that got lost is never a reason to ask again: the call is looked for
(`lost_calls`), and what cannot be found waits for a person.
"""

import logging
import random
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import User
from agents.models import VoiceAgent
from telephony import live, tasks, twilio, words
from telephony.addresses import webhook_url
from telephony.dialling.rules import Decision
from telephony.models import Call, DialledDay, ScheduledCall
from telephony.patience import patient, patient_s
from telephony.services import calls, dialling, pacing, scheduled, voicemail

Placement, Reason, Status = Call.Placement, Call.EndReason, Call.Status

RING_FOR_S = 30
# Between asking again after a clear "too much at once" or an unreachable carrier.
PAUSES_S = (patient_s(1), patient_s(2), patient_s(4))
# A call for now that has not been asked for by then is not what was meant any more.
NOW_LASTS = patient(60)
# A task that got lost is made up for by the clock.
WAIT_FOR_TASK = timedelta(seconds=3)
BATCH = 50

logger = logging.getLogger(__name__)


class CannotHangUp(Exception):
    """There is nothing to hang up, or nobody knows what: `str()` says why."""


def call_now(
    *, agent: VoiceAgent, number: str, variables: dict, by: User | None, at: datetime
) -> Call:
    """Have `number` called by `agent` now.

    The rules' refusal is a call too, ended before it began, with its reason. Who asks
    twice in a moment gets the first call again: a telephone does not ring twice.
    """
    with transaction.atomic():
        _locked_day(agent, at)  # the second click waits here for the first
        wish = {"agent": agent, "to_number": number, "placed_by": by}
        for call in _asked_for_just_now(wish, at):
            if call.variables == variables:
                return call
        call, decision = open_call(
            agent=agent, number=number, variables=variables, by=by, at=at
        )
    if decision.is_allowed:
        transaction.on_commit(lambda: _ring_the_bell(call), robust=True)
    return call


def _asked_for_just_now(wish: dict, at: datetime) -> Iterable[Call]:
    if wish["placed_by"] is None:
        return []
    return Call.unscoped.filter(
        **wish,
        scheduled_call=None,
        ended_at=None,
        started_at__gt=at - scheduled.DOUBLE_CLICK,
    )


def _ring_the_bell(call: Call) -> None:
    """Have it placed soon; what a broker that is away does not hear, the clock does."""
    tasks.place_call.apply_async([str(call.pk)], retry=False)


def open_call(
    *, agent: VoiceAgent, number: str, variables: dict, at: datetime, by: User | None
) -> tuple[Call, Decision]:
    """Write a call down before anybody is asked for it, and what the rules say of it.

    Openings of one workspace wait for each other, so no two take the last line or the
    last call of the day.
    """
    with transaction.atomic():
        day = _locked_day(agent, at)
        decision = dialling.decide_call(agent, number, at)
        call = _write(
            day,
            decision,
            agent=agent,
            to_number=number,
            variables=variables,
            placed_by=by,
        )
    return call, decision


def open_attempt(
    row: ScheduledCall, opened: Call | None, at: datetime
) -> tuple[Call | None, Decision]:
    """Write down the next attempt of a leased row; no call where it is too early, or
    where the lease is somebody else's by now.

    `opened` is the attempt that was written before and never asked for: it goes on.
    """
    with transaction.atomic():
        day = _locked_day(row.agent, at)
        decision = dialling.decide_call(
            row.agent, row.to_number, at, scheduled.wishes_of(row), opened
        )
        if opened is not None:
            return _go_on_with(opened, decision), decision
        if not (decision.is_allowed or decision.is_refused):
            return None, decision
        if not row.begin_attempt(decision.as_json()):
            return None, decision
        call = _write(
            day,
            decision,
            agent=row.agent,
            to_number=row.to_number,
            variables=row.variables,
            scheduled_call=row,
            attempt=row.attempts_made,
        )
    return call, decision


def _write(day: DialledDay, decision: Decision, *, agent: VoiceAgent, **fields) -> Call:
    at = decision.at
    call = Call(
        **_of_agent(agent, decision),
        **fields,
        decision=decision.as_json(),
        started_at=at,
        last_event_at=at,
    )
    call.save(force_insert=True)
    if decision.is_allowed:
        day.calls += 1
        day.save(update_fields=["calls"])
    live.changed(call)
    return call


def _go_on_with(call: Call, decision: Decision) -> Call | None:
    """The opened call by what the rules say now: goes on, refused, or too early."""
    at = decision.at
    call.decision = decision.as_json()
    Call.unscoped.filter(pk=call.pk).update(decision=call.decision)
    if decision.is_allowed:
        Call.unscoped.filter(pk=call.pk).update(last_event_at=at)
        return call
    reason = Reason.REFUSED if decision.is_refused else Reason.NOT_PLACED
    calls.end_unplaced(call, Status.CANCELED, reason, decision.reason, at=at)
    return call if decision.is_refused else None


def _locked_day(agent: VoiceAgent, at: datetime) -> DialledDay:
    dialling.make_rules(agent.owner)
    day = dialling.day_of(agent.owner, at)
    DialledDay.unscoped.get_or_create(owner=agent.owner, day=day)
    return DialledDay.unscoped.select_for_update().get(owner=agent.owner, day=day)


def _of_agent(agent: VoiceAgent, decision: Decision) -> dict:
    phone = agent.phone
    common = {
        "owner": agent.owner,
        "direction": Call.Direction.OUTGOING,
        "phone": phone,
        "carrier_account": phone and phone.carrier_account,
        "from_number": phone.number if phone else "",
        **calls.kept_of_agent(agent),
    }
    if decision.is_allowed:
        return common | {"status": Status.QUEUED, "placement": Placement.OPENED}
    return common | {
        "status": Status.CANCELED,
        "placement": Placement.NOT_PLACED,
        "ended_at": decision.at,
        "end_reason": Reason.REFUSED,
        "end_detail": decision.reason[:200],
    }


# -- Asking the carrier ----------------------------------------------------------------


def place(call_id) -> bool:
    """Ask the carrier for an opened call; False if it is to be tried again later.

    Safe to repeat and to race: one asks, the others find it asked for.
    """
    call = calls.with_signer().filter(pk=call_id).first()
    if call is None or call.placement != Placement.OPENED:
        return True
    for pause_s in (*PAUSES_S, None):
        turn = pacing.take_turn(call.carrier_account, now())
        if turn is None:
            return False
        time.sleep(max(0, (turn - now()).total_seconds()))
        if not call.begin_asking(now()):
            return _is_on_its_way(call)
        if _ask(call):
            return True
        if pause_s is not None:
            time.sleep(pause_s * random.uniform(0.75, 1.25))
    return False


def _is_on_its_way(call: Call) -> bool:
    """Whether somebody else asks, or ended it; not where its decision is too old."""
    call.refresh_from_db(fields=["placement"])
    return call.placement != Placement.OPENED


def _ask(call: Call) -> bool:
    """Ask once; False after an answer that allows to ask for the same call again."""
    try:
        sid = twilio.create_call(
            call.carrier_account,
            to_number=call.to_number,
            from_number=call.from_number,
            answer_url=webhook_url("answered", call.pk),
            fallback_url=webhook_url("call_fallback", call.pk),
            status_url=webhook_url("call_status", call.pk),
            ring_for_s=RING_FOR_S,
            detection=voicemail.detection_of(call),
            # Whoever takes part may hand it over: two people must not be cut off.
            # The agent's own longest time is held by our clock.
            longest_s=Call.LONGEST_HANDED_OVER_S,
        )
    except (twilio.Throttled, twilio.Unreachable) as error:  # nobody's phone rang
        call.take_back(str(error))
        return False
    except twilio.AnswerLost:  # perhaps it rang
        logger.warning("call %s: the carrier's answer was lost", call.pk)
        call.lose(now())
    except twilio.CarrierError as error:  # a clear no
        calls.end_unplaced(call, Status.FAILED, Reason.REJECTED, str(error), at=now())
    else:
        call.adopt(sid)
    return True


def place_waiting(at: datetime) -> None:
    """Place the calls for now whose task got lost; end those that are too late."""
    waiting = Call.unscoped.filter(
        placement=Placement.OPENED,
        scheduled_call=None,  # due_calls has its own clock
        created_at__lt=at - WAIT_FOR_TASK,
    ).order_by("pk")
    for call in waiting[:BATCH]:
        if call.created_at < at - NOW_LASTS:
            detail = call.end_detail or _("It did not come to it within a minute.")
            calls.end_unplaced(call, Status.CANCELED, Reason.NOT_PLACED, detail, at=at)
        else:
            tasks.place_call.delay(str(call.pk))


# -- Ending ----------------------------------------------------------------------------


def hang_up(call: Call, by: User | None = None) -> None:
    """End a call, whoever is speaking; one that was not asked for yet is not placed.

    Raises CannotHangUp, and what the carrier says to it.
    """
    why = words.ended_by(by.get_short_name()) if by else ""
    if call.has_ended:
        raise CannotHangUp(_("The call is over."))
    if call.placement == Placement.OPENED and calls.end_unplaced(
        call, Status.CANCELED, Reason.HUNG_UP_HERE, why, at=now()
    ):
        scheduled.follow(call)
        return
    if call.sid is None:
        raise CannotHangUp(_("Nobody knows yet whether the carrier took the call."))
    if call.carrier_account is None:
        raise CannotHangUp(_("End a test call where it is made."))
    twilio.end_call(call.carrier_account, call.sid)
    calls.note_told_reason(call, Reason.HUNG_UP_HERE, why)
    if call.scheduled_call_id is not None:  # its end may have been quicker
        call.refresh_from_db(fields=["status", "ended_at", "end_reason"])
        scheduled.follow(call)


# -- What nobody knows -----------------------------------------------------------------

OUTCOMES = {
    "again": (Status.CANCELED, Reason.NOT_PLACED),
    "not_placed": (Status.CANCELED, Reason.NOT_PLACED),
    "no-answer": (Status.NO_ANSWER, Reason.NO_ANSWER),
    "busy": (Status.BUSY, Reason.BUSY),
    "completed": (Status.COMPLETED, Reason.CALLER_HUNG_UP),
}


def settle(
    call: Call, *, outcome: str, reason: str, by: User | None, at: datetime
) -> Call | None:
    """What a person says became of a call that nobody knows; None if it is known.

    `by` is None for an operator, whose name tenants do not learn.

    Dialled again it is another call, which is returned.
    """
    status, end_reason = OUTCOMES[outcome]
    who = by.get_short_name() if by else _("an operator")
    detail = _("Settled by %(who)s: %(why)s") % {"who": who, "why": reason}
    if call.placement != Placement.UNKNOWN:
        return None
    if not calls.end_unplaced(call, status, end_reason, detail, at=at):
        return None
    if call.scheduled_call_id is not None:
        scheduled.follow(call)
        if outcome == "again":
            scheduled.dial_again(call.scheduled_call, at=at)
        return call
    if outcome != "again":
        return call
    return call_now(
        agent=call.agent,
        number=call.to_number,
        variables=call.variables,
        by=by,
        at=at,
    )
