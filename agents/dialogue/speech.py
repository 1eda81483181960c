"""What was heard of what was said, and what was meant by it."""

import re
from collections.abc import Iterable

SPEECH_CHARACTERS_PER_SECOND = 15
"""How fast a synthetic voice reads, roughly: what a duration of speech amounts to."""


def heard_part(said: str, heard: str | None, heard_ms: int | None) -> str:
    """The beginning of `said` that the caller heard.

    `heard` is the carrier's account: speech synthesis changes case, punctuation and
    spaces, so only letters and digits are compared. If it can't be found, the
    duration tells how much it was; with neither, all of it counts as heard.
    """
    end = _end_of_match(said, heard or "")
    if end is not None:
        return said[:end]
    if heard_ms is None:
        return said
    return _first_words(said, max(0, heard_ms) * SPEECH_CHARACTERS_PER_SECOND // 1000)


def is_start(said: str, heard: str | None) -> bool:
    """Whether the carrier's `heard` is a part of `said`, leniently spelled."""
    return _end_of_match(said, heard or "") is not None


def _end_of_match(said: str, heard: str) -> int | None:
    """Where `heard` ends in `said`, with the punctuation that ends its last word."""
    folded, origins = _fold(said)
    wanted, _ = _fold(heard)
    start = folded.find(wanted)
    if not wanted or start < 0:
        return None
    end = origins[start + len(wanted) - 1] + 1
    closing = re.compile(r"[^\w\s]+(?=\s|$)").match(said, end)
    return closing.end() if closing else end


def _fold(text: str) -> tuple[str, list[int]]:
    """Letters and digits without case, and where in `text` each of them stands."""
    folded = [
        (part, index)
        for index, character in enumerate(text)
        if character.isalnum()
        for part in character.casefold()
    ]
    return "".join(part for part, _ in folded), [index for _, index in folded]


def _first_words(text: str, characters: int) -> str:
    if characters >= len(text):
        return text
    start = text[: characters + 1]
    words = re.match(r".*(?=\s)", start, re.DOTALL)
    return words.group() if words else ""


UNSPACED_SCRIPTS = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Thai, Lao, Khmer, Japanese and Chinese put no spaces between words."""


def contains_phrase(text: str, phrases: Iterable[str]) -> bool:
    """Whether `text` has one of `phrases`, whole; case and punctuation don't count."""
    words = _words(text)
    return any(_has_words(words, _words(phrase)) for phrase in phrases)


def _words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.replace("’", "'").casefold()))


def _has_words(words: str, phrase: str) -> bool:
    if not phrase:
        return False
    if UNSPACED_SCRIPTS.search(phrase):
        return phrase in words
    return f" {phrase} " in f" {words} "


def spaced(text: str) -> str:
    """`text` ready to be followed by more words."""
    return text.strip() + " " if text.strip() else ""
