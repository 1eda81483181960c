from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from phonenumbers import SUPPORTED_REGIONS

from accounts.tenancy import OwnedModel, SoftDeleteModel
from telephony.models.terms import Hours, Retries, terms_of


def check_country(country: str) -> None:
    """Raise ValidationError unless numbers have this country (ISO 3166)."""
    if country not in SUPPORTED_REGIONS:
        raise ValidationError(_("An ISO code of a country such as US or DE."))


class Campaign(Retries, Hours, SoftDeleteModel):
    """Many scheduled calls of one list, dialled in turn while it is running.

    Its contacts are scheduled calls. They wait without a `next_attempt_at`; a campaign
    that is running lends a few of them at a time to what is due. So pausing takes back
    a few rows, however long the list is.
    """

    audited_as = "campaign", _("campaign")

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        CHECKING = "checking", _("Reading the list")
        READY = "ready", _("Ready")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        COMPLETED = "completed", _("Completed")
        CANCELED = "canceled", _("Canceled")

    NOT_STARTED = (Status.DRAFT, Status.CHECKING, Status.READY)
    OVER = (Status.COMPLETED, Status.CANCELED)

    name = models.CharField(_("name"), max_length=100)
    agent = models.ForeignKey(
        "agents.VoiceAgent", models.PROTECT, related_name="campaigns"
    )
    # Whose contacts it calls once more, instead of those of a file.
    redials = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="redialled_by"
    )
    redialled_statuses = models.JSONField(default=list, editable=False)
    default_country = models.CharField(
        _("country of numbers without a country code"),
        max_length=2,
        blank=True,
        validators=[check_country],
    )

    status = models.CharField(
        max_length=10, choices=Status, default=Status.DRAFT, editable=False
    )
    pause_reason = models.CharField(max_length=300, blank=True, editable=False)
    notice_due = models.BooleanField(default=False, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    running_since = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    # Contacts that are still to be canceled along with it.
    has_leftovers = models.BooleanField(default=False, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )

    # The list: its columns, what they mean, and how far it has been read.
    columns = models.JSONField(default=list, editable=False)
    mapping = models.JSONField(default=dict, editable=False)
    rows = models.PositiveIntegerField(default=0, editable=False)
    rows_read = models.PositiveIntegerField(default=0, editable=False)
    rows_refused = models.PositiveIntegerField(default=0, editable=False)
    read_through = models.PositiveIntegerField(default=0, editable=False)  # a line
    # Whoever reads it is believed to be alive until then.
    reader_until = models.DateTimeField(null=True, editable=False)

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(window_start=None, window_end=None)
                | Q(window_start__isnull=False, window_end__isnull=False),
                name="a_campaigns_window_has_both_ends",
                violation_error_message=_("Say from when and until when."),
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(
                fields=["status"],
                condition=Q(status__in=["checking", "running"]),
                name="campaigns_at_work",
            ),
            models.Index(
                fields=["has_leftovers"],
                condition=Q(has_leftovers=True),
                name="campaigns_with_leftovers",
            ),
        ]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("telephony:campaign_detail", args=[self.pk])

    @property
    def terms(self) -> dict:
        """What its contacts have of it, by name."""
        return terms_of(self, Retries, Hours)

    @property
    def contacts(self) -> int:
        """How many there are to call."""
        return self.rows_read - self.rows_refused

    @property
    def has_started(self) -> bool:
        return self.started_at is not None

    @property
    def can_be_changed(self) -> bool:
        return self.status in (self.Status.DRAFT, self.Status.READY)

    @property
    def is_over(self) -> bool:
        return self.status in self.OVER

    @property
    def lets_dial(self) -> bool:
        """Whether contacts may be dialled: after its end, by a person's wish alone."""
        return self.status in (self.Status.RUNNING, self.Status.COMPLETED)

    @classmethod
    def locked(cls, pk) -> "Campaign":
        """As it is now; nobody else changes it until the transaction ends."""
        return cls.unscoped.select_for_update(no_key=True).get(pk=pk)

    @classmethod
    def reopen(cls, pk) -> None:
        """Go on after the end, if it has come: a contact is to be called again."""
        over = cls.unscoped.filter(pk=pk, status=cls.Status.COMPLETED, deleted_at=None)
        if over.update(status=cls.Status.RUNNING, running_since=now(), ended_at=None):
            cls.unscoped.get(pk=pk).note(CampaignEvent.Kind.REOPENED)

    def turn(self, status: str, **changes) -> None:
        """Become `status`, by somebody who holds it `locked`."""
        for name, value in (changes | {"status": status}).items():
            setattr(self, name, value)
        self.save(update_fields=["status", *changes])

    def note(self, kind: str, *, by=None, at: datetime | None = None, **facts) -> None:
        """Add a line to its log."""
        CampaignEvent.unscoped.create(
            owner_id=self.owner_id,
            campaign=self,
            kind=kind,
            by=by,
            facts=facts,
            created_at=at or now(),
        )


