"""The e-mail that tells a workspace's owner and admins of a webhook switched off."""

from datetime import datetime, timedelta

from django.conf import settings

from accounts import notices
from hooks.models import Endpoint

TRIED_FOR = timedelta(days=1)  # when no mail goes out; the page says it in any case


def send_due(at: datetime) -> int:
    """Send what is due; how many went out. Safe to run twice at once."""
    due = Endpoint.unscoped.filter(notice_due=True, disabled_at__gt=at - TRIED_FOR)
    return notices.send_due(due, _mail)


def _mail(endpoint: Endpoint) -> None:
    url = settings.PUBLIC_BASE_URL + endpoint.get_absolute_url()
    context = {"endpoint": endpoint, "url": url}
    notices.tell_admins(endpoint.owner, "hooks/switched_off_mail.txt", context)
