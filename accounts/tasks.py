"""Work of accounts that nobody waits for."""

from celery import shared_task
from django.utils.timezone import now

from accounts import idempotency


@shared_task(ignore_result=True)
def purge_kept_answers():
    """Forget the answers of yesterday's Idempotency-Keys. Safe to repeat."""
    idempotency.purge(now())


@shared_task(ignore_result=True)
def send_invitation(invitation_id):
    """Mail one invitation. A second delivery finds it sent and does nothing."""
    from accounts import invitations  # leaf: invitations imports this module

    invitations.send(invitation_id)


@shared_task(ignore_result=True)
def send_unsent_invitations():
    """Mail the invitations whose task was lost or failed. Safe to run twice at once."""
    from accounts import invitations  # leaf, as above

    invitations.send_unsent(now())
