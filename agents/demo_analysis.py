"""The offline demo's summary of a call: counted and quoted, and it says that it is."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

QUOTED_CHARACTERS = 160


def summary_of(spoken: Sequence[tuple[str, str]]) -> str:
    """The same for the same words; understands nothing of them."""
    callers = [text for who, text in spoken if who == "caller"]
    agents = [text for who, text in spoken if who == "agent"]
    lines = [
        _("Made by the built-in demo without a language model."),
        _("The caller spoke %(callers)d times, the agent %(agents)d times.")
        % {"callers": len(callers), "agents": len(agents)},
    ]
    if callers:
        lines.append(_("It began with: “%s”") % _quoted(callers[0]))
    if len(callers) > 1:
        lines.append(_("The caller's last words: “%s”") % _quoted(callers[-1]))
    return " ".join(lines)


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= QUOTED_CHARACTERS:
        return text
    return text[:QUOTED_CHARACTERS].rpartition(" ")[0] + " …"
