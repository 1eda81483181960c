"""Where allauth asks us: what a new account gets, how second factors are stored."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit, invitations, services, switches
from accounts.audit import Action
from accounts.middleware import choose_workspace
from voiceops import encryption

OPENED_INVITATION = "invitation"  # in the session: the hash of its secret


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request):
        return not switches.is_off(switches.Feature.SIGN_UP)

    def clean_email(self, email):
        """Refuse letters beyond ASCII: addresses that look alike must not differ.

        A domain in other letters has its `xn--` form (RFC 5890).
        """
        if not email.isascii():
            raise ValidationError(
                _("Write the address in ASCII; a domain in its xn-- form.")
            )
        return super().clean_email(email)

    def _get_login_attempts_cache_key(self, request, **credentials):
        """Failures are counted by account alone.

        allauth counts them by the Host header too, in which a stranger may write any
        port: each would be a new start.
        """
        return credentials.get("email", "").lower()

    def save_user(self, request, user, form, commit=True):
        """Save a new account together with a workspace, or neither.

        Who comes by an invitation to that address joins its workspace; everybody else
        is given one.
        """
        with transaction.atomic():
            user = super().save_user(request, user, form, commit=commit)
            if commit and not self._join(request, user):
                services.open_personal_workspace(user)
        return user

    def set_password(self, user, password):
        """Change it and end every bearer log-in: one that was taken opens nothing now.

        Other browsers are logged out by Django, whose sessions know the password.
        """
        with transaction.atomic():
            super().set_password(user, password)
            services.revoke_logins(user)
            audit.record_of_person(Action.PASSWORD_CHANGED, user)

    def _join(self, request, user) -> bool:
        invitation = opened_invitation(request)
        if invitation is None or invitation.email != user.email.lower():
            return False
        try:
            membership = invitations.accept(invitation, user)
        except invitations.Refused:  # revoked at this moment
            return False
        choose_workspace(request, membership.workspace)
        # The link went to this address: who opened it need not prove that again.
        self.stash_verified_email(request, user.email)
        return True


def opened_invitation(request):
    """The usable invitation whose link this browser has opened; None without one."""
    digest = request.session.get(OPENED_INVITATION)
    return invitations.find_by_digest(digest) if digest else None


class SessionsAdapter(DefaultUserSessionsAdapter):
    def end_sessions(self, sessions):
        """Log other browsers of a person out."""
        super().end_sessions(sessions)
        for user in {session.user for session in sessions}:
            audit.record_of_person(Action.LOGIN_REVOKED, user)


class MfaAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": gettext_lazy(
            "Your password is too short to stand alone. Choose one of 15 characters or"
            " more first."
        )
    }

    def can_delete_authenticator(self, authenticator) -> bool:
        return not authenticator.user.has_short_password

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text)
