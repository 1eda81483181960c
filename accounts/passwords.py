"""How long a password is: NIST SP 800-63B-4, docs/decisions/0034-short-passwords.md."""

from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import ALONE_CHARACTERS, User

BESIDE_A_FACTOR_CHARACTERS = 8
MAXIMUM_CHARACTERS = 128


def has_second_factor(user: User) -> bool:
    """Whether logging in asks for a code besides the password."""
    factors = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP)
    return factors.exists()


class MinimumLengthValidator:
    """15 characters where the password is the only factor, 8 beside another one."""

    def validate(self, password, user=None):
        if len(password) >= ALONE_CHARACTERS:
            return
        if user is None or not has_second_factor(user):
            raise self._too_short(ALONE_CHARACTERS)
        if len(password) < BESIDE_A_FACTOR_CHARACTERS:
            raise self._too_short(BESIDE_A_FACTOR_CHARACTERS)

    def _too_short(self, fewest: int) -> ValidationError:
        message = _(
            "This password is too short. It must contain at least %(fewest)d"
            " characters."
        )
        return ValidationError(message % {"fewest": fewest}, code="password_too_short")

    def get_help_text(self):
        return _(
            "Your password has at least %(alone)d characters, or %(beside)d with"
            " two-factor log-in."
        ) % {"alone": ALONE_CHARACTERS, "beside": BESIDE_A_FACTOR_CHARACTERS}


class MaximumLengthValidator:
    """Refuse passwords so long that hashing them would be an attack."""

    def validate(self, password, user=None):
        if len(password) > MAXIMUM_CHARACTERS:
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self):
        return _("Your password can have at most %(count)d characters.") % {
            "count": MAXIMUM_CHARACTERS
        }
