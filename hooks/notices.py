"""The e-mail that tells a workspace's owner and admins of a webhook switched off."""

import logging
from datetime import datetime, timedelta

from django.conf import settings

from accounts.notices import tell_admins
from hooks.models import Endpoint

TRIED_FOR = timedelta(days=1)  # when no mail goes out; the page says it in any case

logger = logging.getLogger(__name__)


def send_due(at: datetime) -> int:
    """Send what is due; how many went out. Safe to run twice at once."""
    due = Endpoint.unscoped.filter(notice_due=True, disabled_at__gt=at - TRIED_FOR)
    sent = 0
    for endpoint in due.select_related("owner"):
        # Taken before it is sent: rather none than two.
        mine = Endpoint.unscoped.filter(pk=endpoint.pk, notice_due=True)
        if not mine.update(notice_due=False):
            continue
        try:
            _mail(endpoint)
            sent += 1
        except OSError:  # what smtplib raises, too: tried again with the next bell
            logger.exception("webhook %s: notice not sent", endpoint.pk)
            Endpoint.unscoped.filter(pk=endpoint.pk).update(notice_due=True)
    return sent


def _mail(endpoint: Endpoint) -> None:
    url = settings.PUBLIC_BASE_URL + endpoint.get_absolute_url()
    context = {"endpoint": endpoint, "url": url}
    tell_admins(endpoint.owner, "hooks/switched_off_mail.txt", context)
