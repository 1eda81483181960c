"""What stands in a document, as what it has to be here: values in, values out.

Every function raises Refused for what it cannot read, and never guesses.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from telephony.services.carrier import InvalidNumber, e164

# A greater number of seconds is one of milliseconds: this many are the year 5138.
MOST_SECONDS = 100_000_000_000
FIRST_YEAR, LAST_YEAR = 1990, 2100
YES = frozenset({"true", "yes", "1", "on"})
NO = frozenset({"false", "no", "0", "off", ""})


class Refused(Exception):
    """It cannot come in: `str()` says why, without the value."""


def source_id(value: Any) -> str:
    """An id as text. A reference is often the text of the id that it means."""
    if isinstance(value, bool | dict | list) or value is None:
        raise Refused("is no id")
    told = text(value) if isinstance(value, str) else str(value)
    if not 0 < len(told) <= 200:
        raise Refused("is no id of 1 to 200 characters")
    return told


def text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused("is no text")
    told = str(value)
    if "\0" in told:
        raise Refused("has a NUL character")
    try:
        told.encode()
    except UnicodeEncodeError:
        raise Refused("is no UTF-8 text") from None
    return told


def line(value: Any) -> str:
    """A text without space around it."""
    return text(value).strip()


def word(value: Any) -> str:
    """One of several words, however it is written: `No_Answer` is `no-answer`."""
    told = str(value) if isinstance(value, bool) else line(value)
    return told.lower().replace("_", "-").replace(" ", "-")


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    told = str(value).strip().lower()
    if told in YES | NO:
        return told in YES
    raise Refused("is neither true nor false")


def whole(value: Any) -> int:
    """A whole number, not less than 0."""
    number = decimal(value)
    if number < 0 or number != number.to_integral_value():
        raise Refused("is no whole number from 0")
    return int(number)


def seconds(value: Any) -> int:
    """Whole seconds, what is begun left out."""
    return whole(int(decimal(value)))


def decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or value is None:
        raise Refused("is no number")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise Refused("is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > 15:
        raise Refused("is no number of a size that can be")
    return number


def real(value: Any) -> float:
    return float(decimal(value))


def amount(value: Any) -> Decimal:
    """What something costs. The carrier writes what it takes as less than 0."""
    return abs(decimal(value)).quantize(Decimal("0.000001"))


def moment(value: Any, zone: ZoneInfo) -> datetime:
    """A time in UTC, of a date, of ISO 8601 or of seconds or milliseconds since 1970.

    A time that names no zone is one of `zone`.
    """
    if isinstance(value, str):
        value = _written(value, zone)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        value = _counted(value)
    if not isinstance(value, datetime):
        raise Refused("is no time")
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    if not FIRST_YEAR < value.year < LAST_YEAR:
        raise Refused("is a time that cannot be")
    return value.astimezone(UTC)


def _written(told: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.fromisoformat(told.strip())
    except ValueError:
        raise Refused("is no time as 2026-03-01T14:30:00Z") from None


def _counted(told: float) -> datetime:
    if not math.isfinite(told) or told < 0:
        raise Refused("is no time")
    seconds = told / 1000 if told > MOST_SECONDS else told
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise Refused("is a time that cannot be") from None


def number(value: Any, country: str) -> str:
    """A telephone number in E.164; without a country code one of `country`."""
    try:
        return e164(line(value), country)
    except InvalidNumber:
        raise Refused("is no telephone number with its country code") from None


def party(value: Any, country: str) -> str:
    """Whoever called or wrote: a number, or what the carrier called them instead."""
    told = line(value)
    try:
        return number(told, country)
    except Refused:
        return told


def listed(value: Any) -> list:
    if not isinstance(value, list):
        raise Refused("is no list")
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused("is no document")
    return value


def texts(value: Any) -> list[str]:
    """A list of texts, or one text with commas between them."""
    if isinstance(value, str):
        value = value.split(",")
    found = [line(each) for each in listed(value)]
    return [each for each in found if each]


def variables(value: Any) -> dict[str, str]:
    return {text(name): text(said) for name, said in mapping(value).items()}


def plain(value: Any) -> Any:
    """What JSON can say of it; everything else as text."""
    if isinstance(value, dict):
        return {text(name): plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return text(value if isinstance(value, str) else str(value))
