"""The e-mail that tells a workspace's owner and admins of a campaign that stopped."""

from datetime import datetime, timedelta

from django.conf import settings

from accounts import notices
from telephony.models import Campaign

TRIED_FOR = timedelta(days=1)  # when no mail goes out; the page says it in any case


def send_due(at: datetime) -> int:
    """Send what is due; how many went out. Safe to run twice at once."""
    due = Campaign.unscoped.filter(notice_due=True, updated_at__gt=at - TRIED_FOR)
    return notices.send_due(due, _mail)


def _mail(campaign: Campaign) -> None:
    url = settings.PUBLIC_BASE_URL + campaign.get_absolute_url()
    name = " ".join(campaign.name.split())
    context = {"name": name, "why": campaign.pause_reason, "url": url}
    notices.tell_admins(campaign.owner, "telephony/campaign_paused_mail.txt", context)
