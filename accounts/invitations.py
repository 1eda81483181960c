"""Verbs about asking people into a workspace by e-mail."""

import logging
import secrets
from datetime import datetime, timedelta
from functools import partial

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit, tasks
from accounts.audit import Action
from accounts.members import Refused, locked, require
from accounts.models import (
    INVITATION_LASTS,
    Invitation,
    Membership,
    User,
    Workspace,
)
from accounts.permissions import ASSIGNABLE
from accounts.permissions import Action as Right

SECRET_BYTES = 32
MAIL_TIMEOUT_S = 20
# A mail that did not go out is tried again after a while, and given up after an hour:
# then somebody reads on the page that it was not sent.
SEND_AGAIN_AFTER = timedelta(minutes=5)
SEND_AGAIN_FOR = timedelta(hours=1)
# Mails to strangers in our name: one person cannot send them without end.
RESEND_AFTER = timedelta(minutes=10)
DAILY_INVITATIONS = 50
NO_LONGER_USABLE = gettext_lazy("This invitation cannot be used any more.")

logger = logging.getLogger(__name__)


def invite(*, email: str, role: str, by: Membership) -> Invitation:
    """Ask an address into the workspace; the mail goes out after the commit.

    An invitation that has expired is renewed. Raises PermissionDenied, and Refused for
    members, for addresses with an open invitation and for the owner's role.
    """
    email = email.lower()
    with locked(by.workspace):
        require(by, Right.MANAGE_MEMBERS)
        _refuse_unless_invitable(email, role, by)
        invitation = _open_of(by.workspace, email) or Invitation(
            owner=by.workspace, email=email
        )
        invitation.role, invitation.invited_by = role, by.user
        _renew(invitation)
        audit.record(Action.INVITED, invitation, changes={"role": [None, role]})
    return invitation


def _refuse_unless_invitable(email: str, role: str, by: Membership) -> None:
    if role not in ASSIGNABLE:
        raise Refused(_("Nobody can be invited as the owner."))
    if _members_with(by.workspace, email).exists():
        raise Refused(_("%(email)s is a member already.") % {"email": email})
    standing = _open_of(by.workspace, email)
    if standing is not None and not standing.has_expired:
        raise Refused(_("%(email)s is invited already.") % {"email": email})
    lately = Invitation.unscoped.filter(
        invited_by=by.user, created_at__gt=now() - timedelta(days=1)
    )
    if lately.count() >= DAILY_INVITATIONS:
        raise Refused(
            _("You can invite %(count)d people a day. Go on tomorrow.")
            % {"count": DAILY_INVITATIONS}
        )


def _members_with(workspace, email: str):
    people = Membership.objects.for_owner(workspace)
    verified = EmailAddress.objects.filter(email__iexact=email, verified=True)
    return people.filter(user__email__iexact=email) | people.filter(
        user__in=verified.values("user")
    )


def _open_of(workspace, email: str) -> Invitation | None:
    return Invitation.objects.for_owner(workspace).open().filter(email=email).first()


def resend(invitation: Invitation, *, by: Membership) -> Invitation:
    """Send another link; the one before ends. Raises PermissionDenied and Refused."""
    with locked(by.workspace):
        require(by, Right.MANAGE_MEMBERS)
        invitation = Invitation.unscoped.open().filter(pk=invitation.pk).first()
        if invitation is None:
            raise Refused(_("This invitation was used or revoked."))
        if invitation.sent_at and invitation.sent_at > now() - RESEND_AFTER:
            raise Refused(
                _("It was sent a moment ago. Give the mail a few minutes to arrive.")
            )
        _renew(invitation)
        audit.record(Action.RESENT, invitation)
    return invitation


def _renew(invitation: Invitation) -> None:
    invitation.renew()
    invitation.save()
    # The row is what counts: without a broker, `send_unsent` finds it later.
    start = partial(tasks.send_invitation.delay, str(invitation.pk))
    transaction.on_commit(start, robust=True)


def revoke(invitation: Invitation, *, by: Membership) -> None:
    """End the link. Raises PermissionDenied, and Refused when it is over already."""
    with locked(by.workspace):
        require(by, Right.MANAGE_MEMBERS)
        if not invitation.revoke():
            raise Refused(_("This invitation was used or revoked."))
        audit.record(Action.REVOKED, invitation)


