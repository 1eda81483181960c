"""Alerts, and calls for them to look at."""

from datetime import timedelta
from decimal import Decimal

from alerts import watching
from alerts.models import Alert
from analytics import rollup
from analytics.tests.histories import utc
from telephony.tests.calls import make_call

AT = utc("2026-03-04T12:07")  # a Wednesday
MINUTE = timedelta(minutes=1)
DEFAULTS = {
    "name": "Calls fail",
    "metric": "failure_rate",
    "threshold": Decimal(20),
    "window_minutes": 60,
    "minimum_calls": 4,
}


def make_alert(owner, **fields):
    return Alert.unscoped.create(owner=owner, **DEFAULTS | fields)


def call(owner, before=0, **fields):
    """One that began so many minutes before `AT`."""
    return make_call(owner, AT - before * MINUTE, **fields)


def calls(owner, good=0, bad=0, before=5):
    """So many that went well and so many that failed."""
    for status in ["completed"] * good + ["failed"] * bad:
        call(owner, before, status=status)


def look(at=AT):
    """What happens once a minute, the figures up to date."""
    rollup.fold()
    watching.watch(at)
