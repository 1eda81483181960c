from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone as clock
from django.utils.translation import gettext_lazy as _

from accounts.models import validate_time_zone
from accounts.tenancy import OwnedModel, OwnedQuerySet, closed_manager
from telephony.models.terms import CallTerms, Hours

# After the first, second and every further attempt that reached nobody.
RETRY_DELAYS = [timedelta(minutes=minutes) for minutes in (30, 60, 120)]
# Whatever moves it: a call is not made a week after it was meant.
LONGEST_WAIT = timedelta(days=7)


class ScheduledCallQuerySet(OwnedQuerySet):
    def due(self, at: datetime):
        return self.filter(status=ScheduledCall.Status.PENDING, next_attempt_at__lte=at)

    def to_come(self):
        """Those that are not over yet."""
        return self.filter(status__in=ScheduledCall.TO_COME)

    def in_flight(self):
        return self.filter(status__in=ScheduledCall.IN_FLIGHT)

    def held(self, rows: list["ScheduledCall"]):
        """Those of these leased rows whose lease nobody has taken since."""
        tokens = {row.lease_token for row in rows}
        return self.filter(
            pk__in=[row.pk for row in rows],
            status=ScheduledCall.Status.DIALING,
            lease_token__in=tokens,
        )

    def apart(self):
        """Those of no campaign: the contacts of a list are shown by themselves."""
        return self.filter(campaign=None)

    def lent(self):
        """Contacts of campaigns that are among what is due, or soon."""
        return self.filter(
            status=ScheduledCall.Status.PENDING, next_attempt_at__isnull=False
        )

    def waiting(self):
        """Contacts of campaigns whose turn has not come."""
        return self.filter(
            status=ScheduledCall.Status.PENDING, next_attempt_at__isnull=True
        )


