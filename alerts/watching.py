"""Looking at alerts: every minute, each once, and by the figures that were counted."""

import logging
from datetime import datetime
from time import monotonic
from uuid import UUID

from django.db.models import F, Min, QuerySet

from accounts.models import Workspace
from alerts import episodes
from alerts.counting import Figures
from alerts.models import Alert, Episode

LIMIT_S = 20  # of a run; the next one begins where this one has stopped
FOUND = ["state", "value", "calls", "checked_at"]

logger = logging.getLogger(__name__)


def watch(at: datetime, *, limit_s: float = LIMIT_S) -> int:
    """Look at every alert that is watched; how many workspaces were done.

    Workspaces that have waited longest come first.
    """
    until, done = monotonic() + limit_s, 0
    for owner_id in _owners():
        if monotonic() > until:
            break
        try:
            watch_over(owner_id, at)
        except Exception:  # the other workspaces have a right to be looked at too
            logger.exception("workspace %s: its alerts were not looked at", owner_id)
        done += 1
    return done


def _owners() -> QuerySet:
    waiting = Alert.unscoped.watched().values("owner_id")
    longest = waiting.annotate(seen_at=Min("checked_at"))
    order = F("seen_at").asc(nulls_first=True)
    return longest.order_by(order, "owner_id").values_list("owner_id", flat=True)


def watch_over(owner_id: UUID, at: datetime) -> None:
    """Look at the alerts of one workspace."""
    owner = Workspace.objects.filter(pk=owner_id).first()
    watched = Alert.unscoped.watched().filter(owner=owner_id).select_related("agent")
    going_on = Episode.unscoped.filter(owner=owner_id, ended_at=None)
    open_ones = {
        episode.alert_id: episode for episode in going_on.select_related("alert")
    }
    figures = Figures(owner, at)
    alerts = list(watched)
    for alert in alerts:
        _look_at(alert, open_ones.get(alert.pk), figures, at)
    Alert.unscoped.bulk_update(alerts, FOUND)


def _look_at(
    alert: Alert, episode: Episode | None, figures: Figures, at: datetime
) -> None:
    alert.checked_at = at
    if alert.agent is not None and alert.agent.is_deleted:  # it has no calls any more
        episodes.end_all(alert, at=at)
        alert.state, alert.value, alert.calls = Alert.State.UNKNOWN, None, 0
        return
    reading = figures.of(alert)
    is_firing = episodes.take_note(alert, episode, reading, at)
    alert.value, alert.calls = reading.value, reading.calls
    if is_firing:
        alert.state = Alert.State.FIRING
    elif reading.is_bad is None:
        alert.state = Alert.State.UNKNOWN
    else:
        alert.state = Alert.State.OK
