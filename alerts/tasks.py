"""Work of alerts that nobody waits for."""

from celery import shared_task
from django.utils.timezone import now


@shared_task(ignore_result=True)
def watch():
    """Look at every alert. Safe to run twice at once."""
    from alerts import watching  # leaf: episodes imports this module

    watching.watch(now())


@shared_task(ignore_result=True)
def send_mails():
    """Send the e-mails of alerts that are due. Safe to run twice at once."""
    from alerts import mails  # leaf, as above

    mails.send_due()


@shared_task(ignore_result=True)
def send_digests():
    """Send the weekly e-mails whose hour has come. Safe to run twice at once."""
    from alerts import digest  # leaf, as above

    digest.send_due(now())
