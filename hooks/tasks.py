"""Work of outgoing webhooks that nobody waits for."""

from celery import shared_task
from django.utils.timezone import now


@shared_task(ignore_result=True)
def deliver():
    """Send what is due. Safe to run twice at once."""
    from hooks import delivering  # leaf: services import this module

    delivering.pump.run()


@shared_task(ignore_result=True)
def send_notices():
    """Mail what has to be told of webhooks switched off. Safe to run twice at once."""
    from hooks import notices  # leaf, as above

    notices.send_due(now())
