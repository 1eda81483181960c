"""Dialling what is due. Beat only rings the bell: the row is the truth.

A tick claims due rows in small batches, in turn for each carrier account, as leases. A
task dials a batch, its rows side by side. Whoever dies with a lease loses it: the row
is pending again, unless its call had been asked for, and then the call tells what
becomes of it. Two bells, two deliveries of a task, or none for an hour do no harm.
"""

import logging
import random
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection, transaction
from django.db.models import (
    BooleanField,
    Exists,
    F,
    Func,
    Min,
    OuterRef,
    Q,
    QuerySet,
)
from django.utils.timezone import now
from django.utils.translation import gettext as _

from agents.models import VoiceAgent
from telephony import tasks
from telephony.dialling.rules import BUDGET, HALT, Decision
from telephony.models import Call, ScheduledCall
from telephony.patience import patient, patient_s
from telephony.services import asking, campaigns, placing, recurring, scheduled
from voiceops.paging import counted

Status = ScheduledCall.Status

TICK_S = 1
# A row is renewed before it is dialled, and dialling it takes less than that.
LEASE = patient(60)
LONGEST_LEASE = 2 * LEASE  # the clocks of two machines differ a little
ACCOUNTS_A_TICK = 100
MOST_AT_ONCE = 300  # of one account, whatever its rate
# Between two tries of an attempt that found no line, no turn or no carrier.
WAIT_FOR_LINE_S = (patient_s(10), patient_s(20))
# Between two looks at whether the budget was raised, or the workspace goes on.
WAIT_FOR_BUDGET_S = (patient_s(300), patient_s(600))
FOLLOWED_A_TICK = 500

logger = logging.getLogger(__name__)


def tick(at: datetime) -> int:
    """Whatever there is to do at this moment; how many rows were claimed."""
    recurring.make_coming(at)
    follow_ended()
    release_dead(at)
    claimed = 0
    for account, quota in _accounts_due(at):
        token = uuid.uuid4()
        if count := claim(account, quota, token, at):
            claimed += count
            tasks.dial_batch.delay(str(token))
    return claimed


def follow_ended() -> None:
    """What the end of a call could not tell its scheduled call: a process died.

    While somebody holds the row, its latest attempt may be one before theirs.
    """
    over = Call.unscoped.filter(
        Q(ended_at__isnull=False) | Q(placement=Call.Placement.UNKNOWN),
        scheduled_call__status__in=ScheduledCall.IN_FLIGHT,
        scheduled_call__lease_token=None,
        attempt=F("scheduled_call__attempts_made"),
    )
    for call in over[:FOLLOWED_A_TICK]:
        try:
            scheduled.follow(call)
        except Exception:  # the others have a right to be followed and dialled
            logger.exception("call %s: not followed", call.pk)


def release_dead(at: datetime) -> int:
    """Take back the leases whose holders are dead, and what the carrier refused to take
    after its lease was over; how many.

    Where the carrier had been asked, or may not be, the call tells what becomes of the
    row.
    """
    dialing = ScheduledCall.unscoped.filter(status=Status.DIALING)
    attempt = Call.unscoped.filter(
        scheduled_call=OuterRef("pk"), attempt=OuterRef("attempts_made")
    )
    tells = Exists(attempt.exclude(placement=Call.Placement.OPENED).not_put_off())
    # A lease that ends too late was taken by a clock that was wrong.
    is_dead = Q(lease_until__lt=at) | Q(lease_until__gt=at + LONGEST_LEASE)
    dead = dialing.filter(is_dead)
    over = {"lease_token": None, "lease_until": None, "updated_at": now()}
    dead.filter(tells).update(**over)
    free = dialing.filter(is_dead | Q(lease_token=None)).exclude(tells)
    return free.update(status=Status.PENDING, **over)


