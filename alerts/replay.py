"""How often an alert would have fired: the last 30 days by the quarter of an hour.

The same rules as when it is really watched, which is every minute: a figure that was
beyond the threshold for minutes alone is not found here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from accounts.models import Workspace
from agents.hours import is_open
from alerts.metrics import Counts, Metric, Reading, read
from alerts.models import Alert
from alerts.rules import Phase, calm_of, moved
from analytics import figures
from analytics.figures import Question
from analytics.models import Bucket, Quarters, Series
from analytics.periods import Stretch, quarter_at
from analytics.quarters import QUARTER_S
from analytics.tallies import MILLIONTHS, merge, merged

DAYS = 30
# Of what is counted by quarter, where it is added.
FIELDS = {"total": "calls", "answered": "answered", "failed": "failed", "cost": "spend"}


@dataclass
class Sums:
    """What can be added and taken away again, of the quarters in a window."""

    calls: int = 0
    answered: int = 0
    failed: int = 0
    spend: int = 0  # in millionths
    replies: Counter = field(default_factory=Counter)

    def add(self, more: "Sums", sign: int = 1) -> None:
        self.calls += sign * more.calls
        self.answered += sign * more.answered
        self.failed += sign * more.failed
        self.spend += sign * more.spend
        for bucket, count in more.replies.items():
            self.replies[bucket] += sign * count
            if not self.replies[bucket]:
                del self.replies[bucket]

    @property
    def counts(self) -> Counts:
        spend = Decimal(self.spend) / MILLIONTHS
        return Counts(self.calls, self.answered, self.failed, self.replies, spend)


def times_fired(alert: Alert, owner: Workspace, at: datetime) -> int:
    """How many episodes it would have had in the `DAYS` up to that moment."""
    length = alert.window_minutes * 60 // QUARTER_S
    now = int(at.timestamp()) // QUARTER_S
    begin = now - DAYS * 86_400 // QUARTER_S
    quarters = _quarters(alert, owner, Stretch(begin - length, now))
    readings = (
        _silence(alert, quarters, begin, now)
        if alert.metric == Metric.NO_CALLS
        else _windows(alert, quarters, begin, now, length)
    )
    phase, times, calm = Phase(), 0, calm_of(alert.metric)
    for quarter, reading in readings:
        before, end = phase, _moment(quarter + 1)
        phase = moved(phase, reading.is_bad, at=end, calm=calm)
        times += phase.is_firing and not before.is_firing
    return times


def _moment(quarter: int) -> datetime:
    return datetime.fromtimestamp(quarter * QUARTER_S, UTC)


def _windows(
    alert: Alert, quarters: Mapping[int, Sums], begin: int, now: int, length: int
) -> Iterator[tuple[int, Reading]]:
    """The window that ends with each quarter, moved on one by one."""
    window, nothing = Sums(), Sums()
    for quarter in range(begin - length, now):
        window.add(quarters.get(quarter, nothing))
        window.add(quarters.get(quarter - length, nothing), -1)
        if quarter >= begin:
            yield (
                quarter,
                read(
                    alert.metric,
                    window.counts,
                    threshold=alert.threshold,
                    minimum_calls=alert.minimum_calls,
                ),
            )


def _silence(
    alert: Alert, quarters: Mapping[int, Sums], begin: int, now: int
) -> Iterator[tuple[int, Reading]]:
    """How much working time has passed since the last call."""
    silent = timedelta(0)
    longest = timedelta(minutes=alert.window_minutes)
    for quarter in range(begin, now):
        calls = quarters[quarter].calls if quarter in quarters else 0
        opened = is_open(alert.working_hours, _moment(quarter))
        if calls:
            silent = timedelta(0)
        elif opened:
            silent += timedelta(seconds=QUARTER_S)
        is_bad = opened or None if not calls and silent >= longest else False
        yield quarter, Reading(calls, is_bad)


# -- What was counted ------------------------------------------------------------------


def _quarters(alert: Alert, owner: Workspace, time: Stretch) -> dict[int, Sums]:
    """The sums of each quarter that has any."""
    found: dict[int, Sums] = defaultdict(Sums)
    question = Question(
        owner=owner, period=time, agent_id=alert.agent_id, direction=alert.direction
    )
    _add_columns(found, question, Series.CALLS, alert.currency, *FIELDS)
    if alert.metric == Metric.SPEND and not alert.agent_id:
        _add_columns(found, question, Series.TEXTS, alert.currency, "cost")
    if alert.metric == Metric.REPLY_P95:
        _add_replies(found, question)
    return found


def _add_columns(
    found: dict[int, Sums], question: Question, series: Series, currency: str, *wanted
) -> None:
    for day, name, column in figures.columns(question, series, *wanted):
        if name.what == "cost" and name.kind != currency:
            continue
        field, first = FIELDS[name.what], quarter_at(day)
        for quarter, value in enumerate(column, first):
            if value and question.period.start <= quarter < question.period.end:
                sums = found[quarter]
                setattr(sums, field, getattr(sums, field) + value)


def _add_replies(found: dict[int, Sums], question: Question) -> None:
    period = question.period
    first, last = period.utc_days
    days = question.buckets(Series.CALLS).filter(
        span=Bucket.Span.DAY, first_day__gte=first, first_day__lte=last
    )
    details = Quarters.objects.for_owner(question.owner).filter(bucket__in=days)
    for day, tallies in details.values_list("bucket__first_day", "tallies"):
        for place, tally in tallies.items():
            quarter = quarter_at(day) + int(place)
            if period.start <= quarter < period.end:
                for direction in question.directions:
                    replies = tally.get(direction, {}).get("replies", {})
                    merge(found[quarter].replies, merged(replies.values()))
