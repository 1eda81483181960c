"""What was counted in the windows of alerts, each of them once."""

from datetime import datetime
from decimal import Decimal

from accounts.models import Workspace
from agents.hours import is_open, open_since
from alerts.metrics import Counts, Metric, Reading, read
from alerts.models import Alert
from analytics import figures
from analytics.figures import Question
from analytics.models import Series
from analytics.periods import Stretch
from analytics.tallies import MILLIONTHS, Tally, merged
from telephony.models import Call


class Figures:
    """The figures of one workspace at a moment: alerts of one window share them."""

    def __init__(self, owner: Workspace, at: datetime):
        self.owner, self.at = owner, at
        self._tallies: dict[tuple, Tally] = {}

    def of(self, alert: Alert) -> Reading:
        if alert.metric == Metric.NO_CALLS:
            return self._silence(alert)
        return read(
            alert.metric,
            self._counts(alert),
            threshold=alert.threshold,
            minimum_calls=alert.minimum_calls,
        )

    def _counts(self, alert: Alert) -> Counts:
        calls = self._tally(alert, Series.CALLS)
        spend = calls.get("cost", {}).get(alert.currency, 0)
        if alert.metric == Metric.SPEND and alert.agent_id is None:
            texts = self._tally(alert, Series.TEXTS)
            spend += texts.get("cost", {}).get(alert.currency, 0)
        return Counts(
            calls=calls.get("total", 0),
            answered=calls.get("answered", 0),
            failed=calls.get("failed", 0),
            replies=merged(calls.get("replies", {}).values()),
            spend=Decimal(spend) / MILLIONTHS,
        )

    def _tally(self, alert: Alert, series: Series) -> Tally:
        key = (series, alert.agent_id, alert.direction, alert.window_minutes)
        if key not in self._tallies:
            question = Question(
                owner=self.owner,
                period=Stretch.until(self.at, alert.window_minutes),
                agent_id=alert.agent_id,
                direction=alert.direction,
            )
            found = figures.sums(question, series, with_facts=True)
            self._tallies[key] = found.get(None, {})
        return self._tallies[key]

    # -- Silence -----------------------------------------------------------------------

    def _silence(self, alert: Alert) -> Reading:
        """Whether nobody has called for so much working time.

        It asks the calls themselves: one that still goes on is a call, too, and figures
        that are late would be a false alarm. Outside of working hours nobody can tell,
        but a call that comes then is a sign of life.
        """
        since = open_since(alert.working_hours, self.at, alert.window_minutes)
        if since is None:
            return Reading(0, None)
        if self._has_call(alert, since):
            return Reading(1, is_bad=False)
        return Reading(0, is_open(alert.working_hours, self.at) or None)

    def _has_call(self, alert: Alert, since: datetime) -> bool:
        calls = Call.objects.for_owner(self.owner).filter(
            is_test=False, started_at__gte=since, started_at__lte=self.at
        )
        if alert.agent_id:
            calls = calls.filter(agent=alert.agent_id)
        if alert.direction:
            calls = calls.filter(direction=alert.direction)
        return calls.exists()