def _accounts_due(at: datetime) -> Iterable[tuple[uuid.UUID | None, int]]:
    """The carrier accounts with due rows, the longest waiting first, and how many of
    each may be claimed now: a tenant with thousands does not keep others waiting."""
    account = F("agent__phone__carrier_account")
    due = ScheduledCall.unscoped.due(at).annotate(account=account)
    per_second = F("agent__phone__carrier_account__calls_per_second")
    found = due.values("account", per_second=per_second)
    waiting = found.annotate(since=Min("next_attempt_at")).order_by("since")
    for row in waiting[:ACCOUNTS_A_TICK]:
        yield row["account"], min(MOST_AT_ONCE, TICK_S * (row["per_second"] or 1))


def claim(account, quota: int, token: uuid.UUID, at: datetime) -> int:
    """Lease up to `quota` due rows of the account; how many. Nobody gets one twice."""
    due = ScheduledCall.unscoped.due(at).filter(agent__phone__carrier_account=account)
    with transaction.atomic():
        chosen = _first_unlocked(due.order_by("next_attempt_at", "pk"), quota)
        # Elsewhere the condition decides: the row is pending still, or not ours.
        return chosen.filter(status=Status.PENDING).update(
            status=Status.DIALING,
            lease_token=token,
            lease_until=at + LEASE,
            updated_at=at,
        )


def _first_unlocked(rows: QuerySet, most: int) -> QuerySet:
    """The first rows that nobody else is taking now, to be changed in one statement."""
    pks = rows.values("pk")
    if not connection.features.has_select_for_update_skip_locked:
        return rows.model.unscoped.filter(pk__in=pks[:most])
    unlocked = pks.select_for_update(skip_locked=True, of=("self",))[:most]
    return rows.model.unscoped.filter(_IsAnyOf("pk", ArraySubquery(unlocked)))


class _IsAnyOf(Func):
    """`= ANY (an array)`, which PostgreSQL makes once for the whole statement.

    A sub-select of `IN` may be run for each row, and lock more than its limit.
    """

    template, arg_joiner = "%(expressions)s)", " = ANY("
    output_field = BooleanField()


# -- One batch -------------------------------------------------------------------------


def dial_batch(token: uuid.UUID) -> None:
    """Dial the rows of a lease, side by side. A second delivery finds none left."""
    rows: dict[Call, ScheduledCall] = {}

    def more(room: int) -> list[Call] | None:
        taken = _take(token, room)
        if taken is None:
            return None
        opened = _open(campaigns.hold_back(taken))
        rows.update(opened)
        return list(opened)

    for told in asking.Asking(more).run():
        _let_go([rows.pop(call) for call in told.asked])
        for call in told.asked:  # a clear no, or a callback that was quicker
            if call.has_ended:
                scheduled.follow(call)
        for row in campaigns.hold_back([rows.pop(call) for call in told.later]):
            wait = timedelta(seconds=random.uniform(*WAIT_FOR_LINE_S))
            row.move_held(Status.PENDING, next_attempt_at=now() + wait)


def _take(token: uuid.UUID, room: int) -> list[ScheduledCall] | None:
    """Renew the lease of some rows, for this delivery of the batch alone; None if the
    lease has none any more.
    """
    leased = ScheduledCall.unscoped.filter(status=Status.DIALING, lease_token=token)
    ids = leased.order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:room]
    if not (ids := list(ids)):
        return None
    mine = uuid.uuid4()  # another delivery of the batch finds them taken
    renewed = {"lease_token": mine, "lease_until": now() + LEASE}
    leased.filter(pk__in=ids).update(**renewed)
    rows = list(ScheduledCall.unscoped.filter(lease_token=mine))
    agents = VoiceAgent.unscoped.select_related(
        "owner", "phone__carrier_account", "prompt", "prompt_version"
    ).in_bulk({row.agent_id for row in rows})
    for row in rows:
        row.agent = agents[row.agent_id]
        row.owner = row.agent.owner
    return rows


def _open(rows: list[ScheduledCall]) -> dict[Call, ScheduledCall]:
    """The calls to be placed, each with its row; what cannot be opened together is
    opened one by one, for the others have a right to be dialled.
    """
    try:
        return _attempts(rows, now())
    except Exception:
        if len(rows) == 1:
            logger.exception("scheduled call %s: not dialled", rows[0].pk)
            return {}
        opened: dict[Call, ScheduledCall] = {}
        for row in rows:
            opened |= _open([row])
        return opened


