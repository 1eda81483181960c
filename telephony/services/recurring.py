"""Calls that recur: kept by people; their times become scheduled calls by the clock.

A bell makes the times of the next two days, so an hour without bells does no harm. A
time becomes a row once (a constraint sees to it), whoever makes it and however often.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.db import connection, transaction
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from accounts.models import User
from telephony.dialling.recurrence import Frequency, Occurrence
from telephony.dialling.rules import UNWANTED, decide_number
from telephony.models import Call, RecurringCall, ScheduledCall
from telephony.models.terms import CallTerms, terms_of
from telephony.services import dialling, scheduled
from telephony.services.scheduled import Refused

AHEAD = timedelta(hours=48)
CALLS_A_TICK = 200  # recurring ones that are looked at
TIMES_AT_ONCE = 20  # of one recurring call; after long silence the rest comes next

logger = logging.getLogger(__name__)


# -- Kept by people --------------------------------------------------------------------


def create(row: RecurringCall, *, by: User | None, at: datetime) -> RecurringCall:
    """Store a new recurring call and schedule its next times. Raises Refused."""
    row.created_by = by
    _check(row, at)
    row.next_at = next_time(row, at)
    if row.next_at is None:
        raise Refused(_("This never happens again: look at its days."), "starts_on")
    with transaction.atomic():
        with audit.changing(row):
            row.save(force_insert=True)
        _make_times(row, at)
    return row


def change(row: RecurringCall, changes: dict, *, at: datetime) -> RecurringCall:
    """Change it. What was scheduled for it is scheduled anew. Raises Refused."""
    with transaction.atomic():
        stored = _locked(row)
        for name, value in changes.items():
            setattr(stored, name, value)
        _check(stored, at)
        coming = next_time(stored, at)
        if coming is None:
            raise Refused(_("This never happens again: look at its days."), "starts_on")
        stored.next_at = None if stored.is_paused else coming
        with audit.changing(stored):
            stored.save()
        _withdraw(stored, _("The recurring call was changed."))
        if not stored.is_paused:
            _make_times(stored, at)
    return stored


def pause(row: RecurringCall, *, at: datetime) -> RecurringCall:
    """Make no calls until it is resumed. Safe to repeat."""
    with transaction.atomic():
        stored = _locked(row)
        if not stored.is_paused:
            _stop(stored, at)
            audit.record(Action.PAUSED, stored)
            _withdraw(stored, _("The recurring call was paused."))
    return stored


def resume(row: RecurringCall, *, at: datetime) -> RecurringCall:
    """Go on with its next time; those of the pause are not made up. Safe to repeat."""
    with transaction.atomic():
        stored = _locked(row)
        if stored.is_paused:
            stored.paused_at, stored.next_at = None, next_time(stored, at)
            stored.save(update_fields=["paused_at", "next_at"])
            audit.record(Action.RESUMED, stored)
            _make_times(stored, at)
    return stored


def delete(row: RecurringCall, *, at: datetime) -> None:
    """Put it away, and cancel what was scheduled for it. Brought back it is paused."""
    with transaction.atomic():
        stored = _locked(row)
        _stop(stored, at)
        stored.put_away()
        audit.record(Action.DELETED, stored)
        _withdraw(stored, _("The recurring call was deleted."))


def next_time(row: RecurringCall, after: datetime) -> datetime | None:
    found = row.rule.next(after)
    return found and found.at


def _locked(row: RecurringCall) -> RecurringCall:
    rows = RecurringCall.unscoped.select_for_update(no_key=True, of=("self",))
    return rows.select_related("owner").get(pk=row.pk)


def _stop(row: RecurringCall, at: datetime) -> None:
    row.paused_at, row.next_at = row.paused_at or at, None
    row.save(update_fields=["paused_at", "next_at"])


def _withdraw(row: RecurringCall, why: str) -> None:
    """Cancel what was scheduled and not dialled yet, for other calls to replace it.

    What is being dialled goes on, and is not tried again.
    """
    Status = ScheduledCall.Status
    calls = ScheduledCall.unscoped.filter(recurring_call=row)
    for call in calls.filter(status=Status.PENDING):
        changes = {"detail": why, "next_attempt_at": None, "occurs_at": None}
        if call.move(Status.CANCELED, among=(Status.PENDING,), **changes):
            scheduled.end_opened(call, Call.EndReason.CANCELED, why)
    calls.in_flight().update(max_attempts=Greatest("attempts_made", 1))


def _check(row: RecurringCall, at: datetime) -> None:
    """Raise Refused unless its rule and its number make sense."""
    check_days(row)
    facts = dialling.facts_of(row.agent, row.to_number, at, _wishes(row))
    number = decide_number(facts)
    if not number.is_allowed:
        raise Refused(number.reason, "to_number")


def check_days(row: RecurringCall) -> None:
    """Raise Refused unless the days are said as its frequency wants them."""
    days = len(row.days)
    if row.frequency == Frequency.DAILY and (days or row.month_day or row.nth):
        raise Refused(_("Every so many days it takes no other days."), "frequency")
    if row.frequency == Frequency.WEEKLY and not days:
        raise Refused(_("Choose days of the week."), "days")
    if row.frequency == Frequency.WEEKLY and (row.month_day or row.nth):
        raise Refused(_("By weeks it takes no days of a month."), "frequency")
    if row.frequency == Frequency.MONTHLY:
        by_day, by_weekday = row.month_day and not days, row.nth and days == 1
        if bool(row.month_day) == bool(row.nth) or not (by_day or by_weekday):
            words = _(
                "Choose a day of the month, or a weekday and which one of the month."
            )
            raise Refused(words, "month_day")


def _wishes(row: RecurringCall) -> dialling.Wishes:
    return dialling.Wishes(timezone=row.their_timezone)


# -- Made by the clock -----------------------------------------------------------------


def make_coming(at: datetime) -> None:
    """Schedule the times of the next two days. Safe to run twice at once."""
    coming = RecurringCall.unscoped.coming(at + AHEAD).order_by("next_at")
    for pk in list(coming.values_list("pk", flat=True)[:CALLS_A_TICK]):
        try:
            _make_coming_of(pk, at)
        except Exception:  # the others have a right to be made, and what is due to ring
            logger.exception("recurring call %s: not made", pk)


def _make_coming_of(pk, at: datetime) -> None:
    with transaction.atomic():
        rows = RecurringCall.unscoped.coming(at + AHEAD)
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True, of=("self",))
        related = rows.select_related("owner", "agent__owner", "agent__phone")
        if row := related.filter(pk=pk).first():  # else another bell has it
            _make_times(row, at)


def _make_times(row: RecurringCall, at: datetime) -> None:
    """Schedule its times up to the horizon, and note which is the next."""
    coming = list(islice(_from_next(row), TIMES_AT_ONCE + 1))
    near = [time for time in coming[:TIMES_AT_ONCE] if time.at <= at + AHEAD]
    made = [_scheduled_call(row, time, at) for time in near]
    # A time that is scheduled already (or was canceled by hand) stays as it is.
    ScheduledCall.unscoped.bulk_create(made, ignore_conflicts=True)
    row.next_at = coming[len(near)].at if len(coming) > len(near) else None
    RecurringCall.unscoped.filter(pk=row.pk).update(next_at=row.next_at)


def _from_next(row: RecurringCall) -> Iterator[Occurrence]:
    if row.next_at is None:
        return iter(())
    return row.rule.occurrences(row.next_at - timedelta(microseconds=1))


def _scheduled_call(
    row: RecurringCall, time: Occurrence, at: datetime
) -> ScheduledCall:
    call = ScheduledCall(
        owner=row.owner,
        agent=row.agent,
        timezone=row.their_timezone,
        recurring_call=row,
        occurs_at=time.at,
        scheduled_for=time.at,
        due_at=time.at,
        next_attempt_at=time.at,
        created_by=row.created_by,
        **terms_of(row, CallTerms),
    )
    if call.is_late(at):
        _skip(
            call,
            ScheduledCall.Status.EXPIRED,
            _("Skipped: it could not be made in time."),
        )
    else:
        _plan(call, at)
    return call


def _plan(call: ScheduledCall, at: datetime) -> None:
    """When it is tried first, or why it will not be."""
    Status = ScheduledCall.Status
    try:
        scheduled.plan(call, at)
    except scheduled.NumberRefused as refusal:
        is_unwanted = refusal.rule in UNWANTED
        _skip(call, Status.BLOCKED if is_unwanted else Status.FAILED, str(refusal))
    except Refused as refusal:
        _skip(call, Status.FAILED, str(refusal))


def _skip(call: ScheduledCall, status: str, why: str) -> None:
    call.status, call.detail, call.next_attempt_at = status, why[:200], None
