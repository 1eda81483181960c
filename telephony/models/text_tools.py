"""What message agents did and learnt in conversations by text."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel
from telephony.models.texts import Conversation, Message


class TextToolUse(OwnedModel):
    """One use of a tool by a message agent; written down before it is tried."""

    class Status(models.TextChoices):
        RUNNING = "running", _("At work")
        OK = "ok", _("Done")
        FAILED = "failed", _("Failed")
        TIMED_OUT = "timed_out", _("Took too long")
        REFUSED = "refused", _("Not done")
        UNKNOWN = "unknown", _("Nobody knows whether it was done")

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="tool_uses"
    )
    # The text that was to be answered.
    asked = models.ForeignKey(Message, models.CASCADE, related_name="tool_uses")
    number = models.PositiveSmallIntegerField()  # for this answer, from 1
    name = models.CharField(max_length=100)
    arguments = models.TextField()  # the model's JSON text
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    text = models.TextField(blank=True)  # what the model was shown
    elapsed_ms = models.PositiveIntegerField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["asked", "number"], name="one_tool_use_a_number"
            )
        ]
        indexes = [
            models.Index(fields=["conversation", "-id"]),
            models.Index(
                fields=["created_at"],
                condition=Q(status="running"),
                name="text_tools_at_work",
            ),
        ]

    def __str__(self):
        return self.name


class ConversationFact(OwnedModel):
    """Something that the agent learnt in a conversation by text and wrote down."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="facts")
    name = models.CharField(max_length=60)
    value = models.CharField(max_length=500)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "name"], name="one_fact_a_conversation_and_name"
            )
        ]
        ordering = ["id"]

    def __str__(self):
        return f"{self.conversation_id} {self.name}"
