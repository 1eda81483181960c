from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel
from telephony.models.calls import Call
from telephony.models.texts import Message


class Standing(models.TextChoices):
    """How far the cost of a call or text is known."""

    WAITING = "waiting", _("Not final: the carrier's price comes later")
    INCOMPLETE = "incomplete", _("A part has no price that is known")
    FINAL = "final", _("Final")


class CallCost(OwnedModel):
    """One part of what a call costs; `amount` is None while or where it is unknown."""

    class Part(models.TextChoices):
        CARRIER = "carrier", _("Carrier")
        MODEL = "model", _("Conversation")
        ANALYSIS = "analysis", _("Analysis")

    call = models.ForeignKey(Call, models.CASCADE, related_name="costs")
    part = models.CharField(max_length=10, choices=Part)
    amount = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)
    is_estimate = models.BooleanField(default=False)
    model_label = models.CharField(max_length=200, blank=True)
    input_tokens = models.PositiveBigIntegerField(null=True)
    output_tokens = models.PositiveBigIntegerField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["call", "part"], name="one_cost_a_part")
        ]
        ordering = ["pk"]

    def __str__(self):
        return f"{self.call_id} {self.part}"


class TextCost(OwnedModel):
    """The model's tokens for answering a text, over all tries; `amount` is None where
    the price is unknown. The carrier's own price is the message's.
    """

    asked = models.OneToOneField(Message, models.CASCADE, related_name="model_cost")
    amount = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)
    is_estimate = models.BooleanField(default=False)
    model_label = models.CharField(max_length=200, blank=True)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)

    def __str__(self):
        return f"{self.asked_id} {self.model_label}"
