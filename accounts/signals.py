"""What allauth tells by its signals: sign-ins and second factors, for the audit log."""

from allauth.account.signals import user_logged_in
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed
from django.dispatch import receiver

from accounts import audit
from accounts.audit import Action


@receiver(user_logged_in)
def _signed_in(user, **kwargs):
    audit.record_of_person(Action.SIGNED_IN, user)


@receiver(authenticator_added)
def _second_factor_added(user, authenticator, **kwargs):
    _note_second_factor(Action.TWO_FACTOR_ON, user, authenticator)


@receiver(authenticator_removed)
def _second_factor_removed(user, authenticator, **kwargs):
    _note_second_factor(Action.TWO_FACTOR_OFF, user, authenticator)


def _note_second_factor(action, user, authenticator):
    # Recovery codes come and go with the app that makes the codes.
    if authenticator.type == Authenticator.Type.TOTP:
        audit.record_of_person(action, user)
