"""E-mails to those who answer for a workspace: its owner and its admins."""

import logging
from collections.abc import Callable

from django.core.mail import EmailMessage, get_connection
from django.db.models import Model, QuerySet
from django.template.loader import render_to_string

from accounts.models import Membership, Workspace

MAIL_TIMEOUT_S = 20

logger = logging.getLogger(__name__)


def send_due(due: QuerySet, mail: Callable[[Model], None]) -> int:
    """Mail the notices of rows with a `notice_due`; how many went out.

    Safe to run twice at once. Where no mail goes out, the notice stays due.
    """
    sent = 0
    for row in due.select_related("owner"):
        this = type(row).unscoped.filter(pk=row.pk, notice_due=True)
        # Taken before it is sent: rather none than two.
        if not this.update(notice_due=False):
            continue
        try:
            mail(row)
            sent += 1
        except OSError:  # what smtplib raises, too: tried again with the next bell
            logger.exception("%s %s: notice not sent", row._meta.verbose_name, row.pk)
            type(row).unscoped.filter(pk=row.pk).update(notice_due=True)
    return sent


def tell_admins(owner: Workspace, template: str, context: dict) -> None:
    """Mail them the template: its first line is the subject. Raises OSError.

    The workspace's name is in the context as `workspace`, on one line.
    """
    people = Membership.objects.for_owner(owner).filter(
        role__in=[Membership.Role.OWNER, Membership.Role.ADMIN]
    )
    addresses = people.filter(user__is_active=True).values_list(
        "user__email", flat=True
    )
    told = {"workspace": " ".join(owner.name.split()), **context}
    subject, _blank, body = render_to_string(template, told).partition("\n\n")
    connection = get_connection(timeout=MAIL_TIMEOUT_S)
    connection.send_messages(
        [
            EmailMessage(subject=subject, body=body, to=[address])
            for address in addresses
        ]
    )
