"""The words by which people stop texts and allow them again, in English as everywhere.

A long code's carrier keeps them itself and answers; on WhatsApp nobody does but us
(Twilio, "Support for opt-out keywords"). They are the whole text, in any case.
"""

import string
from collections.abc import Callable
from enum import StrEnum

from django.utils.translation import gettext_lazy as _


class Word(StrEnum):
    STOP = "stop"
    START = "start"
    HELP = "help"


STOP_WORDS = frozenset(
    ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"]
)
START_WORDS = frozenset({"START", "UNSTOP"})
# Of who has not stopped texts it is a plain answer.
START_WORDS_OF_STOPPED = frozenset({"YES"})
HELP_WORDS = frozenset({"HELP", "INFO"})
STOPPED_AT_CARRIER = 21610  # its error for who has stopped texts there
AROUND = string.whitespace + string.punctuation

# What we answer where the carrier does not.
ANSWERS = {
    Word.STOP: _("You will get no more messages from us. Reply START to allow them."),
    Word.START: _("You get messages from us again. Reply STOP to end them."),
    Word.HELP: _("Reply STOP to get no more messages from us, START to allow them."),
}


def word_in(
    body: str, *, told: str = "", has_stopped: Callable[[], bool]
) -> Word | None:
    """Which of the words a text is; `told` is what the carrier takes it for, if it
    says so.
    """
    if told.lower() in set(Word):
        return Word(told.lower())
    text = body.strip(AROUND).upper()
    if text in STOP_WORDS:
        return Word.STOP
    if text in START_WORDS or (text in START_WORDS_OF_STOPPED and has_stopped()):
        return Word.START
    return Word.HELP if text in HELP_WORDS else None


def is_word(body: str) -> bool:
    """Whether a text is one of the words from whoever it comes: no agent is told it."""
    return word_in(body, has_stopped=lambda: False) is not None
