"""How work stands: what is due and since when, who works, what takes long.

Rows hold what is due, so they tell of work that waits, also while Redis is away; what
stands there tells of workers. Nothing is counted beyond 10,000 rows.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.operators import for_superusers, page
from voiceops import gauges, pulse
from voiceops.paging import counted

LATE_S = 120  # due for so long: nobody works on it
NAMES = {
    "scheduled_calls": _("Scheduled calls"),
    "after_calls": _("After calls"),
    "texts_to_answer": _("Texts to answer"),
    "texts_to_send": _("Texts to send"),
    "webhook_deliveries": _("Webhook deliveries"),
    "alert_mails": _("Mails of alerts"),
}


@dataclass(frozen=True)
class Outbox:
    """What is due of one kind, and since when the oldest of it."""

    name: str
    due: int
    oldest: datetime | None
    is_late: bool


def outboxes(at: datetime) -> list[Outbox]:
    return [_outbox(NAMES[what], *due, at) for what, due in gauges.outboxes(at).items()]


def _outbox(name: str, rows: QuerySet, since: str, at: datetime) -> Outbox:
    oldest = gauges.oldest_of(rows, since)
    is_late = oldest is not None and (at - oldest).total_seconds() > LATE_S
    return Outbox(name, counted(rows), oldest, is_late)


@require_safe
@for_superusers
def queues(request):
    at = now()
    return page(
        request,
        "admin/queues.html",
        _("Queues"),
        outboxes=outboxes(at),
        pulse=pulse.read(),
        late_s=LATE_S,
    )
