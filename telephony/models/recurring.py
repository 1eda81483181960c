from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import validate_time_zone
from accounts.tenancy import SoftDeleteModel, SoftDeleteQuerySet, closed_manager
from agents.limits import check_days
from telephony.dialling.recurrence import (
    LAST,
    MOST_NTH,
    Frequency,
    Rule,
    end_in_words,
    in_words,
)
from telephony.models.terms import CallTerms

MOST_EVERY = 99
MOST_TIMES = 1000


def check_month_day(day: int) -> None:
    """Raise ValidationError unless it is 1 to 31, or -1 for the last day."""
    if day != LAST:
        MinValueValidator(1)(day)
        MaxValueValidator(31)(day)


def check_nth(nth: int) -> None:
    """Raise ValidationError unless it is 1 to 4, or -1 for the last one."""
    if nth != LAST:
        MinValueValidator(1)(nth)
        MaxValueValidator(MOST_NTH)(nth)


class RecurringCallQuerySet(SoftDeleteQuerySet):
    def coming(self, until: datetime):
        """Those whose next time comes by then and is no scheduled call yet."""
        return self.filter(deleted_at=None, paused_at=None, next_at__lte=until)

    def with_status(self, status: str):
        is_paused = Q(paused_at__isnull=False)
        is_ended = ~is_paused & Q(next_at=None)
        return self.filter(
            {
                RecurringCall.Status.PAUSED: is_paused,
                RecurringCall.Status.ENDED: is_ended,
                RecurringCall.Status.ACTIVE: ~(is_paused | is_ended),
            }[RecurringCall.Status(status)]
        )


class RecurringCall(CallTerms, SoftDeleteModel):
    """A call that is made again and again; each time is a scheduled call of its own.

    The rule is told by the clocks of `timezone`. `next_at` is its first time that is
    no scheduled call yet; none while it is paused, and after its last time.
    """

    audited_as = "recurring_call", _("recurring call")

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    FREQUENCIES = [
        (Frequency.DAILY.value, _("By days")),
        (Frequency.WEEKLY.value, _("By weeks")),
        (Frequency.MONTHLY.value, _("By months")),
    ]

    agent = models.ForeignKey(
        "agents.VoiceAgent", models.PROTECT, related_name="recurring_calls"
    )
    their_timezone = models.CharField(
        _("their time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
    )

    frequency = models.CharField(
        _("how often"), max_length=7, choices=FREQUENCIES, default=Frequency.DAILY.value
    )
    every = models.PositiveSmallIntegerField(
        _("every"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_EVERY)],
    )
    days = models.JSONField(
        _("on"), default=list, blank=True, validators=[check_days]
    )  # of the week; of the month together with `nth`
    month_day = models.SmallIntegerField(
        null=True, blank=True, validators=[check_month_day]
    )
    nth = models.SmallIntegerField(null=True, blank=True, validators=[check_nth])
    time = models.TimeField(_("time"))
    timezone = models.CharField(
        _("time zone"), max_length=64, validators=[validate_time_zone]
    )
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"), null=True, blank=True)
    count = models.PositiveSmallIntegerField(
        _("times in all"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_TIMES)],
    )

    paused_at = models.DateTimeField(null=True, editable=False)
    next_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )

    objects = closed_manager(RecurringCallQuerySet)
    unscoped = models.Manager.from_queryset(RecurringCallQuerySet)()

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(count=None),
                name="a_recurring_call_has_one_end",
                violation_error_message=_("Give a last day or a number, not both."),
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(
                fields=["next_at"],
                condition=Q(deleted_at=None, paused_at=None),
                name="recurring_calls_coming",
            ),
        ]

    def __str__(self):
        return f"{self.to_number}, {in_words(self.rule)}"

    def get_absolute_url(self):
        return reverse("telephony:recurring_call_detail", args=[self.pk])

    @property
    def rule(self) -> Rule:
        return Rule(
            frequency=Frequency(self.frequency),
            time=self.time,
            zone=ZoneInfo(self.timezone),
            starts_on=self.starts_on,
            every=self.every,
            days=tuple(self.days),
            month_day=self.month_day,
            nth=self.nth,
            ends_on=self.ends_on,
            count=self.count,
        )

    @property
    def status(self) -> str:
        if self.paused_at is not None:
            return self.Status.PAUSED
        return self.Status.ENDED if self.next_at is None else self.Status.ACTIVE

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def in_words(self) -> str:
        return in_words(self.rule)

    @property
    def end_in_words(self) -> str:
        return end_in_words(self.rule)
