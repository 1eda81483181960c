from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAXIMUM_CHARACTERS = 128


class MaximumLengthValidator:
    """Refuse passwords so long that hashing them would be an attack."""

    def validate(self, password, user=None):
        if len(password) > MAXIMUM_CHARACTERS:
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self):
        return _("Your password can have at most %(count)d characters.") % {
            "count": MAXIMUM_CHARACTERS
        }
