"""How many segments a text is sent and paid in (3GPP TS 23.038 and 23.040).

With nothing but the letters of the GSM alphabet a text may have 160 of them, else 70
in UCS-2. A longer one is cut into segments of 153 or 67, for each begins with a header.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MAX_TEXT_CHARACTERS = 1_600
"""Longer ones Twilio refuses (error 21617)."""

GSM_ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")  # each takes two places


@dataclass(frozen=True)
class Size:
    """What a text costs: `units` are septets in GSM-7, 16-bit units in UCS-2."""

    characters: int
    encoding: str
    units: int
    segments: int

    def in_words(self) -> str:
        """What is shown below a text: 12 characters · 1 segment (GSM-7)."""
        characters = ngettext(
            "%(count)d character", "%(count)d characters", self.characters
        ) % {"count": self.characters}
        segments = ngettext(
            "%(count)d segment", "%(count)d segments", self.segments
        ) % {"count": self.segments}
        return _("%(characters)s · %(segments)s (%(encoding)s)") % {
            "characters": characters,
            "segments": segments,
            "encoding": self.encoding,
        }


def size_of(text: str) -> Size:
    """The encoding that `text` needs, and its segments in it; an empty one has none."""
    if set(text) <= GSM_ALPHABET | GSM_EXTENSION:
        widths = [1 + (character in GSM_EXTENSION) for character in text]
        return Size(len(text), "GSM-7", sum(widths), _segments(widths, 160, 153))
    widths = [1 + (character > "\uffff") for character in text]
    return Size(len(text), "UCS-2", sum(widths), _segments(widths, 70, 67))


def _segments(widths: list[int], whole: int, part: int) -> int:
    """Into how many parts characters go that are not cut in two."""
    if sum(widths) <= whole:
        return int(bool(widths))
    segments, free = 0, 0
    for width in widths:
        if width > free:
            segments, free = segments + 1, part
        free -= width
    return segments
