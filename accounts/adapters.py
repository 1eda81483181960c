"""Where allauth asks us: what a new account gets, how second factors are stored."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.db import transaction

from accounts import services
from voiceops import encryption


class AccountAdapter(DefaultAccountAdapter):
    def save_user(self, request, user, form, commit=True):
        """Save a new account together with its workspace, or neither."""
        with transaction.atomic():
            user = super().save_user(request, user, form, commit=commit)
            if commit:
                services.open_personal_workspace(user)
        return user

    def set_password(self, user, password):
        """Change it and end every bearer log-in: one that was taken opens nothing now.

        Other browsers are logged out by Django, whose sessions know the password.
        """
        with transaction.atomic():
            super().set_password(user, password)
            services.revoke_logins(user)


class MfaAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text)
