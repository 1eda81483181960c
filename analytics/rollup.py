"""Counting again where something has changed; safe at any time, by any number at once.

A change is never added to what was counted: the quarters of an hour that it touches are
counted from the rows anew, and what was counted there is replaced, in one transaction
with the removal of the change. Doing it twice, or half and then again, is the same.
In the sums of a day and a month, what a quarter was is swapped for what it is.
"""

import math
import random
from datetime import UTC, date, datetime
from time import monotonic
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from accounts.models import Workspace
from analytics import buckets
from analytics.buckets import Shelf, Span, moment, month_of
from analytics.budgets import spending
from analytics.models import Change
from analytics.quarters import OF_A_DAY, QUARTER_S
from analytics.swapping import count_again
from analytics.tallies import count

AT_ONCE = 1_000  # changes that a transaction looks at


def fold(*, limit_s: float = math.inf) -> int:
    """Count again what has changed, for so long at most; how many changes there were.

    Workspaces take turns, so that a busy one keeps nobody waiting.
    """
    until, folded = monotonic() + limit_s, 0
    owners = list(Change.objects.values_list("owner_id", flat=True).distinct())
    random.shuffle(owners)
    while owners and monotonic() < until:
        done = {owner_id: fold_some(owner_id) for owner_id in owners}
        owners = [owner_id for owner_id in owners if done[owner_id]]
        folded += sum(done.values())
    return folded


@transaction.atomic
def fold_some(owner_id: UUID) -> int:
    """Count one day of a workspace again; how many changes are done with.

    None are where another process counts for the workspace just now.
    """
    folded = _fold_a_day(owner_id)
    if folded:
        spending.note(owner_id, now())
    return folded


def _fold_a_day(owner_id: UUID) -> int:
    changes = Change.objects.filter(owner_id=owner_id)
    if not hold(owner_id):
        is_gone = not Workspace.objects.filter(pk=owner_id).exists()
        return changes.delete()[0] if is_gone else 0
    first = changes.order_by("is_whole_day", "pk").first()
    if first is None:
        return 0
    series, day = first.series, _day_of(first.at)
    of_day = changes.filter(
        series=series, at__gte=moment(day), at__lt=moment(day, OF_A_DAY)
    )
    mine = list(of_day.order_by("pk")[:AT_ONCE])
    Change.objects.filter(pk__in=[change.pk for change in mine]).delete()
    if not any(change.is_whole_day for change in mine):
        quarters = {_quarter_of(change.at) for change in mine}
        count_again(series, owner_id, day, quarters)
        return len(mine)
    whole = Shelf(series, owner_id, Span.DAY, day)
    count_day(whole)
    begin, after = month_of(day)
    left = changes.filter(series=series, is_whole_day=True)
    if not left.filter(at__gte=moment(begin), at__lt=moment(after)).exists():
        sum_month(whole.month)  # as of its last day that was asked for
    return len(mine)


def hold(owner_id: UUID) -> bool:
    """Be the only one who counts for the workspace until the transaction is over.

    SQLite's transactions wait for each other anyway.
    """
    rows = Workspace.objects.select_for_update(skip_locked=True, no_key=True)
    return bool(rows.filter(pk=owner_id).values_list("pk", flat=True))


def count_day(day: Shelf) -> None:
    """Replace what was counted in the day."""
    start, end = moment(day.first_day), moment(day.first_day, OF_A_DAY)
    day.replace(*buckets.of_day(day, count(day.series, day.owner_id, start, end)))


def sum_month(month: Shelf) -> None:
    """Sum its days up again."""
    month.replace(buckets.of_month(month))


def _day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _quarter_of(at: datetime) -> int:
    return int(at.timestamp()) // QUARTER_S % OF_A_DAY
