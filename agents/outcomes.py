"""What a call can have come to: a closed list."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Outcome(TextChoices):
    RESOLVED = "resolved", _("Resolved")
    FOLLOW_UP_NEEDED = "follow_up_needed", _("Follow-up needed")
    NOT_RESOLVED = "not_resolved", _("Not resolved")
    WRONG_NUMBER = "wrong_number", _("Wrong number or spam")
    VOICEMAIL = "voicemail", _("Voicemail")
    UNCLEAR = "unclear", _("Unclear")
    # Concluded without a model, from how the call went.
    NOT_REACHED = "not_reached", _("Not reached")
    NO_CONVERSATION = "no_conversation", _("No conversation")


MEANINGS = {
    Outcome.RESOLVED: "the person got what the call was about",
    Outcome.FOLLOW_UP_NEEDED: "somebody has to get back to the person or do something",
    Outcome.NOT_RESOLVED: "the person did not get it, and nothing more was agreed",
    Outcome.WRONG_NUMBER: "a wrong number, a prank or unwanted advertising",
    Outcome.VOICEMAIL: "a mailbox or another machine was talked to",
    Outcome.UNCLEAR: "the transcript does not tell",
}
