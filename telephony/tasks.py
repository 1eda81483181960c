"""Work of telephony that nobody waits for."""

from celery import shared_task
from django.utils.timezone import now


@shared_task(ignore_result=True)
def settle_silent_calls():
    """Settle calls of which nothing is heard any more. Safe to run twice at once."""
    from telephony.services import silent_calls  # leaf: services import this module

    silent_calls.settle(now())


@shared_task(ignore_result=True)
def follow_up_calls():
    """Do what is due after the ends of calls. Safe to run twice at once."""
    from telephony.services import after_call  # leaf, as above

    after_call.pump.run()