class CampaignFile(OwnedModel):
    """The list as it was uploaded, until it is not needed any more."""

    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="file")
    name = models.CharField(max_length=200)
    text = models.TextField()

    def __str__(self):
        return self.name


class RefusedRow(OwnedModel):
    """A row of a campaign's list that nobody is called for, and why."""

    class Kind(models.TextChoices):
        NUMBER = "number", _("Number")
        DUPLICATE = "duplicate", _("Twice in the list")
        DO_NOT_CONTACT = "do_not_contact", _("Do not contact")
        TIME = "time", _("Time or time zone")
        VALUE = "value", _("Value of a placeholder")

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="refused_rows")
    line = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=Kind)
    text = models.CharField(max_length=100, blank=True)  # what stands there
    reason = models.CharField(max_length=300)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "line"], name="one_refusal_a_line"
            )
        ]

    def __str__(self):
        return f"{self.campaign_id} line {self.line}"


class CampaignEvent(OwnedModel):
    """A line of a campaign's log: what happened, and who did it."""

    class Kind(models.TextChoices):
        UPLOADED = "uploaded", _("List uploaded")
        READ = "read", _("List read")
        UNREADABLE = "unreadable", _("List unreadable")
        STARTED = "started", _("Started")
        PAUSED = "paused", _("Paused")
        STOPPED = "stopped", _("Paused by itself")
        RESUMED = "resumed", _("Resumed")
        CANCELED = "canceled", _("Canceled")
        COMPLETED = "completed", _("Completed")
        REDIALLED = "redialled", _("Redialled")
        REOPENED = "reopened", _("Went on")

    ICONS = {
        Kind.UPLOADED: "upload",
        Kind.READ: "list-checks",
        Kind.UNREADABLE: "circle-alert",
        Kind.STARTED: "play",
        Kind.PAUSED: "pause",
        Kind.STOPPED: "triangle-alert",
        Kind.RESUMED: "play",
        Kind.CANCELED: "circle-slash",
        Kind.COMPLETED: "circle-check",
        Kind.REDIALLED: "repeat",
        Kind.REOPENED: "play",
    }

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="events")
    kind = models.CharField(max_length=12, choices=Kind)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    facts = models.JSONField(default=dict)

    class Meta(OwnedModel.Meta):
        indexes = [models.Index(fields=["campaign", "-id"])]

    def __str__(self):
        return f"{self.campaign_id} {self.kind}"

    @property
    def icon(self) -> str:
        return self.ICONS.get(self.kind, "circle")

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        told = {"who": self.by.get_short_name() if self.by else "VoiceOps"}
        told |= self.facts
        return self._words(told)

    def _words(self, told: dict) -> str:
        kinds = self.Kind
        match self.kind:
            case kinds.UPLOADED if "of" in told:
                return _now("%(who)s made it from contacts of “%(of)s”.") % told
            case kinds.UPLOADED:
                return _now("%(who)s uploaded “%(file)s”, %(rows)s rows.") % told
            case kinds.READ:
                return _imported(told)
            case kinds.UNREADABLE:
                return _now("The list could not be read: %(why)s") % told
            case kinds.STARTED:
                return _now("%(who)s started it, with %(contacts)s contacts.") % told
            case kinds.PAUSED:
                return _now("%(who)s paused it.") % told
            case kinds.STOPPED:
                return _now("It was paused by itself: %(why)s") % told
            case kinds.RESUMED:
                return _now("%(who)s resumed it.") % told
            case kinds.CANCELED:
                return _now("%(who)s canceled it.") % told
            case kinds.COMPLETED:
                return _now("All contacts have been called.")
            case kinds.REDIALLED:
                return _now("%(who)s had “%(name)s” made to call again.") % told
        return _now("It goes on: a contact is to be called again.")


def _imported(told: dict) -> str:
    taken = ngettext(
        "%(taken)s contact was imported",
        "%(taken)s contacts were imported",
        told["taken"],
    )
    refused = ngettext(
        "%(refused)s row was refused", "%(refused)s rows were refused", told["refused"]
    )
    return f"{taken}, {refused}." % told
