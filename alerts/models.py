"""What a workspace wants to be told of by itself, and every telling of it."""

from datetime import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import (
    OwnedModel,
    SoftDeleteModel,
    SoftDeleteQuerySet,
    closed_manager,
)
from agents.limits import check_business_hours
from alerts.metrics import Metric
from telephony.models import Call

ADMINS = "admins"  # in `mail_to`: the owner and the admins, whoever they are then
WINDOWS = [
    (15, _("15 minutes")),
    (30, _("30 minutes")),
    (60, _("1 hour")),
    (120, _("2 hours")),
    (240, _("4 hours")),
    (480, _("8 hours")),
    (720, _("12 hours")),
    (1_440, _("1 day")),
    (2_880, _("2 days")),
    (4_320, _("3 days")),
    (10_080, _("7 days")),
]
MOST_CALLS = 100_000
AMOUNT = {"max_digits": 18, "decimal_places": 6, "null": True}


def admins() -> list[str]:
    return [ADMINS]


class AlertQuerySet(SoftDeleteQuerySet):
    def watched(self):
        """Those that are looked at by themselves."""
        return self.filter(is_active=True, deleted_at=None)


class Alert(SoftDeleteModel):
    """A figure, and when it is so bad that somebody wants to know.

    Which of the fields count depends on the metric (`alerts.metrics`); the others have
    their defaults. The last five are what was found when it was last looked at.
    """

    audited_as = "alert", _("alert")

    class State(models.TextChoices):
        NEW = "new", _("Not looked at yet")
        OK = "ok", _("OK")
        FIRING = "firing", _("Firing")
        UNKNOWN = "unknown", _("Cannot be told")

    name = models.CharField(_("name"), max_length=100)
    metric = models.CharField(_("what is watched"), max_length=20, choices=Metric)
    agent = models.ForeignKey(
        "agents.VoiceAgent",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="alerts",
        verbose_name=_("voice agent"),
    )
    direction = models.CharField(
        _("direction"), max_length=10, choices=Call.Direction, blank=True
    )
    threshold = models.DecimalField(_("threshold"), blank=True, **AMOUNT)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    window_minutes = models.PositiveIntegerField(
        _("within"), choices=WINDOWS, default=60
    )
    minimum_calls = models.PositiveIntegerField(
        _("calls needed"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_CALLS)],
    )
    working_hours = models.JSONField(
        _("working hours"),
        default=dict,
        blank=True,
        validators=[check_business_hours],
    )
    mail_to = models.JSONField(_("e-mails go to"), default=admins, blank=True)
    tells_webhooks = models.BooleanField(_("webhooks are told"), default=True)
    is_active = models.BooleanField(_("active"), default=True)
    muted_until = models.DateTimeField(_("muted until"), null=True, blank=True)

    state = models.CharField(
        max_length=10, choices=State, default=State.NEW, editable=False
    )
    value = models.DecimalField(editable=False, **AMOUNT)
    calls = models.PositiveIntegerField(default=0, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)

    objects = closed_manager(AlertQuerySet)
    unscoped = models.Manager.from_queryset(AlertQuerySet)()

    class Meta(SoftDeleteModel.Meta):
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(
                fields=["owner", "checked_at"],
                condition=Q(is_active=True, deleted_at=None),
                name="alerts_watched",
            ),
        ]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("alerts:alert_detail", args=[self.pk])

    def is_muted(self, at: datetime) -> bool:
        return self.muted_until is not None and at < self.muted_until


class Episode(OwnedModel):
    """A time during which an alert fired: what it found, and what it was set to then.

    `told_at` is when its start was told; None while that is held back by a mute.
    `well_since` is since when it could be over (`alerts.rules`).
    """

    class EndReason(models.TextChoices):
        RECOVERED = "recovered", _("It is well again")
        SWITCHED_OFF = "switched_off", _("The alert was switched off or deleted")

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="episodes")
    threshold = models.DecimalField(**AMOUNT)
    window_minutes = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=12, choices=EndReason, blank=True)
    value = models.DecimalField(**AMOUNT)
    worst = models.DecimalField(**AMOUNT)
    end_value = models.DecimalField(**AMOUNT)
    calls = models.PositiveIntegerField()
    end_calls = models.PositiveIntegerField(null=True)
    told_at = models.DateTimeField(null=True)
    well_since = models.DateTimeField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["alert"],
                condition=Q(ended_at=None),
                name="one_open_episode_an_alert",
            )
        ]
        indexes = [
            models.Index(fields=["alert", "-id"]),
            models.Index(fields=["owner", "started_at"]),
        ]

    def __str__(self):
        return f"{self.alert_id} from {self.started_at}"


class Mail(OwnedModel):
    """One e-mail of an alert to one person; written before it is sent.

    `next_try_at` says when it is due, `claimed_until` that it is being sent
    (`voiceops.claims`).
    """

    class Occasion(models.TextChoices):
        STARTED = "started", _("It started")
        ENDED = "ended", _("It ended")
        TEST = "test", _("A test")

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="mails")
    episode = models.ForeignKey(Episode, models.CASCADE, null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    occasion = models.CharField(max_length=10, choices=Occasion)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["episode", "user", "occasion"], name="one_mail_an_occasion"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="alert_mails_due",
            ),
        ]

    def __str__(self):
        return f"{self.alert_id} {self.occasion} to {self.user_id}"


class Digest(OwnedModel):
    """The weekly e-mail to one person about one workspace; written before it is sent.

    `sent_at` stays empty where there was nothing to tell.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    monday = models.DateField()  # on which it is sent, in the person's zone
    sent_at = models.DateTimeField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "user", "monday"], name="one_digest_a_week"
            )
        ]

    def __str__(self):
        return f"{self.owner_id} to {self.user_id}, {self.monday}"
