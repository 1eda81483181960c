"""TwiML as values: text in, verbs and warnings out. Pure.

What Twilio does not have (its error 12200) is named in the warnings; what it has and
this carrier does not act out (Record, Enqueue, Stream …) in the notes. Source: Twilio's
TwiML reference, by way of its Python SDK.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.twiml_schema import ATTRIBUTES, KNOWN_BUT_NOT_PLAYED

MAX_CHARACTERS = 64 * 1024


class BadDocument(Exception):
    """Not TwiML at all: Twilio's error 12100."""


@dataclass(frozen=True)
class Say:
    text: str
    loop: int = 1


@dataclass(frozen=True)
class Play:
    url: str


@dataclass(frozen=True)
class Pause:
    length_s: int = 1


@dataclass(frozen=True)
class Gather:
    takes: frozenset[str] = frozenset({"dtmf"})
    action: str = ""
    method: str = "POST"
    timeout_s: int = 5
    num_digits: int | None = None
    finish_on_key: str = "#"
    barge_in: bool = True
    action_on_empty_result: bool = False
    language: str = "en-US"
    prompts: tuple[Say | Play | Pause, ...] = ()


@dataclass(frozen=True)
class Redirect:
    url: str
    method: str = "POST"


@dataclass(frozen=True)
class Hangup:
    pass


@dataclass(frozen=True)
class Reject:
    reason: str = "rejected"


@dataclass(frozen=True)
class Dial:
    numbers: tuple[str, ...]
    action: str | None = None
    method: str = "POST"
    timeout_s: int = 30
    caller_id: str = ""
    answered_url: str = ""  # of the Number: asked before the two are joined
    answered_method: str = "POST"


@dataclass(frozen=True)
class Connect:
    """Connect with a ConversationRelay in it; `attributes` are the latter's."""

    url: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    action: str | None = None
    method: str = "POST"


@dataclass(frozen=True)
class StartRecording:
    """Start with a Recording in it: from now on to the end of the call."""

    callback: str = ""
    method: str = "POST"


Verb = (
    Say
    | Play
    | Pause
    | Gather
    | Redirect
    | Hangup
    | Reject
    | Dial
    | Connect
    | StartRecording
)


@dataclass(frozen=True)
class Document:
    verbs: tuple[Verb, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    has_unknown_verb: bool = False


def parse(text: str) -> Document:
    """Read a document. Raises BadDocument for what is no XML or no Response."""
    if len(text) > MAX_CHARACTERS:
        raise BadDocument("longer than 64 kB")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadDocument("a document type is not allowed")
    try:
        root = ElementTree.fromstring(text.strip().encode())
    except ElementTree.ParseError as exc:
        raise BadDocument(str(exc)) from exc
    if root.tag != "Response":
        raise BadDocument(f"the root is <{root.tag}>, not <Response>")
    return _Reader().read(root)


class _Reader:
    def __init__(self):
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.has_unknown_verb = False

    def read(self, root) -> Document:
        self._attributes(root)
        verbs = tuple(verb for child in root if (verb := self._verb(child)) is not None)
        return Document(
            verbs, tuple(self.warnings), tuple(self.notes), self.has_unknown_verb
        )

    def _verb(self, element) -> Verb | None:
        given = self._attributes(element)
        match element.tag:
            case "Say":
                return Say(_text(element), self._number(given, "loop", 1))
            case "Play":
                return Play(_text(element))
            case "Pause":
                return Pause(self._number(given, "length", 1))
            case "Gather":
                return self._gather(element, given)
            case "Redirect":
                return Redirect(_text(element), given.get("method", "POST"))
            case "Hangup":
                return Hangup()
            case "Reject":
                return Reject(given.get("reason", "rejected"))
            case "Dial":
                return self._dial(element, given)
            case "Connect":
                return self._connect(element, given)
            case "Start":
                return self._start(element)
        self._unknown(element)
        return None

    def _gather(self, element, given) -> Gather:
        prompts = []
        for child in element:
            if child.tag in ("Say", "Play", "Pause"):
                prompts.append(self._verb(child))
            else:
                self._unknown(child)
        takes = frozenset(given.get("input", "dtmf").split())
        if not takes or takes - {"speech", "dtmf"}:
            self.warnings.append(f"Gather input={given.get('input')!r} is not known")
        digits = self._number(given, "numDigits", 0)
        return Gather(
            takes=takes,
            action=given.get("action", ""),
            method=given.get("method", "POST"),
            timeout_s=self._number(given, "timeout", 5),
            num_digits=digits or None,
            finish_on_key=given.get("finishOnKey", "#"),
            barge_in=given.get("bargeIn", "true") == "true",
            action_on_empty_result=given.get("actionOnEmptyResult") == "true",
            language=given.get("language", "en-US"),
            prompts=tuple(prompts),
        )

    def _dial(self, element, given) -> Dial:
        numbers = [element.text.strip()] if (element.text or "").strip() else []
        answered = {}
        for child in element:
            of_child = self._attributes(child)
            if child.tag == "Number":
                numbers.append(_text(child))
                answered = answered or of_child
            else:
                self._unknown(child)
        return Dial(
            numbers=tuple(numbers),
            action=given.get("action"),
            method=given.get("method", "POST"),
            timeout_s=self._number(given, "timeout", 30),
            caller_id=given.get("callerId", ""),
            answered_url=answered.get("url", ""),
            answered_method=answered.get("method", "POST"),
        )

    def _connect(self, element, given) -> Connect | None:
        relay = element.find("ConversationRelay")
        for child in element:
            if child is not relay:
                self._unknown(child)
        if relay is None:
            return None
        attributes = self._attributes(relay)
        parameters = {}
        for child in relay:
            values = self._attributes(child)
            if child.tag == "Parameter":
                parameters[values.get("name", "")] = values.get("value", "")
            elif child.tag != "Language":
                self._unknown(child)
        if not attributes.get("url"):
            self.warnings.append("ConversationRelay has no url")
            return None
        return Connect(
            url=attributes["url"],
            attributes=attributes,
            parameters=parameters,
            action=given.get("action"),
            method=given.get("method", "POST"),
        )

    def _start(self, element) -> StartRecording | None:
        recording = element.find("Recording")
        for child in element:
            if child is not recording:
                self._unknown(child)
        if recording is None:
            return None
        given = self._attributes(recording)
        return StartRecording(
            callback=given.get("recordingStatusCallback", ""),
            method=given.get("recordingStatusCallbackMethod", "POST"),
        )

    def _attributes(self, element) -> dict[str, str]:
        known = ATTRIBUTES.get(element.tag)
        if known is not None:
            for name in element.attrib:
                if name not in known:
                    self.warnings.append(f"{element.tag} has no attribute {name!r}")
        return dict(element.attrib)

    def _unknown(self, element) -> None:
        if element.tag in KNOWN_BUT_NOT_PLAYED:
            self.notes.append(f"<{element.tag}> is not acted out by this simulator")
        else:
            self.warnings.append(f"<{element.tag}> is not known here")
            self.has_unknown_verb = True

    def _number(self, given, name, default) -> int:
        value = given.get(name, "")
        if value.isdecimal():
            return int(value)
        if value and value != "auto":
            self.warnings.append(f"{name}={value!r} is not a whole number")
        return default


def _text(element) -> str:
    """All words inside, whatever SSML stands around them."""
    return "".join(element.itertext()).strip()
