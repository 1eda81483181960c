"""Finding a number in texts, however it is written, and taking it out. Pure."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import phonenumbers

from telephony.dialling.numbers import ERASED

# Fewer digits without a country code are a date, a price or a house.
FEWEST_DIGITS = 7
SEPARATORS = " ().-/\u00a0\u2010\u2011"  # between digits, as people write them
BETWEEN = f"[{re.escape(SEPARATORS)}]*"


@dataclass(frozen=True)
class Number:
    """An E.164 number, and all the ways in which it may stand somewhere."""

    e164: str

    @cached_property
    def national(self) -> str:
        """Its own digits, without a country's: they stand in every spelling."""
        parsed = phonenumbers.parse(self.e164)
        return phonenumbers.national_significant_number(parsed)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        country = self.e164.removeprefix("+").removesuffix(self.national)
        loose = BETWEEN.join(self.national)
        prefix = (
            rf"(?:\+|00|%2[bB])?{BETWEEN.join(country)}{BETWEEN}(?:\(0\){BETWEEN})?"
        )
        if len(self.national) >= FEWEST_DIGITS:
            prefix = f"(?:{prefix}|\\(?0?)?"
        return re.compile(rf"(?<!\d){prefix}\(?{loose}(?!\d)")

    def is_in(self, text: str) -> bool:
        return self._pattern.search(text) is not None

    def masked(self, value: Any) -> Any:
        """The same with the number taken out, in whatever it is nested."""
        if isinstance(value, str):
            return self._pattern.sub(ERASED, value)
        if isinstance(value, list):
            return [self.masked(one) for one in value]
        if isinstance(value, dict):
            return {self.masked(key): self.masked(one) for key, one in value.items()}
        if isinstance(value, int) and not isinstance(value, bool):
            return ERASED if self.is_in(str(value)) else value
        return value
