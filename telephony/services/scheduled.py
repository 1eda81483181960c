"""Scheduled calls: made, changed and canceled by people; followed through attempts."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Greatest
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User, Workspace
from agents.models import VoiceAgent
from telephony.dialling.rules import UNWANTED, Decision, decide_number
from telephony.dialling.rules import opening as opening_of
from telephony.models import Call, Campaign, ScheduledCall
from telephony.periods import LAST_YEAR
from telephony.services import dialling
from telephony.services.dialling import Wishes

Status, Reason = ScheduledCall.Status, Call.EndReason
# Who asks for the same call again within it has clicked twice.
DOUBLE_CLICK = timedelta(seconds=10)
SAME = ("created_by_id", "agent_id", "to_number", "scheduled_for", "variables")
LATEST = 20  # of the workspace, that are compared
# What an attempt can end in after which another one makes sense.
WORTH_ANOTHER = {Call.Status.BUSY, Call.Status.NO_ANSWER, Call.Status.FAILED}
# The carrier would say the same again, or perhaps somebody was talked to.
FINAL = {
    Reason.REJECTED,
    Reason.REFUSED,
    Reason.HUNG_UP_HERE,
    Reason.NEVER_REPORTED,
}


class Refused(Exception):
    """It cannot be scheduled like that: `str()` says why, `field` about what."""

    def __init__(self, words: str, field: str | None = None):
        super().__init__(words)
        self.field = field


class NumberRefused(Refused):
    """The number may not be called at all, by the `rule` of that name."""

    def __init__(self, words: str, rule: str):
        super().__init__(words, "to_number")
        self.rule = rule


class NotPending(Exception):
    """It is being dialled, or over: it cannot be changed any more."""

    def __str__(self):
        return _("Only a call that is pending can be changed or canceled.")


def wishes_of(row: ScheduledCall) -> Wishes:
    return Wishes(row.timezone, row.window_start, row.window_end, row.window_days)


def schedule(row: ScheduledCall, *, by: User | None, at: datetime) -> ScheduledCall:
    """Store a new scheduled call, with when it is tried first. Raises Refused.

    Who schedules the same twice in a moment gets the first again.
    """
    row.created_by = by
    _plan_first(row, at)
    with transaction.atomic():
        # The second click waits here for the first.
        VoiceAgent.unscoped.select_for_update(no_key=True).get(pk=row.agent_id)
        if same := _scheduled_just_now(row, at):
            return same
        with audit.changing(row):
            row.save(force_insert=True)
    return row


def _scheduled_just_now(row: ScheduledCall, at: datetime) -> ScheduledCall | None:
    """The same call, if it is among the latest and a moment old."""
    if row.created_by is None:
        return None
    latest = ScheduledCall.unscoped.filter(owner=row.owner_id).order_by("-pk")
    for other in latest[:LATEST]:
        is_new = other.is_pending and other.created_at > at - DOUBLE_CLICK
        if is_new and all(getattr(other, n) == getattr(row, n) for n in SAME):
            return other
    return None


def change(row: ScheduledCall, changes: dict, *, at: datetime) -> ScheduledCall:
    """Change a pending call. Raises NotPending and Refused."""
    with transaction.atomic():
        stored = ScheduledCall.unscoped.select_for_update(no_key=True).get(pk=row.pk)
        if not stored.is_pending:
            raise NotPending
        # An attempt that waits for a line was opened for the call as it was.
        end_opened(stored, Reason.NOT_PLACED, _("The scheduled call was changed."))
        for name, value in changes.items():
            setattr(stored, name, value)
        _plan_first(stored, at)
        with audit.changing(stored):
            stored.save()
    return stored


def cancel(row: ScheduledCall, *, by: User | None) -> None:
    """Never dial it. Raises NotPending."""
    who = by.get_short_name() if by else ""
    detail = _("Canceled by %(who)s") % {"who": who} if who else ""
    with transaction.atomic():
        if not row.move(
            Status.CANCELED,
            among=(Status.PENDING,),
            detail=detail,
            next_attempt_at=None,
        ):
            raise NotPending
        end_opened(row, Reason.CANCELED, detail)
        audit.record(audit.Action.CANCELED, row)


def cancel_all(owner: Workspace, detail: str) -> None:
    """Dial nothing of what is scheduled. Safe to repeat; call it in a transaction.

    What is being dialled goes on, and is not tried again.
    """
    rows = ScheduledCall.unscoped.filter(owner=owner)
    opened = Call.unscoped.filter(
        owner=owner,
        scheduled_call__isnull=False,
        placement=Call.Placement.OPENED,
        ended_at=None,
    )
    for call in opened.select_related("scheduled_call"):
        end_opened(call.scheduled_call, Reason.CANCELED, detail)
    canceled = {"status": Status.CANCELED, "detail": detail, "next_attempt_at": None}
    due = rows.filter(status=Status.PENDING, next_attempt_at__isnull=False)
    due.update(**canceled, updated_at=now())
    rows.in_flight().update(max_attempts=Greatest("attempts_made", 1))


def end_opened(row: ScheduledCall, reason: str, detail: str) -> None:
    """End the attempt that the carrier has not been asked for, if there is one."""
    from telephony.services import calls  # it imports this module

    opened = Call.unscoped.filter(
        scheduled_call=row, placement=Call.Placement.OPENED, ended_at=None
    )
    for call in opened:
        calls.end_unplaced(call, Call.Status.CANCELED, reason, detail, at=now())


def _plan_first(row: ScheduledCall, at: datetime) -> None:
    if row.scheduled_for.year > LAST_YEAR:
        raise Refused(_("No calendar reaches that far."), "scheduled_for")
    if row.scheduled_for <= at:
        raise Refused(_("This time is over."), "scheduled_for")
    plan(row, at)


def plan(row: ScheduledCall, at: datetime) -> None:
    """Say when it is tried first. Raises Refused where that is never."""
    number = decide_number(_facts(row, at))
    if not number.is_allowed:
        raise NumberRefused(number.reason, number.rule)
    opens_at, words = opening(row, row.scheduled_for)
    if opens_at is None:
        raise Refused(words, "scheduled_for")
    for name, value in row.planned(opens_at).items():
        setattr(row, name, value)
    row.detail = words


def _facts(row: ScheduledCall, at: datetime):
    return dialling.facts_of(row.agent, row.to_number, at, wishes_of(row))


def opening(row: ScheduledCall, earliest: datetime) -> tuple[datetime | None, str]:
    """When, from `earliest` on, an attempt may be made; and why not at once."""
    finding = opening_of(_facts(row, earliest))
    if finding.verdict == "passed":
        return earliest, ""
    return finding.later, finding.text[:200]


def decide_next(row: ScheduledCall, at: datetime) -> Decision | None:
    """What the rules will say of its next attempt, as far as is known at that moment;
    None where none is to come.
    """
    if not row.is_pending:
        return None
    meant = max(row.next_attempt_at or row.due_at, at)
    return dialling.decide_call(row.agent, row.to_number, meant, wishes_of(row))


# -- Following its attempts ------------------------------------------------------------


def follow(call: Call) -> None:
    """Let the scheduled call be as its latest attempt is. Safe to repeat.

    An attempt that was put off says nothing of it: the row waits for another.
    """
    if call.scheduled_call_id is None or call.was_put_off:
        return
    row = (
        ScheduledCall.unscoped.select_related(
            "owner", "agent__owner", "agent__phone__carrier_account", "agent__prompt"
        )
        .filter(pk=call.scheduled_call_id, attempts_made=call.attempt)
        .first()
    )
    if row is None:
        return
    before: tuple[str, ...] = (*ScheduledCall.IN_FLIGHT, Status.UNKNOWN)
    if call.end_reason == Reason.HUNG_UP_HERE:  # also while it waits for a line
        before = (*before, Status.PENDING)
    if call.has_ended:
        _finish(row, call, before)
    elif call.placement == Call.Placement.UNKNOWN:
        words = _("The carrier's answer was lost: nobody knows whether it rang.")
        row.move(Status.UNKNOWN, among=before, detail=words, next_attempt_at=None)
    elif call.status == Call.Status.IN_PROGRESS:
        row.move(Status.IN_PROGRESS, among=(Status.DIALING, Status.UNKNOWN))
    elif row.status == Status.UNKNOWN:
        row.move(Status.DIALING, among=(Status.UNKNOWN,), detail="")


def _finish(row: ScheduledCall, call: Call, before: tuple[str, ...]) -> None:
    words = str(call.get_end_reason_display())
    if _deserves_another(row, call):
        earliest = call.ended_at + row.retry_delay
        opens_at, why = opening(row, earliest)
        if opens_at is not None and opens_at <= row.gives_up_at:
            row.move(
                Status.PENDING,
                among=before,
                detail=why or words,
                **row.planned(opens_at),
            )
            return
    row.move(
        _status_after(call), among=before, detail=words[:200], next_attempt_at=None
    )


def _status_after(call: Call) -> str:
    if call.end_reason == Reason.REFUSED:
        decided_by = (call.decision or {}).get("decided_by")
        return Status.BLOCKED if decided_by in UNWANTED else Status.FAILED
    return call.status


def _deserves_another(row: ScheduledCall, call: Call) -> bool:
    # Attempts that the carrier was never asked for do not count.
    asked = Call.unscoped.filter(scheduled_call=row, asked_at__isnull=False)
    if call.end_reason in FINAL or asked.count() >= row.max_attempts:
        return False
    if call.end_reason == Reason.VOICEMAIL:
        return row.retry_on_voicemail
    return call.status in WORTH_ANOTHER


def dial_again(row: ScheduledCall, *, at: datetime) -> bool:
    """A person says that the last attempt never rang: try at once."""
    if row.campaign_id:
        Campaign.reopen(row.campaign_id)
    return row.move(
        Status.PENDING,
        among=(Status.UNKNOWN, Status.CANCELED, Status.FAILED),
        due_at=at,
        next_attempt_at=at,
        scheduled_for=max(row.scheduled_for, at - timedelta(days=1)),
        detail=_("A person had it dialled again."),
    )
