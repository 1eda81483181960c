from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel, OwnedQuerySet, closed_manager
from telephony.models.calls import Call


class RecordingQuerySet(OwnedQuerySet):
    def finished(self):
        """Those that can be heard."""
        return self.filter(status=Recording.Status.COMPLETED)


class Recording(OwnedModel):
    """The sound of a call. It stays at the carrier; here is where to find it."""

    class Status(models.TextChoices):
        IN_PROGRESS = "in-progress", _("Being recorded")
        COMPLETED = "completed", _("Recorded")
        ABSENT = "absent", _("Nothing was recorded")
        FAILED = "failed", _("Recording failed")
        REMOVED = "removed", _("Removed")  # or being removed at the carrier

    call = models.ForeignKey(Call, models.CASCADE, related_name="recordings")
    sid = models.CharField(max_length=34)
    status = models.CharField(max_length=12, choices=Status)
    duration_s = models.PositiveIntegerField(null=True)
    channels = models.PositiveSmallIntegerField(null=True)

    objects = closed_manager(RecordingQuerySet)
    unscoped = models.Manager.from_queryset(RecordingQuerySet)()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["call", "sid"], name="one_recording_a_sid")
        ]
        indexes = [
            models.Index(
                fields=["call", "id"],
                condition=Q(status="completed"),
                name="recordings_to_hear",
            )
        ]

    def __str__(self):
        return f"{self.call_id} {self.sid}"
