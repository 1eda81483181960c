"""Named test callers: each has a manner in which it does what a script says. Pure.

A manner makes turns of turns; whoever plays them knows only the turns of
`telephony.rehearsing.scripts`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from telephony.rehearsing.scripts import Turn

HURRIED_AFTER_CHARS = 20
INTERRUPTS_AFTER_CHARS = 30
OVER_GREETING_AFTER_CHARS = 5
INTERRUPTION = "Wait, wait."
VOICEMAIL_GREETING = (
    "You have reached a voicemail. I cannot take your call at the moment. Please leave "
    "a message after the tone."
)
VOICEMAIL_LISTENS_S = 20
FOREIGN = (
    ("es", "Hola, buenos días. ¿Habla usted español?"),
    ("de", "Guten Tag. Sprechen Sie Deutsch?"),
)


class Caller(models.TextChoices):
    PATIENT = "patient", _("Patient")
    HURRIED = "hurried", _("Hurried")
    INTERRUPTER = "interrupter", _("Interrupter")
    TALKS_OVER_GREETING = "talks_over_greeting", _("Talks over the greeting")
    SILENT = "silent", _("Silent")
    KEYPAD_ONLY = "keypad_only", _("Keypad only")
    VOICEMAIL = "voicemail", _("Voicemail")
    HANGS_UP_MID_WORD = "hangs_up_mid_word", _("Hangs up in mid-word")
    OTHER_LANGUAGE = "other_language", _("Speaks another language")


@dataclass(frozen=True)
class Manner:
    """`play(turns, language)`: what the caller does; `help`: the same for people."""

    play: Callable[[list[Turn], str], list[Turn]]
    help: Any


def play(caller: str, turns: list[Turn], language: str) -> list[Turn]:
    """What this caller makes of the turns, with an agent that speaks `language`."""
    return MANNERS[Caller(caller)].play(turns, language)


def _patiently(turns: list[Turn], language: str) -> list[Turn]:
    return list(turns)


def _hurriedly(turns: list[Turn], language: str) -> list[Turn]:
    """The first words wait for the greeting, all others for nothing."""
    played, has_spoken = [], False
    for turn in turns:
        if "say" in turn and has_spoken:
            turn = {"interrupt": turn["say"], "after_chars": HURRIED_AFTER_CHARS}
        has_spoken = has_spoken or "say" in turn
        played.append(turn)
    return played


def _interrupting(turns: list[Turn], language: str) -> list[Turn]:
    played: list[Turn] = []
    for turn in turns:
        if "say" in turn and played:
            cut = {"interrupt": INTERRUPTION, "after_chars": INTERRUPTS_AFTER_CHARS}
            played.append(cut)
        played.append(turn)
    return played


def _over_greeting(turns: list[Turn], language: str) -> list[Turn]:
    played = list(turns)
    for place, turn in enumerate(played):
        if "say" in turn:
            over = {"interrupt": turn["say"], "after_chars": OVER_GREETING_AFTER_CHARS}
            played[place] = over
            break
    return played


def _silently(turns: list[Turn], language: str) -> list[Turn]:
    return [turn for turn in turns if "silence_s" in turn or "hang_up" in turn]


def _by_keys(turns: list[Turn], language: str) -> list[Turn]:
    """Of words only the digits, as keys."""
    played = []
    for turn in turns:
        words = turn.get("say") or turn.get("interrupt") or turn.get("break_off")
        if words is None:
            played.append(turn)
        elif keys := "".join(c for c in words if c in "0123456789*#"):
            played.append({"press": keys[:50]})
    return played


def _as_voicemail(turns: list[Turn], language: str) -> list[Turn]:
    """A machine talks whoever else does, listens for a while, and hangs up."""
    return [
        {"interrupt": VOICEMAIL_GREETING, "after_chars": OVER_GREETING_AFTER_CHARS},
        {"silence_s": VOICEMAIL_LISTENS_S},
        {"hang_up": True},
    ]


def _until_mid_word(turns: list[Turn], language: str) -> list[Turn]:
    """The last words are begun and never finished."""
    played = [turn for turn in turns if "hang_up" not in turn]
    while played and not played[-1].keys() & {"say", "interrupt", "break_off"}:
        played.pop()
    if not played:
        return [{"hang_up": True}]
    (words,) = (played[-1][name] for name in SPOKEN if name in played[-1])
    return [*played[:-1], {"break_off": words}]


SPOKEN = ("say", "interrupt", "break_off")


def _foreignly(turns: list[Turn], language: str) -> list[Turn]:
    own = language.lower().split("-")[0]
    greeting = next(words for tongue, words in FOREIGN if tongue != own)
    return [{"say": greeting}, *turns]


MANNERS = {
    Caller.PATIENT: Manner(
        _patiently, _("Lets the agent finish and says what the script says.")
    ),
    Caller.HURRIED: Manner(
        _hurriedly, _("Hears the greeting, then answers before the agent has finished.")
    ),
    Caller.INTERRUPTER: Manner(
        _interrupting,
        _("Breaks into every reply with “Wait, wait.”, then goes on with the script."),
    ),
    Caller.TALKS_OVER_GREETING: Manner(
        _over_greeting, _("Says the first words while the agent greets.")
    ),
    Caller.SILENT: Manner(
        _silently, _("Says nothing and presses nothing: the script needs no turns.")
    ),
    Caller.KEYPAD_ONLY: Manner(
        _by_keys, _("Never speaks: of the words only the digits are pressed.")
    ),
    Caller.VOICEMAIL: Manner(
        _as_voicemail,
        _("A machine: speaks its announcement over the greeting, listens, hangs up."),
    ),
    Caller.HANGS_UP_MID_WORD: Manner(
        _until_mid_word, _("Hangs up in the middle of the last words.")
    ),
    Caller.OTHER_LANGUAGE: Manner(
        _foreignly,
        _("Begins in Spanish (in German with a Spanish agent), then the script."),
    ),
}
# These do what they do whatever the script says.
NEED_NO_TURNS = frozenset({Caller.SILENT, Caller.VOICEMAIL, Caller.OTHER_LANGUAGE})
