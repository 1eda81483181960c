"""What the carrier keeps for us and is to delete."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel
from telephony.models.calls import CarrierAccount


class CarrierRemoval(OwnedModel):
    """Something at the carrier that is to be deleted there: written before it is tried.

    Deleting what is gone already is as good as deleting it, so it is repeated until the
    carrier has confirmed it. `next_try_at` says when it is due, `claimed_until` that it
    is being worked on (`voiceops.claims`).
    """

    class Kind(models.TextChoices):
        RECORDING = "recording", _("Recording")
        MEDIUM = "medium", _("Picture or file of a text")
        MESSAGE = "message", _("Text")

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting for the carrier")
        DONE = "done", _("Deleted at the carrier")
        REFUSED = "refused", _("The carrier does not delete it")

    carrier_account = models.ForeignKey(
        CarrierAccount, models.PROTECT, related_name="removals"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    sid = models.CharField(max_length=64)
    of_sid = models.CharField(max_length=64, blank=True)  # the text of a medium
    # Whatever it was asked for by, all of it together; None: by its age.
    batch = models.UUIDField(null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["carrier_account", "kind", "sid", "of_sid"],
                name="one_removal_a_thing",
            )
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="carrier_removals_due",
            ),
            models.Index(
                fields=["batch", "status"],
                condition=Q(batch__isnull=False),
                name="carrier_removals_of_a_batch",
            ),
            models.Index(
                fields=["-id"],
                condition=Q(status="refused"),
                name="carrier_removals_refused",
            ),
        ]

    def __str__(self):
        return f"{self.kind} {self.sid}"
