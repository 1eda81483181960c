"""Alerts in plain words."""

from decimal import Decimal

from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.metrics import KINDS, Metric, in_words
from alerts.models import WINDOWS, Alert, Episode


def amount(alert: Alert, value: Decimal | None) -> str:
    return in_words(alert.metric, value, alert.currency)


def window(minutes: int) -> str:
    return str(dict(WINDOWS)[minutes])


def condition(alert: Alert, episode: Episode | None = None) -> str:
    """When it fires, or when it fired at the time of the episode."""
    told = episode or alert
    parts = [_condition(alert.metric, amount(alert, told.threshold))]
    if alert.metric == Metric.NO_CALLS and alert.working_hours:
        within = _("within %(window)s of working time")
    else:
        within = _("within %(window)s")
    parts.append(within % {"window": window(told.window_minutes)})
    if KINDS[alert.metric].counts_calls and alert.minimum_calls > 1:
        parts[-1] += ","
        parts.append(_("of at least %(count)d calls") % {"count": alert.minimum_calls})
    return " ".join(parts)


def _condition(metric: str, threshold: str) -> str:
    words = {
        Metric.ANSWER_RATE: _("Fewer than %(threshold)s of calls answered"),
        Metric.FAILURE_RATE: _("More than %(threshold)s of calls failed"),
        Metric.REPLY_P95: _("One reply in twenty slower than %(threshold)s"),
        Metric.SPEND: _("More than %(threshold)s spent"),
        Metric.NO_CALLS: _("No call"),
    }
    return words[Metric(metric)] % {"threshold": threshold}


def finding(alert: Alert, value: Decimal | None, calls: int | None) -> str:
    """What was found: a sentence without its full stop."""
    if alert.metric == Metric.NO_CALLS:
        return _("Somebody has called") if calls else _("Nobody has called")
    words = {
        Metric.ANSWER_RATE: _("%(value)s of %(calls)s were answered"),
        Metric.FAILURE_RATE: _("%(value)s of %(calls)s failed"),
        Metric.REPLY_P95: _(
            "One reply in twenty took longer than %(value)s in %(calls)s"
        ),
        Metric.SPEND: _("%(value)s were spent, with %(calls)s"),
    }
    count = ngettext("%(count)d call", "%(count)d calls", calls or 0)
    told = {"value": amount(alert, value), "calls": count % {"count": calls or 0}}
    return words[Metric(alert.metric)] % told


def lasted(episode: Episode) -> str:
    return timesince(episode.started_at, episode.ended_at)


def of_calls(alert: Alert) -> str:
    """Which calls it looks at."""
    kinds = {
        "": _("All calls"),
        "incoming": _("Incoming calls"),
        "outgoing": _("Outgoing calls"),
    }
    if alert.agent is None:
        return kinds[alert.direction]
    return _("%(calls)s of %(agent)s") % {
        "calls": kinds[alert.direction],
        "agent": alert.agent,
    }
