"""The e-mail that tells a workspace's owner and admins of a campaign that stopped."""

import logging
from datetime import datetime, timedelta

from django.conf import settings

from accounts.notices import tell_admins
from telephony.models import Campaign

TRIED_FOR = timedelta(days=1)  # when no mail goes out; the page says it in any case

logger = logging.getLogger(__name__)


def send_due(at: datetime) -> int:
    """Send what is due; how many went out. Safe to run twice at once."""
    due = Campaign.unscoped.filter(notice_due=True, updated_at__gt=at - TRIED_FOR)
    sent = 0
    for campaign in due.select_related("owner"):
        # Taken before it is sent: rather none than two.
        mine = Campaign.unscoped.filter(pk=campaign.pk, notice_due=True)
        if not mine.update(notice_due=False):
            continue
        try:
            _mail(campaign)
            sent += 1
        except OSError:  # what smtplib raises, too: tried again with the next bell
            logger.exception("campaign %s: notice not sent", campaign.pk)
            Campaign.unscoped.filter(pk=campaign.pk).update(notice_due=True)
    return sent


def _mail(campaign: Campaign) -> None:
    url = settings.PUBLIC_BASE_URL + campaign.get_absolute_url()
    name = " ".join(campaign.name.split())
    context = {"name": name, "why": campaign.pause_reason, "url": url}
    tell_admins(campaign.owner, "telephony/campaign_paused_mail.txt", context)
