"""What callers are told by VoiceOps itself, in the language of the call."""

import re

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

STILL_THERE = _("Are you still there?")
FILLER = _("One moment, please.")
TIME_SHORT = _("I am sorry, we have to come to an end soon.")
TIME_UP = _("I am sorry, our time is up. Thank you for calling. Goodbye.")
NOBODY_ANSWERS = _("I am sorry, nobody can take your call at the moment. Goodbye.")
TAKES_NO_CALLS = _("I am sorry, this number takes no calls at the moment. Goodbye.")
NOT_IN_SERVICE = _("I am sorry, this number is not in service. Goodbye.")

# What XML 1.0 cannot carry, not even escaped, and PostgreSQL's one forbidden character.
UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def apology() -> str:
    """For when something broke here."""
    return settings.CALL_APOLOGY


def ended_by(name: str) -> str:
    """The detail of a call's end that a person wanted."""
    return gettext("%(who)s ended it.") % {"who": name} if name else ""


def speakable(text: str) -> str:
    """`text` without characters that no voice, document or database takes."""
    return UNSPEAKABLE.sub("", text)