class ScheduledCall(CallTerms, Hours, OwnedModel):
    """An intent to call somebody; the only truth about when it is due.

    Each attempt is a `Call`, numbered by `attempts_made`. `due_at` is when the next
    attempt is meant, `next_attempt_at` when it is tried: later, if lines are busy.
    """

    audited_as = "scheduled_call", _("scheduled call")

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        DIALING = "dialing", _("Dialing")
        IN_PROGRESS = "in-progress", _("In progress")
        COMPLETED = "completed", _("Completed")
        NO_ANSWER = "no-answer", _("No answer")
        BUSY = "busy", _("Busy")
        FAILED = "failed", _("Failed")
        CANCELED = "canceled", _("Canceled")
        BLOCKED = "blocked", _("Blocked")
        EXPIRED = "expired", _("Expired")
        UNKNOWN = "unknown", _("Unknown")

    IN_FLIGHT = (Status.DIALING, Status.IN_PROGRESS)
    TO_COME = (Status.PENDING, *IN_FLIGHT)

    agent = models.ForeignKey(
        "agents.VoiceAgent", models.PROTECT, related_name="scheduled_calls"
    )
    # Of a campaign it is a contact, and this the line of its list.
    campaign = models.ForeignKey(
        "telephony.Campaign",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="scheduled_calls",
    )
    line = models.PositiveIntegerField(null=True, editable=False)
    scheduled_for = models.DateTimeField(_("time"))
    # The recurring call that it was made for, and which of its times it stands for;
    # none once it was replaced, for each time is stood for once.
    recurring_call = models.ForeignKey(
        "telephony.RecurringCall",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="scheduled_calls",
    )
    occurs_at = models.DateTimeField(null=True, editable=False)

    # Where it differs from the number's.
    timezone = models.CharField(
        _("their time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
    )

    status = models.CharField(max_length=12, choices=Status, default=Status.PENDING)
    attempts_made = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True)
    detail = models.CharField(max_length=200, blank=True)  # why it is as it is
    decision = models.JSONField(null=True)  # what the calling rules said last
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    # Who is about to dial it, and until when that is believed.
    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    objects = closed_manager(ScheduledCallQuerySet)
    unscoped = models.Manager.from_queryset(ScheduledCallQuerySet)()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(window_start=None, window_end=None)
                | Q(window_start__isnull=False, window_end__isnull=False),
                name="a_scheduled_calls_window_has_both_ends",
                violation_error_message=_("Say from when and until when."),
            ),
            models.UniqueConstraint(
                fields=["recurring_call", "occurs_at"],
                name="one_scheduled_call_an_occurrence",
            ),
            models.UniqueConstraint(
                fields=["campaign", "line"], name="one_contact_a_line"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            # With what they are filtered by: days are counted by the index alone.
            models.Index(
                fields=["owner", "campaign", "scheduled_for", "status", "to_number"],
                name="scheduled_calls_of_a_day",
            ),
            models.Index(
                fields=["owner", "-id"],
                condition=Q(campaign=None),
                name="scheduled_calls_of_no_campaign",
            ),
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(status="pending"),
                name="scheduled_calls_due",
            ),
            models.Index(
                fields=["lease_until"],
                condition=Q(status__in=["dialing", "in-progress"]),
                name="scheduled_calls_in_flight",
            ),
            models.Index(fields=["lease_token"], name="scheduled_calls_by_lease"),
            models.Index(
                fields=["owner", "to_number"], name="scheduled_calls_to_a_number"
            ),
            models.Index(
                fields=["campaign", "status", "due_at"],
                condition=Q(campaign__isnull=False),
                name="contacts_by_status",
            ),
            models.Index(
                fields=["campaign"],
                condition=Q(campaign__isnull=False, next_attempt_at__isnull=False),
                name="contacts_lent",
            ),
            models.Index(
                fields=["campaign", "updated_at"],
                condition=Q(campaign__isnull=False),
                name="contacts_by_change",
            ),
        ]

    def __str__(self):
        return f"scheduled call {self.pk}"

    def get_absolute_url(self):
        return reverse("telephony:scheduled_call_detail", args=[self.pk])

    @property
    def is_pending(self) -> bool:
        return self.status == self.Status.PENDING

    @property
    def gives_up_at(self) -> datetime:
        return self.scheduled_for + LONGEST_WAIT

    @property
    def retry_delay(self) -> timedelta:
        """How long after the latest attempt the next one is meant."""
        if self.retry_delay_s:
            return timedelta(seconds=self.retry_delay_s)
        number = min(max(self.attempts_made, 1), len(RETRY_DELAYS))
        return RETRY_DELAYS[number - 1]

    def planned(self, at: datetime) -> dict:
        """The changes by which its next attempt is meant for `at`.

        A contact of a campaign then waits for its turn.
        """
        return {"due_at": at, "next_attempt_at": None if self.campaign_id else at}

    def is_held_by(self, rule: str) -> bool:
        """Whether that rule was what kept it from being dialled last."""
        return bool(self.decision) and self.decision["decided_by"] == rule

    def is_late(self, at: datetime) -> bool:
        latest = self.due_at + timedelta(seconds=self.max_late_s)
        return at > min(latest, self.gives_up_at)

    def move_held(self, status: str, **changes) -> bool:
        """Become `status` by the word of who dials it; False if that is another now."""
        held = Q(lease_token=self.lease_token)
        return self.move(status, held, among=(self.Status.DIALING,), **changes)

    def move(self, status: str, *also: Q, among: tuple[str, ...], **changes) -> bool:
        """Become `status` if the row is in one of `among` and at this attempt.

        False if it has moved on meanwhile. A lease is over with it.
        """
        standing = ScheduledCall.unscoped.filter(
            *also, pk=self.pk, status__in=among, attempts_made=self.attempts_made
        )
        changes |= {
            "status": status,
            "lease_token": None,
            "lease_until": None,
            "updated_at": clock.now(),
        }
        won = standing.update(**changes)
        if won:
            for name, value in changes.items():
                setattr(self, name, value)
        return bool(won)
