"""E-mails to those who answer for a workspace: its owner and its admins."""

from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string

from accounts.models import Membership, Workspace

MAIL_TIMEOUT_S = 20


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
