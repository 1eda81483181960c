"""ConversationRelay's frames as values. Pure.

Source: Twilio's page "WebSocket messages for ConversationRelay". A frame that Twilio
would not understand raises BadFrame (its error 64107).
"""

import json
import re
from dataclasses import dataclass

DTMF = re.compile(r"[0-9w#*]+")


class BadFrame(Exception):
    """The application sent something that is no message of the protocol."""


@dataclass(frozen=True)
class Text:
    token: str
    last: bool = False
    interruptible: bool | None = None


@dataclass(frozen=True)
class Recording:
    source: str
    interruptible: bool | None = None


@dataclass(frozen=True)
class Digits:
    digits: str


@dataclass(frozen=True)
class Language:
    transcription: str | None


@dataclass(frozen=True)
class End:
    handoff_data: str | None = None


Frame = Text | Recording | Digits | Language | End


def parse(raw: str | bytes) -> Frame:
    """Read one message of the application. Raises BadFrame."""
    if isinstance(raw, bytes):
        raise BadFrame("a binary message")
    try:
        message = json.loads(raw)
    except ValueError as exc:
        raise BadFrame("not JSON") from exc
    if not isinstance(message, dict):
        raise BadFrame("not a JSON object")
    kind = message.get("type")
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadFrame(f"unknown type {kind!r}")
    return reader(message)


def _text(message: dict) -> Text:
    return Text(
        token=_string(message, "token"),
        last=bool(_boolean(message, "last")),
        interruptible=_boolean(message, "interruptible"),
    )


def _recording(message: dict) -> Recording:
    return Recording(_string(message, "source"), _boolean(message, "interruptible"))


def _digits(message: dict) -> Digits:
    digits = _string(message, "digits")
    if not DTMF.fullmatch(digits):
        raise BadFrame("digits are 0-9, w, # and *")
    return Digits(digits)


def _language(message: dict) -> Language:
    if not message.keys() & {"ttsLanguage", "transcriptionLanguage"}:
        raise BadFrame("language needs ttsLanguage or transcriptionLanguage")
    for name in message.keys() & {"ttsLanguage", "transcriptionLanguage"}:
        _string(message, name)
    return Language(message.get("transcriptionLanguage"))


def _end(message: dict) -> End:
    if message.get("handoffData") is None:
        return End()
    return End(_string(message, "handoffData"))


def _string(message: dict, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise BadFrame(f"{name} must be a string")
    return value


def _boolean(message: dict, name: str) -> bool | None:
    value = message.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadFrame(f"{name} must be true or false")
    return value


READERS = {
    "text": _text,
    "play": _recording,
    "sendDigits": _digits,
    "language": _language,
    "end": _end,
}
