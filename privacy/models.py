"""How long a workspace keeps what was said and told, and what it has forgotten."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel
from voiceops.encryption import EncryptedTextField
from voiceops.ids import uuid7

# Until then a call is analyzed and priced, webhooks are told, and whoever has texted
# counts as somebody who is answered (`telephony.services.budgets`).
FEWEST_DAYS = 7
MOST_DAYS = 3_650


def _days(label: str) -> models.PositiveIntegerField:
    return models.PositiveIntegerField(
        label,
        null=True,
        blank=True,
        validators=[MinValueValidator(FEWEST_DAYS), MaxValueValidator(MOST_DAYS)],
    )


class Retention(OwnedModel):
    """For how many days a workspace keeps what; empty, and without a row: for ever.

    `through` tells how far the job has come: the id of the last row that it has looked
    at, by kind (`privacy.retention`).
    """

    audited_as = "retention", _("retention")

    transcript_days = _days(_("transcripts"))
    recording_days = _days(_("recordings"))
    message_days = _days(_("texts"))
    event_days = _days(_("events"))
    through = models.JSONField(default=dict, editable=False)
    looked_at = models.DateTimeField(null=True, editable=False)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["owner"], name="one_retention_a_workspace")
        ]

    def __str__(self):
        return self.owner.name


class Erasure(OwnedModel):
    """A number that is forgotten, and the receipt of it, which tells of nobody.

    `digest` and `sealed_number` are empty once nothing is left to look for; who asked
    is in the audit log alone. `step` and `after` say how far the work has come,
    `next_try_at` when it goes on, `claimed_until` that somebody is at it
    (`voiceops.claims`).
    """

    audited_as = "erasure", _("forgotten number")

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting for the end of a call with it")
        RUNNING = "running", _("At work")
        AT_CARRIER = "at_carrier", _("Forgotten here; the carrier is being asked")
        DONE = "done", _("Done")

    digest = models.CharField(max_length=64, blank=True, editable=False)
    sealed_number = EncryptedTextField(blank=True, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    step = models.PositiveSmallIntegerField(default=0)
    after = models.UUIDField(null=True)
    counts = models.JSONField(default=dict)
    keeps_refusal = models.BooleanField(default=False)
    done_here_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "digest"],
                condition=~Q(digest=""),
                name="one_open_erasure_a_number",
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="erasures_due",
            ),
        ]

    def __str__(self):
        return f"{self.created_at:%Y-%m-%d}"

    def get_absolute_url(self):
        return reverse("privacy:erasure_detail", args=[self.pk])

    @property
    def is_done(self) -> bool:
        return self.status == self.Status.DONE


class Export(OwnedModel):
    """All that a workspace has, as one file, for those who may have it, for some days.

    The file is in the database, in pieces (`ExportPiece`): whoever makes it and whoever
    hands it out may be different machines. Who is killed begins it anew.
    """

    audited_as = "export", _("export")

    class Status(models.TextChoices):
        RUNNING = "running", _("Being made")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Could not be made")
        EXPIRED = "expired", _("Deleted")

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    counts = models.JSONField(default=dict)  # rows by file
    percent = models.PositiveSmallIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)  # bytes
    tries = models.PositiveSmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(status="running"),
                name="one_export_at_a_time",
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="exports_due",
            ),
        ]

    def __str__(self):
        return f"{self.created_at:%Y-%m-%d}"

    @property
    def is_ready(self) -> bool:
        return self.status == self.Status.DONE


class ExportPiece(OwnedModel):
    """Bytes of an export's file."""

    export = models.ForeignKey(Export, models.CASCADE, related_name="pieces")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["export", "number"], name="one_export_piece_a_number"
            )
        ]

    def __str__(self):
        return f"{self.export_id} piece {self.number}"


class WorkspaceRemoval(models.Model):
    """A workspace that is to go, with all that it has; the last that is left of it.

    It has no key to the workspace, which it outlives, and tells nothing of it.
    """

    class Status(models.TextChoices):
        PLANNED = "planned", _("Can still be taken back")
        STOPPING = "stopping", _("Being taken out of service")
        PURGING = "purging", _("Being deleted")
        DONE = "done", _("Deleted")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace_id = models.UUIDField(unique=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PLANNED)
    asked_at = models.DateTimeField(default=now)
    done_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="workspace_removals_due",
            )
        ]

    def __str__(self):
        return str(self.workspace_id)
