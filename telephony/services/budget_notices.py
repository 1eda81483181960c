"""The e-mail that tells a workspace's owner and admins of what is spent."""

from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils.formats import date_format

from accounts import notices
from telephony.models import BudgetNotice

TRIED_FOR = timedelta(days=1)  # when no mail goes out; the pages say it in any case


def send_due(at: datetime) -> int:
    """Send what is due; how many went out. Safe to run twice at once."""
    due = BudgetNotice.unscoped.filter(
        notice_due=True, created_at__gt=at - TRIED_FOR
    ).order_by("created_at")
    return notices.send_due(due, _mail)


def _mail(notice: BudgetNotice) -> None:
    context = {
        "notice": notice,
        "is_reached": notice.event == BudgetNotice.Event.REACHED,
        "percent": int(100 * notice.spent / notice.amount),
        "month": date_format(notice.month, "F Y"),
        "url": settings.PUBLIC_BASE_URL + reverse("analytics:budget"),
    }
    notices.tell_admins(notice.owner, "telephony/budget_mail.txt", context)
