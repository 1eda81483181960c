"""How much of an agent is stored: the model checks it, so page and API agree."""

import re
from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from accounts.zones import zone_names
from agents.hours import DAYS, end_minutes_of, minutes_of
from agents.prompts import PLACEHOLDER_NAME

MAX_VARIABLES = 50
MAX_NAME_CHARACTERS = 100
MAX_VALUE_CHARACTERS = 2_000
MAX_PHRASES = 20
MAX_PHRASE_CHARACTERS = 100
MAX_RANGES_A_DAY = 4
DAY_NAMES = {
    "mon": _("Monday"),
    "tue": _("Tuesday"),
    "wed": _("Wednesday"),
    "thu": _("Thursday"),
    "fri": _("Friday"),
    "sat": _("Saturday"),
    "sun": _("Sunday"),
}
MAX_TOOLS = 30  # more confuse a model, and each is told to it at every turn

START = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
END = re.compile(rf"{START.pattern}|24:00")

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


def check_business_hours(business_hours: dict[str, Any]) -> None:
    """Raise ValidationError unless these are hours as `agents.hours` reads them."""
    shape = _(
        'Business hours look like {"timezone": "Europe/Berlin", "days": {"mon": '
        '[["09:00", "17:00"]]}}.'
    )
    if not (isinstance(business_hours, dict) and set(business_hours) <= _HOURS_KEYS):
        raise ValidationError(shape)
    zone, days = business_hours.get("timezone"), business_hours.get("days")
    if not (isinstance(zone, str) and isinstance(days, dict)):
        raise ValidationError(shape)
    if zone not in zone_names():
        raise ValidationError(_("There is no time zone of this name."))
    if not set(days) <= set(DAYS):
        raise ValidationError(
            _("Days are called %(names)s."), params={"names": ", ".join(DAYS)}
        )
    if not any(days.values()):
        raise ValidationError(
            _("Give the hours of at least one day, or none at all: always open.")
        )
    for ranges in days.values():
        check_ranges(ranges)


_HOURS_KEYS = {"timezone", "days"}


def check_ranges(ranges: list[list[str]]) -> None:
    """Raise ValidationError unless these are one day's hours, from and to."""
    if not isinstance(ranges, list) or len(ranges) > MAX_RANGES_A_DAY:
        raise ValidationError(
            _("A day has at most %(count)d pairs of times."),
            params={"count": MAX_RANGES_A_DAY},
        )
    for pair in ranges:
        if not _is_pair_of_times(pair):
            raise ValidationError(_("Times are pairs such as 09:00 and 17:00."))
    times = sorted((minutes_of(start), end_minutes_of(end)) for start, end in ranges)
    if any(start >= end for start, end in times):
        raise ValidationError(
            _(
                "The end comes after the start. Hours over midnight are two pairs: "
                "until 00:00 on this day, from 00:00 on the next."
            )
        )
    if any(later[0] < earlier[1] for earlier, later in pairwise(times)):
        raise ValidationError(_("These times overlap."))


def _is_pair_of_times(pair: Any) -> bool:
    if not (isinstance(pair, list) and len(pair) == 2):
        return False
    if not all(isinstance(clock, str) for clock in pair):
        return False
    start, end = pair
    return bool(START.fullmatch(start) and END.fullmatch(end))
