"""Work of telephony that nobody waits for."""

from celery import shared_task
from django.utils.timezone import now

from telephony.services import silent_calls


@shared_task(ignore_result=True)
def settle_silent_calls():
    """Settle calls of which nothing is heard any more. Safe to run twice at once."""
    silent_calls.settle(now())
