"""How much of a voice agent is stored: the model checks it, so page and API agree."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from agents.prompts import PLACEHOLDER_NAME

MAX_VARIABLES = 50
MAX_NAME_CHARACTERS = 100
MAX_VALUE_CHARACTERS = 2_000
MAX_PHRASES = 20
MAX_PHRASE_CHARACTERS = 100
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES = {
    "mon": _("Monday"),
    "tue": _("Tuesday"),
    "wed": _("Wednesday"),
    "thu": _("Thursday"),
    "fri": _("Friday"),
    "sat": _("Saturday"),
    "sun": _("Sunday"),
}

# The shape of RFC 5646; whether a carrier's voice knows the language is its affair.
check_language = RegexValidator(
    r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z", _("A language tag such as en-US or de-DE.")
)


def check_variables(variables: dict[str, str]) -> None:
    """Raise ValidationError unless these are few enough values of placeholders."""
    if len(variables) > MAX_VARIABLES:
        raise ValidationError(
            _("At most %(count)d variables."), params={"count": MAX_VARIABLES}
        )
    for name in variables:
        if len(name) > MAX_NAME_CHARACTERS or not re.fullmatch(PLACEHOLDER_NAME, name):
            raise ValidationError(
                _(
                    "A variable has a name as a placeholder has: letters, digits, "
                    "underscores and dots, at most %(count)d characters."
                ),
                params={"count": MAX_NAME_CHARACTERS},
            )
    if any(len(value) > MAX_VALUE_CHARACTERS for value in variables.values()):
        raise ValidationError(
            _("A value can have at most %(count)d characters."),
            params={"count": MAX_VALUE_CHARACTERS},
        )


def check_phrases(phrases: list[str]) -> None:
    """Raise ValidationError unless these are few and short enough."""
    if len(phrases) > MAX_PHRASES:
        raise ValidationError(
            _("At most %(count)d phrases."), params={"count": MAX_PHRASES}
        )
    if any(len(phrase) > MAX_PHRASE_CHARACTERS for phrase in phrases):
        raise ValidationError(
            _("A phrase can have at most %(count)d characters."),
            params={"count": MAX_PHRASE_CHARACTERS},
        )


def check_days(days: list[str]) -> None:
    """Raise ValidationError unless these are days of the week, each once."""
    if set(days) - set(DAYS) or len(set(days)) != len(days):
        raise ValidationError(_("Days are mon, tue, wed, thu, fri, sat and sun."))
