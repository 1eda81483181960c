"""Verbs about alerts, for pages and the API."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from accounts.models import Membership
from alerts import episodes
from alerts.metrics import KINDS, Metric, Unit, in_words
from alerts.models import ADMINS, Alert, Mail

MOST_ALERTS = 50  # of a workspace
OWN_FIELDS = (
    *("name", "agent", "direction", "threshold", "currency", "window_minutes"),
    *("minimum_calls", "working_hours", "mail_to", "tells_webhooks", "muted_until"),
)


class Refused(Exception):
    """It cannot be done; `str()` says why, `field` which field is to blame."""

    def __init__(self, why: str, field: str | None = None):
        super().__init__(why)
        self.field = field


def save(alert: Alert) -> Alert:
    """Store a new alert or a changed one. Raises Refused.

    What its metric does not use gets its default.
    """
    tidy(alert)
    stored = Alert.objects.for_owner(alert.owner_id).filter(pk=alert.pk).first()
    if stored and stored.metric != alert.metric:
        raise Refused(_("What an alert watches stays: make another one."), "metric")
    _refuse_unknown_people(alert, stored.mail_to if stored else [])
    is_new = stored is None
    others = Alert.objects.for_owner(alert.owner_id).exclude(pk=alert.pk)
    if is_new and others.count() >= MOST_ALERTS:
        message = _("A workspace can have %(count)d alerts.")
        raise Refused(message % {"count": MOST_ALERTS})
    alert.state = Alert.State.NEW
    with audit.changing(alert):
        alert.save(update_fields=None if is_new else [*OWN_FIELDS, "state"])
    return alert


def tidy(alert: Alert) -> None:
    """Make it what its metric can be watched by. Raises Refused."""
    _forget_what_does_not_count(alert)
    _refuse_bad_threshold(alert)


def _forget_what_does_not_count(alert: Alert) -> None:
    kind = KINDS[alert.metric]
    if not kind.has_threshold:
        alert.threshold = None
    if not kind.counts_calls:
        alert.minimum_calls = 1
    if kind.unit != Unit.MONEY:
        alert.currency = ""
    if alert.metric != Metric.NO_CALLS:
        alert.working_hours = {}


def _refuse_bad_threshold(alert: Alert) -> None:
    kind = KINDS[alert.metric]
    if not kind.has_threshold:
        return
    if alert.threshold is None:
        raise Refused(_("This alert needs a threshold."), "threshold")
    if not kind.least <= Decimal(alert.threshold) <= kind.most:
        ends = [
            in_words(alert.metric, end, alert.currency)
            for end in (kind.least, kind.most)
        ]
        message = _("From %(least)s to %(most)s.")
        raise Refused(message % {"least": ends[0], "most": ends[1]}, "threshold")
    if kind.unit != Unit.MONEY:
        return
    code = alert.currency
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise Refused(_("Three capital letters, such as USD."), "currency")


def _refuse_unknown_people(alert: Alert, before: list[str]) -> None:
    """Who has left since stays in the list, and is mailed nothing."""
    is_list = isinstance(alert.mail_to, list)
    if not (is_list and all(isinstance(one, str) for one in alert.mail_to)):
        raise Refused(_("A list of members."), "mail_to")
    members = Membership.objects.for_owner(alert.owner_id)
    known = {str(pk) for pk in members.values_list("pk", flat=True)}
    if set(alert.mail_to) - known - {ADMINS, *before}:
        raise Refused(_("There is no such member."), "mail_to")


def activate(alert: Alert) -> None:
    """Look at it again, from the next minute on."""
    with audit.changing(alert, Action.ACTIVATED):
        alert.is_active, alert.state = True, Alert.State.NEW
        alert.save(update_fields=["is_active", "state"])


def deactivate(alert: Alert) -> None:
    """Look at it no more. What it fires for is over by that."""
    with transaction.atomic():
        _hold(alert)
        with audit.changing(alert, Action.DEACTIVATED):
            alert.is_active = False
            alert.save(update_fields=["is_active"])
        episodes.end_all(alert, at=now())


def delete(alert: Alert) -> None:
    """Put it away; its history stays."""
    with transaction.atomic():
        _hold(alert)
        alert.put_away()
        episodes.end_all(alert, at=now())
        audit.record(Action.DELETED, alert)


def _hold(alert: Alert) -> None:
    """Nobody begins an episode of it until the transaction is over."""
    rows = Alert.unscoped.select_for_update(no_key=True)
    rows.filter(pk=alert.pk).values_list("pk").first()


def mute(alert: Alert, *, until: datetime) -> None:
    """Tell nobody of what begins until then; what goes on then is told then."""
    with audit.changing(alert, Action.PAUSED):
        alert.muted_until = until
        alert.save(update_fields=["muted_until"])


def unmute(alert: Alert) -> None:
    with audit.changing(alert, Action.RESUMED):
        alert.muted_until = None
        alert.save(update_fields=["muted_until"])


def send_test(alert: Alert) -> int:
    """Tell everybody whom it would tell that it is a test; how many get an e-mail."""
    with transaction.atomic():
        return episodes.tell(alert, None, Mail.Occasion.TEST, at=now())