def send(invitation_id) -> bool:
    """Mail the link; False when there is nothing to send. Safe to repeat.

    The secret is made here. Of two workers at once, one replaces the hash that both
    have read, and only that one sends. Raises OSError when the mail does not go out.
    """
    waiting = Invitation.unscoped.usable().filter(pk=invitation_id, sent_at=None)
    invitation = waiting.select_related("owner", "invited_by").first()
    if invitation is None:
        return False
    secret = secrets.token_urlsafe(SECRET_BYTES)
    digest = Invitation.digest_of(secret)
    if not waiting.filter(digest=invitation.digest).update(
        digest=digest, updated_at=now()
    ):
        return False
    _mail(invitation, secret)
    Invitation.unscoped.filter(pk=invitation_id, digest=digest).update(sent_at=now())
    return True


def _mail(invitation: Invitation, secret: str) -> None:
    path = reverse("accounts:invitation_detail", args=[secret])
    context = {
        "invitation": invitation,
        "workspace": " ".join(invitation.owner.name.split()),
        "url": settings.PUBLIC_BASE_URL + path,
        "days": INVITATION_LASTS.days,
    }
    subject, _blank, body = render_to_string(
        "accounts/invitation_mail.txt", context
    ).partition("\n\n")
    message = EmailMessage(
        subject=subject,
        body=body,
        to=[invitation.email],
        connection=get_connection(timeout=MAIL_TIMEOUT_S),
    )
    message.send()


def send_unsent(at: datetime) -> int:
    """Send what was asked for in the last hour and did not go out; how many did."""
    asked_since = at - SEND_AGAIN_FOR + INVITATION_LASTS
    unsent = Invitation.unscoped.open().filter(
        sent_at=None, updated_at__lt=at - SEND_AGAIN_AFTER, expires_at__gt=asked_since
    )
    sent = 0
    for invitation_id in unsent.values_list("pk", flat=True):
        try:
            sent += send(invitation_id)
        except OSError:  # what smtplib raises, too; the others have a right to theirs
            logger.exception("invitation %s: not sent", invitation_id)
    return sent


def find(secret: str, user: User | None = None) -> Invitation | None:
    """The usable invitation with this secret, or the one that `user` came by."""
    known = Invitation.unscoped.select_related("owner", "invited_by")
    found = known.filter(digest=Invitation.digest_of(secret))
    usable = found.usable().first()
    if usable is None and user is not None:
        return found.filter(accepted_by=user).first()
    return usable


def find_by_digest(digest: str) -> Invitation | None:
    """The usable invitation whose secret has this hash."""
    invitations = Invitation.unscoped.usable().select_related("owner")
    return invitations.filter(digest=digest).first()


def is_for(invitation: Invitation, user: User) -> bool:
    """Whether the invited address is this person's: the primary, or a verified one.

    The link went to that address, so who has it controls the address.
    """
    if user.email.lower() == invitation.email:
        return True
    verified = EmailAddress.objects.filter(user=user, verified=True)
    return verified.filter(email__iexact=invitation.email).exists()


def accept(invitation: Invitation, user: User) -> Membership:
    """Let the person in; a member stays what they are. Safe to repeat.

    Raises Refused when the invitation is another's, used, revoked or expired.
    """
    if not is_for(invitation, user):
        raise Refused(_("This invitation is for another address."))
    with locked(invitation.owner):
        standing = Invitation.unscoped.get(pk=invitation.pk)
        if standing.accepted_by_id == user.pk:
            return _membership_after(standing, user)
        if not _is_usable(standing, invitation.digest):
            raise Refused(NO_LONGER_USABLE)
        standing.accepted_at, standing.accepted_by = now(), user
        standing.save(update_fields=["accepted_at", "accepted_by"])
        _refuse_full(standing.owner, user)
        membership, is_new = Membership.objects.get_or_create(
            workspace=standing.owner, user=user, defaults={"role": standing.role}
        )
        if is_new:
            joined = {"role": [None, standing.role]}
            audit.record(Action.JOINED, membership, changes=joined, by=user)
    return membership


def _refuse_full(workspace: Workspace, user: User) -> None:
    """It has as many people as operators allow it; who is in it stays."""
    most, people = workspace.most_members, Membership.objects.for_owner(workspace)
    if most is None or people.filter(user=user).exists():
        return
    if people.count() >= most:
        raise Refused(_("This workspace has as many members as it may have."))


def _membership_after(invitation: Invitation, user: User) -> Membership:
    """The membership that came of it; Refused for somebody who was removed since."""
    stayed = Membership.objects.filter(workspace=invitation.owner, user=user).first()
    if stayed is None:
        raise Refused(NO_LONGER_USABLE)
    return stayed


def _is_usable(invitation: Invitation, digest: str | None) -> bool:
    usable = Invitation.unscoped.usable().filter(pk=invitation.pk)
    return digest is not None and usable.filter(digest=digest).exists()
