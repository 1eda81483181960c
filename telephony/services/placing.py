"""Placing calls: each at most once.

The call is written before the carrier is asked (`asking`); its id is in every address
that the carrier is given, and the first callback may overtake the answer. A call goes
from `opened` to `asked` in one step that only one worker can make, and back only after
a clear no. An answer that got lost is never a reason to ask again: the call is looked
for (`lost_calls`), and what cannot be found waits for a person.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from django.db import transaction
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import User, Workspace
from agents.models import VoiceAgent
from telephony import live, tasks, twilio, words
from telephony.dialling.rules import Decision, decide
from telephony.models import Call, DialledDay, ScheduledCall
from telephony.patience import patient
from telephony.services import calls, dialling, scheduled
from voiceops import metrics
from voiceops.sql import by_key

Placement, Reason, Status = Call.Placement, Call.EndReason, Call.Status

# A call for now that has not been asked for by then is not what was meant any more.
NOW_LASTS = patient(60)
# A task that got lost is made up for by the clock.
WAIT_FOR_TASK = timedelta(seconds=3)
BATCH = 50


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
        _locked_day(agent.owner, at)  # the second click waits here for the first
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
        day = _locked_day(agent.owner, at)
        decision = dialling.decide_call(agent, number, at)
        call = _write(
            day,
            decision,
            agent=agent,
            kept=calls.kept_of_agent(agent),
            to_number=number,
            variables=variables,
            placed_by=by,
        )
    return call, decision


@dataclass(frozen=True)
class Attempt:
    """What became of the wish to dial a leased row; no call where it is too early, or
    where the lease is somebody else's by now.
    """

    row: ScheduledCall
    call: Call | None
    decision: Decision


def open_attempts(
    wanted: list[tuple[ScheduledCall, Call | None]], at: datetime
) -> list[Attempt]:
    """Write down the next attempts of leased rows of one workspace: all, or none.

    With each row comes the attempt that was written before and never asked for, if
    there is one: it goes on.
    """
    rows = [row for row, _opened in wanted]
    owner = rows[0].owner
    with transaction.atomic():
        day = _locked_day(owner, at)
        locked = ScheduledCall.unscoped.held(rows).select_for_update(no_key=True)
        held = set(locked.order_by("pk").values_list("pk", flat=True))
        ground = dialling.Ground(owner, [row.to_number for row in rows], at)
        kept_of = cache(calls.kept_of_agent)  # many rows have the same agent
        new, attempts = [], []
        for row, opened in wanted:
            wishes = scheduled.wishes_of(row)
            decision = decide(ground.facts_of(row.agent, row.to_number, wishes, opened))
            call = None
            is_held = row.pk in held  # or it is for somebody else to say
            if is_held and opened is not None:
                call = _go_on_with(opened, decision)
            elif is_held and (decision.is_allowed or decision.is_refused):
                call = _attempt_of(row, decision, kept_of(row.agent))
                new.append(call)
                if decision.is_allowed:
                    ground.count(call)
            attempts.append(Attempt(row, call, decision))
        _save_attempts(new, day)
    return attempts


def _attempt_of(row: ScheduledCall, decision: Decision, kept: dict) -> Call:
    row.attempts_made += 1
    call = _call_of(
        decision,
        agent=row.agent,
        kept=kept,
        to_number=row.to_number,
        variables=row.variables,
        scheduled_call=row,
        attempt=row.attempts_made,
    )
    row.decision = call.decision
    return call


def _save_attempts(new: list[Call], day: DialledDay) -> None:
    if not new:
        return
    for call in new:
        call.refuse_foreign_rows()
    Call.unscoped.bulk_create(new)
    decisions = {call.scheduled_call_id: call.decision for call in new}
    ScheduledCall.unscoped.filter(pk__in=decisions).update(
        attempts_made=F("attempts_made") + 1,
        decision=by_key(ScheduledCall, decisions, "decision"),
    )
    _count(day, sum(call.placement == Placement.OPENED for call in new))
    for call in new:
        live.changed(call)
        metrics.note_call_begun(call.direction)


def _write(day: DialledDay, decision: Decision, **fields) -> Call:
    call = _call_of(decision, **fields)
    call.save(force_insert=True)
    _count(day, 1 if decision.is_allowed else 0)
    live.changed(call)
    metrics.note_call_begun(call.direction)
    return call


def _call_of(decision: Decision, *, agent: VoiceAgent, kept: dict, **fields) -> Call:
    return Call(
        **_of_agent(agent, decision),
        **kept,
        **fields,
        decision=decision.as_json(),
        started_at=decision.at,
        last_event_at=decision.at,
    )


def _count(day: DialledDay, calls: int) -> None:
    if calls:
        day.calls += calls
        day.save(update_fields=["calls"])


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


def _locked_day(owner: Workspace, at: datetime) -> DialledDay:
    dialling.make_rules(owner)
    day = dialling.day_of(owner, at)
    DialledDay.unscoped.get_or_create(owner=owner, day=day)
    return DialledDay.unscoped.select_for_update().get(owner=owner, day=day)


def _of_agent(agent: VoiceAgent, decision: Decision) -> dict:
    phone = agent.phone
    common = {
        "owner": agent.owner,
        "direction": Call.Direction.OUTGOING,
        "phone": phone,
        "carrier_account": phone and phone.carrier_account,
        "from_number": phone.number if phone else "",
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


# -- Calls for now whose task got lost -------------------------------------------------


def place_waiting(at: datetime) -> None:
    """Place the calls for now whose task got lost; end those that are too late."""
    too_old = Q(created_at__lt=at - NOW_LASTS)
    held_by_nobody = Q(placing_until=None) | Q(placing_until__lte=at)
    waiting = Call.unscoped.filter(
        too_old | held_by_nobody,
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
    if call.placement == Placement.OPENED and _end(
        call, Status.CANCELED, Reason.HUNG_UP_HERE, why, at=now()
    ):
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


def _end(call: Call, status: str, reason: str, detail: str, *, at: datetime) -> bool:
    """End a call that never became one at the carrier, and let its row follow in the
    same step; False if it has moved on.
    """
    with transaction.atomic():
        # In the order in which dialling locks them.
        row = ScheduledCall.unscoped.filter(pk=call.scheduled_call_id)
        list(row.select_for_update(no_key=True).values_list("pk"))
        has_ended = calls.end_unplaced(call, status, reason, detail, at=at)
        if has_ended:
            scheduled.follow(call)
    return has_ended


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
    is_of_a_row = call.scheduled_call_id is not None
    with transaction.atomic():
        if not _end(call, status, end_reason, detail, at=at):
            return None
        if is_of_a_row and outcome == "again":
            scheduled.dial_again(call.scheduled_call, at=at)
    if is_of_a_row or outcome != "again":
        return call
    return call_now(
        agent=call.agent,
        number=call.to_number,
        variables=call.variables,
        by=by,
        at=at,
    )
