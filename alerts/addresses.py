"""Addresses that alerts lead to: the figures and the calls of exactly their time."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from agents.hours import open_since
from alerts.metrics import Metric
from alerts.models import Alert, Episode
from analytics.drilldown import COUNTED
from analytics.periods import Stretch
from voiceops.filters import query_of


def absolute(path: str) -> str:
    """As the world sees it: never taken from a request."""
    return settings.PUBLIC_BASE_URL + path


def host() -> str:
    return urlsplit(settings.PUBLIC_BASE_URL).hostname or "localhost"


def window_of(alert: Alert, episode: Episode, until: datetime) -> datetime:
    """When the time began that was looked at until that moment."""
    minutes = episode.window_minutes
    if alert.metric == Metric.NO_CALLS:
        working = open_since(alert.working_hours, until, minutes)
        return working or until - timedelta(minutes=minutes)
    return Stretch.until(until, minutes).since


def dashboard(alert: Alert, since: datetime, until: datetime, zone: str) -> str:
    """The days that the time has a part in."""
    first, last = (at.astimezone(ZoneInfo(zone)).date() for at in (since, until))
    return dashboard_of(
        **{"from": first, "to": last},
        timezone=zone,
        agent=alert.agent_id,
        direction=alert.direction,
    )


def dashboard_of(**asked) -> str:
    return reverse("analytics:dashboard") + query_of(**asked)


def calls(alert: Alert, since: datetime, until: datetime) -> str:
    """The calls that began in it and have ended: those that were counted."""
    query = query_of(
        kind=COUNTED,
        since=since.isoformat(),
        until=until.isoformat(),
        agent=alert.agent_id,
        direction=alert.direction,
    )
    return reverse("telephony:call_list") + query
