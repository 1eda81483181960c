"""How work stands: what is due and since when, who works, what takes long.

Rows hold what is due, so they tell of work that waits, also while Redis is away; what
stands there tells of workers. Nothing is counted beyond 10,000 rows.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.operators import for_superusers, page
from alerts.models import Mail
from hooks.models import Delivery
from telephony.models import AfterCall, Conversation, Message, ScheduledCall
from voiceops import pulse
from voiceops.paging import counted

LATE_S = 120  # due for so long: nobody works on it


@dataclass(frozen=True)
class Outbox:
    """What is due of one kind, and since when the oldest of it."""

    name: str
    due: int
    oldest: datetime | None
    is_late: bool


def outboxes(at: datetime) -> list[Outbox]:
    due = {"next_try_at__lte": at}
    # The condition of its index, in its words.
    unsent = Message.unscoped.filter(status__in=["waiting", "asking"])
    kinds: list[tuple[str, QuerySet, str]] = [
        (_("Scheduled calls"), ScheduledCall.unscoped.due(at), "next_attempt_at"),
        (_("After calls"), AfterCall.unscoped.filter(**due), "next_try_at"),
        (_("Texts to answer"), Conversation.unscoped.filter(**due), "next_try_at"),
        (_("Texts to send"), unsent.filter(status="waiting"), "created_at"),
        (_("Webhook deliveries"), Delivery.unscoped.filter(**due), "next_try_at"),
        (_("Mails of alerts"), Mail.unscoped.filter(**due), "next_try_at"),
    ]
    return [_outbox(name, rows, since, at) for name, rows, since in kinds]


def _outbox(name: str, rows: QuerySet, since: str, at: datetime) -> Outbox:
    # Ids are made in the order of time, and texts that wait are indexed by them.
    order = "pk" if since == "created_at" else since
    oldest = rows.order_by(order).values_list(since, flat=True).first()
    is_late = oldest is not None and (at - oldest).total_seconds() > LATE_S
    return Outbox(name, counted(rows), oldest, is_late)


@require_safe
@for_superusers
def queues(request):
    at = now()
    return page(
        request,
        "admin/queues.html",
        gettext_lazy("Queues"),
        outboxes=outboxes(at),
        pulse=pulse.read(),
        late_s=LATE_S,
    )
