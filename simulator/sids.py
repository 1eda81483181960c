"""Identifiers in Twilio's shapes, and phone numbers that belong to nobody."""

import secrets

import phonenumbers

AREA_CODES = (202, 206, 212, 303, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 818)
NEVER_VALID = "+15005550001"  # Twilio's own magic number for "this is no number"


def make_sid(prefix: str) -> str:
    """A new SID: two letters and 32 hex digits."""
    return prefix + secrets.token_hex(16)


def make_token() -> str:
    """An unguessable token (128 bits) for an address."""
    return secrets.token_urlsafe(16)


def make_number() -> str:
    """A number of the 555-01xx range, which is reserved for fiction."""
    return f"+1{secrets.choice(AREA_CODES)}55501{secrets.randbelow(100):02d}"


def is_number(text: str) -> bool:
    """Whether `text` is an E.164 number of a possible length."""
    if text == NEVER_VALID or not text.startswith("+"):
        return False
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, None))
    except phonenumbers.NumberParseException:
        return False


def country(number: str) -> str:
    """ISO country of an E.164 number, or an empty string."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return ""
    return region or ""