def _attempts(rows: list[ScheduledCall], at: datetime) -> dict[Call, ScheduledCall]:
    """The calls to be placed, where the rules do not say no or later, and where they
    were not placed before.
    """
    calls: dict[Call, ScheduledCall] = {}
    of_owner: dict = {}
    unfinished = _unfinished(rows)
    for row in rows:
        call = unfinished.get(row.pk)
        if call is not None and call.placement != Call.Placement.OPENED:
            # Whoever asked for it died before writing that down.
            row.move_held(Status.DIALING)
            scheduled.follow(call)
        elif row.is_late(at):
            _expire(row)
        else:
            of_owner.setdefault(row.owner_id, []).append((row, call))
    for wanted in of_owner.values():
        # Whoever finds an attempt that has ended finds its row waiting again.
        with transaction.atomic():
            for attempt in placing.open_attempts(wanted, at):
                if attempt.call is None:
                    _defer(attempt.row, attempt.decision, at)
                elif attempt.call.has_ended:
                    scheduled.follow(attempt.call)
                else:
                    calls[attempt.call] = attempt.row
    return calls


def _unfinished(rows: list[ScheduledCall]) -> dict[uuid.UUID, Call]:
    """The attempts that have been begun, by their row."""
    found = Call.unscoped.filter(
        scheduled_call__in=rows,
        attempt=F("scheduled_call__attempts_made"),
        ended_at=None,
    )
    related = found.select_related("carrier_account", "owner", "scheduled_call")
    by_row = {call.scheduled_call_id: call for call in related}
    for row in rows:
        if call := by_row.get(row.pk):
            call.agent = row.agent
    return by_row


def _expire(row: ScheduledCall) -> None:
    words = _("Its time went by before it could be dialled.")
    if row.is_held_by(BUDGET):
        words = _("Its time went by while the budget of the month was used up.")
    elif row.is_held_by(HALT):
        words = _("Its time went by while nothing was to go out.")
    if row.move_held(Status.EXPIRED, detail=words, next_attempt_at=None):
        scheduled.end_opened(row, Call.EndReason.NOT_PLACED, words)


def _let_go(rows: list[ScheduledCall]) -> None:
    """From now on the calls tell what becomes of the rows, not the leases."""
    if rows:
        held = ScheduledCall.unscoped.held(rows)
        held.update(lease_token=None, lease_until=None)


def _defer(row: ScheduledCall, decision: Decision, at: datetime) -> None:
    """Not now: when the rules say, or in a moment where only a line is missing.

    What the budget or a halt alone holds is still meant for its own time: it is dialled
    if that is over before it would be too late for it.
    """
    later = decision.later_if_released
    changes = {"detail": decision.reason[:200], "decision": decision.as_json()}
    if later is None and row.campaign_id:
        changes["next_attempt_at"] = None  # its turn comes again
    elif later is None:
        wait = timedelta(seconds=random.uniform(*WAIT_FOR_BUDGET_S))
        changes["next_attempt_at"] = at + wait
    elif later <= at:
        wait = timedelta(seconds=random.uniform(*WAIT_FOR_LINE_S))
        changes["next_attempt_at"] = at + wait
    elif later > row.gives_up_at:
        _expire(row)
        return
    else:
        changes |= row.planned(later)
    row.move_held(Status.PENDING, **changes)


def depth(at: datetime) -> dict:
    """What waits, for operators: due rows, the oldest of them, and unknown ones."""
    due = ScheduledCall.unscoped.due(at)
    return {
        "due": counted(due),
        "oldest": due.aggregate(oldest=Min("next_attempt_at"))["oldest"],
        "dialing": counted(ScheduledCall.unscoped.in_flight()),
        "unknown": counted(
            Call.unscoped.filter(placement=Call.Placement.UNKNOWN, ended_at=None)
        ),
    }
