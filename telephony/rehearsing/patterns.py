"""Patterns that people write, matched in a time that grows with the text alone.

Python's own `re` can be kept busy for hours by one line of a pattern.
"""

import re2

MAX_CHARACTERS = 500
MEMORY = 1 << 20

_options = re2.Options()
_options.case_sensitive = False
_options.log_errors = False  # a pattern is somebody's data
_options.max_mem = MEMORY


def wrong_with(pattern: str) -> str:
    """What is wrong with the pattern; "" if it can be used."""
    try:
        re2.compile(pattern, _options)
    except re2.error as error:
        return _words_of(error)
    return ""


def _words_of(error: Exception) -> str:
    (told,) = error.args or (b"",)
    return told.decode(errors="replace") if isinstance(told, bytes) else str(told)


def find(pattern: str, text: str) -> str | None:
    """The first part of `text` that matches, in any case; None if nothing does."""
    found = re2.compile(pattern, _options).search(text)
    return None if found is None else found.group()
