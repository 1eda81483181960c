"""What a turn and an expectation say to people."""

import json

from django.utils.translation import gettext as _

from telephony.rehearsing.scripts import EndedBy, Expectation, Kind


def expectation_in_words(expected: Expectation) -> str:
    told = _told(expected)
    turn = expected.get("turn")
    if turn is None:
        return told
    if turn == 0:
        return _("%(what)s, before the caller says anything") % {"what": told}
    return _("%(what)s, after the caller’s words no. %(turn)d") % {
        "what": told,
        "turn": turn,
    }


def _told(expected: Expectation) -> str:
    text = expected.get("text", "")
    match expected["kind"]:
        case Kind.CONTAINS:
            return _("The agent says “%(text)s”") % {"text": text}
        case Kind.LACKS:
            return _("The agent never says “%(text)s”") % {"text": text}
        case Kind.MATCHES:
            return _("The agent’s words match %(text)s") % {"text": text}
        case Kind.TOOL_CALLED:
            return _("%(tool)s is used") % {"tool": tool_in_words(expected)}
        case Kind.TOOL_NOT_CALLED:
            return _("%(tool)s is not used") % {"tool": tool_in_words(expected)}
        case Kind.ENDED_BY:
            why = EndedBy(expected["reason"]).label
            return _("The call ends because: %(why)s") % {"why": why}
    return _("Every reply begins within %(ms)d ms") % {"ms": expected["ms"]}


def tool_in_words(expected: Expectation) -> str:
    """The tool, and the arguments that it should have as JSON."""
    arguments = expected.get("arguments")
    shown = json.dumps(arguments, ensure_ascii=False) if arguments else ""
    return f"{expected['tool']} {shown}".strip()
