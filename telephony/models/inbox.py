"""What people add to conversations by text: labels, notes, and words they keep."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel, SoftDeleteModel
from agents.segments import MAX_TEXT_CHARACTERS
from telephony.models.texts import Conversation

MAX_NOTE_CHARACTERS = 5_000


def _one_a_name(name: str) -> models.UniqueConstraint:
    return models.UniqueConstraint(
        fields=["owner", "name"],
        condition=Q(deleted_at=None),
        name=name,
        violation_error_message=_("There is one with this name."),
    )


class Label(SoftDeleteModel):
    """A word of the workspace's that conversations are sorted by."""

    audited_as = "label", _("label")

    name = models.CharField(_("name"), max_length=30)

    class Meta(SoftDeleteModel.Meta):
        constraints = [_one_a_name("one_label_a_name")]

    def __str__(self):
        return self.name


class ConversationLabel(OwnedModel):
    """A conversation has this label."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="labelled"
    )
    label = models.ForeignKey(Label, models.CASCADE, related_name="labelled")

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "label"], name="one_label_a_conversation"
            )
        ]

    def __str__(self):
        return f"{self.conversation_id} {self.label_id}"


class Note(OwnedModel):
    """What the team tells itself in a conversation; it is sent to nobody."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="notes")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    text = models.TextField(max_length=MAX_NOTE_CHARACTERS)

    class Meta(OwnedModel.Meta):
        indexes = [models.Index(fields=["conversation", "-id"])]

    def __str__(self):
        return f"note {self.pk}"


class CannedReply(SoftDeleteModel):
    """Words that are written often, with `{{ placeholders }}`."""

    audited_as = "canned_reply", _("canned reply")

    name = models.CharField(_("name"), max_length=60)
    text = models.TextField(_("text"), max_length=MAX_TEXT_CHARACTERS)

    class Meta(SoftDeleteModel.Meta):
        verbose_name = _("canned reply")
        constraints = [_one_a_name("one_canned_reply_a_name")]

    def __str__(self):
        return self.name
