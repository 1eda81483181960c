"""What is scheduled on each day of a week or a month, in a bounded number of rows."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db.models import IntegerField, QuerySet, Subquery
from django.utils import timezone

from accounts.models import Workspace
from telephony.models import ScheduledCall
from voiceops.filters import midnight

DAY = timedelta(days=1)
USUAL_HOURS = 24
# More calls of one day are not counted: “more than 10,000” says as much.
MOST_COUNTED = 10_000


class BoundedCount(Subquery):
    """How many rows there are; no further than the slice of the queryset goes."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


@dataclass
class Day:
    """A day of the current time zone, with the first of its calls."""

    date: date
    begins: datetime
    ends: datetime
    count: int = 0  # of all its calls, at most `MOST_COUNTED` + 1
    calls: list[ScheduledCall] = field(default_factory=list)

    @classmethod
    def of(cls, day: date) -> "Day":
        # In UTC: within one zone Python takes walls from walls.
        ends = (midnight(each).astimezone(UTC) for each in (day, day + DAY))
        return cls(day, *ends)

    @property
    def hours(self) -> float:
        """How long it lasts: 23 or 25 hours where the clocks change."""
        return (self.ends - self.begins) / timedelta(hours=1)

    @property
    def is_of_usual_length(self) -> bool:
        return self.hours == USUAL_HOURS

    @property
    def entries(self) -> list[tuple[str, ScheduledCall]]:
        """Its calls with their times; an hour that comes twice is told apart."""
        # Not by Django's formats: they leave the zone out in just that hour.
        shape = "%H:%M" if self.is_of_usual_length else "%H:%M %Z"
        local = timezone.localtime
        return [(local(c.scheduled_for).strftime(shape), c) for c in self.calls]

    @property
    def more(self) -> int:
        return self.count - len(self.calls)

    @property
    def is_counted(self) -> bool:
        return self.count <= MOST_COUNTED

    def calls_of(self, rows: QuerySet) -> QuerySet:
        of_day = rows.filter(
            scheduled_for__gte=self.begins, scheduled_for__lt=self.ends
        )
        return of_day.order_by("scheduled_for", "pk")


def days_with_calls(
    owner: Workspace, rows: QuerySet, dates: list[date], *, shown: int
) -> list[Day]:
    """Each of the dates with how many of `rows` are meant for it, and the first ones.

    Three statements, however many rows there are: none is read that is not shown.
    """
    days = [Day.of(day) for day in dates]
    counts = [
        # By an index alone: it has all that is read and filtered by.
        BoundedCount(
            day.calls_of(rows).order_by().values("scheduled_for")[: MOST_COUNTED + 1]
        )
        for day in days
    ]
    counted = Workspace.objects.filter(pk=owner.pk).values_list(*counts).get()
    for day, count in zip(days, counted, strict=True):
        day.count = count
    _add_calls(rows, [day for day in days if day.count], shown)
    return days


def _add_calls(rows: QuerySet, days: list[Day], shown: int) -> None:
    if not days:
        return
    # A slice may be part of a union only within a condition (SQLite).
    firsts = [
        rows.filter(pk__in=day.calls_of(rows).values("pk")[:shown]).values_list("pk")
        for day in days
    ]
    chosen = [pk for (pk,) in firsts[0].union(*firsts[1:], all=True)]
    by_date = {day.date: day for day in days}
    # Sorted here: asked for an order, SQLite reads the whole index for it.
    found = rows.filter(pk__in=chosen)
    for call in sorted(found, key=lambda call: (call.scheduled_for, call.pk)):
        by_date[timezone.localdate(call.scheduled_for)].calls.append(call)
