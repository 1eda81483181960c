"""The messages of a live session. Pure.

Source: Twilio, "WebSocket messages for ConversationRelay". What comes in becomes a
value; what is not understood is `None`, for Twilio adds messages without notice.
"""

import json
from dataclasses import dataclass

from telephony.words import speakable

MAX_TEXT_CHARACTERS = 10_000


class IllFormed(Exception):
    """Not a message at all."""


@dataclass(frozen=True)
class Setup:
    call_sid: str
    account_sid: str


@dataclass(frozen=True)
class Prompt:
    """What the caller said."""

    text: str


@dataclass(frozen=True)
class Interrupt:
    """The caller cut in; what had been heard by then, if the carrier knows."""

    heard: str | None
    heard_ms: int | None


@dataclass(frozen=True)
class Key:
    digit: str


@dataclass(frozen=True)
class Speaking:
    """Somebody begins or ceases to speak."""

    is_agent: bool
    is_on: bool


@dataclass(frozen=True)
class Complaint:
    """The carrier did not understand something of ours."""


Frame = Setup | Prompt | Interrupt | Key | Speaking | Complaint


def parse(raw: str | None) -> Frame | None:
    """Read one message; raise `IllFormed` for what is none."""
    try:
        message = json.loads(raw)
        reader = READERS.get(message["type"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise IllFormed from error
    return reader(message) if reader else None


def _text(message: dict, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise IllFormed(name)
    return speakable(value)[:MAX_TEXT_CHARACTERS]


def _setup(message: dict) -> Setup:
    return Setup(_text(message, "callSid"), _text(message, "accountSid"))


def _prompt(message: dict) -> Prompt | None:
    """Partial prompts are not asked for; one that comes anyway is not the whole."""
    text = _text(message, "voicePrompt")
    return Prompt(text) if message.get("last", True) is not False else None


def _interrupt(message: dict) -> Interrupt:
    heard = message.get("utteranceUntilInterrupt")
    heard_ms = message.get("durationUntilInterruptMs")
    return Interrupt(
        speakable(heard) if isinstance(heard, str) else None,
        heard_ms if type(heard_ms) is int else None,
    )


def _key(message: dict) -> Key | None:
    digit = _text(message, "digit")
    return Key(digit) if len(digit) == 1 and digit in "0123456789*#ABCD" else None


def _info(message: dict) -> Speaking | None:
    if message.get("name") not in ("agentSpeaking", "clientSpeaking"):
        return None
    return Speaking(message["name"] == "agentSpeaking", message.get("value") == "on")


def _error(message: dict) -> Complaint:
    return Complaint()


READERS = {
    "setup": _setup,
    "prompt": _prompt,
    "interrupt": _interrupt,
    "dtmf": _key,
    "info": _info,
    "error": _error,
}


def text(token: str, *, last: bool) -> str:
    return json.dumps({"type": "text", "token": token, "last": last})


def end(reason: str, **more: str) -> str:
    """The end of the session; `reason` and `more` come back as HandoffData."""
    handoff = json.dumps({"reason": reason, **more})
    return json.dumps({"type": "end", "handoffData": handoff})
