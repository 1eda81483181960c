"""What people are told about an agent, in words."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from agents.hours import BusinessHours, next_opening

A_WEEK = timedelta(days=6)  # beyond it a weekday alone would mislead


def opening(business_hours: BusinessHours, at: datetime) -> str:
    """Whether it is open at the moment `at`, else when it is next, by its own clock."""
    if not business_hours:
        return _("At any time")
    opens_at = next_opening(business_hours, at)
    if opens_at is None:
        return _("Never open")
    if opens_at == at:
        return _("Open now")
    local = opens_at.astimezone(ZoneInfo(business_hours["timezone"]))
    day = "l H:i" if opens_at - at < A_WEEK else "l j F, H:i"
    return _("Opens %(when)s") % {"when": date_format(local, day)}
