"""What a telephone number tells of itself: its country, its kind, its clocks. Pure."""

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from django.utils.translation import gettext as _
from phonenumbers import PhoneNumber, PhoneNumberType, shortnumberinfo, timezone

# In the place of a number that was forgotten. It has no digit, so nothing that looks
# for numbers finds it and nobody can call it. Where rows must differ, letters follow.
ERASED = "erased"
COSTLY = {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST}


# Parsing is the dear part, and every rule about a number begins with it.
@lru_cache(maxsize=2_000)
def parse(number: str, country: str | None = None) -> PhoneNumber | None:
    """The number that was written with its country code, or is one of `country`.

    None for anything else. The answer is shared: nobody changes it.
    """
    try:
        return phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None


def is_short(parsed: PhoneNumber) -> bool:
    """Whether it is an emergency or service number such as 112 or 411."""
    is_long = phonenumbers.is_possible_number(parsed)
    return not is_long and shortnumberinfo.is_possible_short_number(parsed)


def is_valid(parsed: PhoneNumber) -> bool:
    return phonenumbers.is_possible_number(parsed) and phonenumbers.is_valid_number(
        parsed
    )


def is_costly(parsed: PhoneNumber) -> bool:
    """Whether the callee earns by it: premium rate and shared cost."""
    return phonenumbers.number_type(parsed) in COSTLY


def country_of(parsed: PhoneNumber) -> str:
    """ISO 3166 of its country, 001 for a number of no country, "" if unknown."""
    return phonenumbers.region_code_for_number(parsed) or ""


def zones_of(parsed: PhoneNumber) -> tuple[ZoneInfo, ...]:
    """Every zone in which its telephone may stand; none where that is not known."""
    names = timezone.time_zones_for_number(parsed)
    if timezone.UNKNOWN_TIMEZONE in names:
        return ()
    try:
        return tuple(ZoneInfo(name) for name in names)
    except ZoneInfoNotFoundError:
        return ()


def is_erased(number: str) -> bool:
    return number.startswith(ERASED)


def number_for_reading(number: str) -> str:
    """+14155550100 as "+1 415-555-0100"; what is no E.164 number stays as it is."""
    if is_erased(number):
        return _("Forgotten number")
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(
        parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL
    )
