"""Where a workspace wants to be told of events, and every telling of one."""

import base64
import json
import secrets
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel, SoftDeleteModel
from voiceops.encryption import EncryptedTextField

SECRET_PREFIX = "whsec_"  # the Standard Webhooks specification's
SECRET_BYTES = 32
MAX_URL_CHARACTERS = 2_000
TRIES = 8


class Event(models.TextChoices):
    CALL_STARTED = "call.started", _("A call was answered")
    CALL_ENDED = "call.ended", _("A call ended, its facts complete")
    CALL_ANALYZED = "call.analyzed", _("A call was analyzed, or will not be")
    MESSAGE_RECEIVED = "message.received", _("A text came in")
    MESSAGE_SENT = "message.sent", _("A text was sent")
    MESSAGE_FAILED = "message.failed", _("A text was not sent or not delivered")
    ALERT_STARTED = "alert.started", _("An alert began to fire")
    ALERT_ENDED = "alert.ended", _("An alert is over")
    BUDGET_WARNING = "budget.warning", _("Much of the month's budget is spent")
    BUDGET_REACHED = "budget.reached", _("The month's budget is used up")


TEST_EVENT = "webhook.test"


def every_event() -> list[str]:
    return list(Event.values)


def new_secret() -> str:
    key = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return SECRET_PREFIX + key


class Endpoint(SoftDeleteModel):
    """An address of the workspace's that is told of events, signed."""

    audited_as = ("webhook", _("webhook"))

    url = models.CharField(_("address"), max_length=MAX_URL_CHARACTERS)
    description = models.CharField(_("description"), max_length=200, blank=True)
    events = models.JSONField(_("events"), default=every_event)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    secret = EncryptedTextField(_("signing secret"), default=new_secret)
    # Those before sign too until that moment: a receiver can change over without losing
    # anything. Several, with spaces between them, where it was rotated more than once.
    old_secret = EncryptedTextField(blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)

    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=200, blank=True, editable=False)
    notice_due = models.BooleanField(default=False, editable=False)  # an e-mail
    failing_since = models.DateTimeField(null=True, editable=False)
    dead_in_a_row = models.PositiveIntegerField(default=0, editable=False)

    class Meta(SoftDeleteModel.Meta):
        indexes = [models.Index(fields=["owner", "-id"])]

    def __str__(self):
        return self.description or self.url

    def get_absolute_url(self):
        return reverse("hooks:endpoint_detail", args=[self.pk])

    @property
    def was_switched_off(self) -> bool:
        """Whether VoiceOps disabled it, and nobody has enabled it since."""
        return not self.is_enabled and bool(self.disabled_reason)

    def secrets_at(self, at: datetime) -> list[str]:
        """What signs at this moment, the newest first."""
        both = self.old_secret_until is not None and at < self.old_secret_until
        return [self.secret, *self.old_secret.split()] if both else [self.secret]


class Delivery(OwnedModel):
    """One event for one endpoint; its payload as it was when it happened.

    `next_try_at` says when it is due, `claimed_until` that it is being tried
    (`voiceops.claims`). Its id is the message's, however often it is sent.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        DELIVERED = "delivered", _("Delivered")
        DEAD = "dead", _("Given up")

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries")
    call = models.ForeignKey("telephony.Call", models.CASCADE, null=True)
    text = models.ForeignKey("telephony.Message", models.CASCADE, null=True)
    event = models.CharField(max_length=30)
    edition = models.PositiveIntegerField(default=1)
    payload = models.TextField()
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts_made = models.PositiveIntegerField(default=0)
    tries_left = models.PositiveIntegerField(default=TRIES)
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event", "call", "edition"],
                name="one_delivery_an_event",
            ),
            models.UniqueConstraint(
                fields=["endpoint", "event", "text"],
                name="one_delivery_an_event_of_a_text",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"]),
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="deliveries_due",
            ),
            models.Index(
                fields=["claimed_until"],
                condition=Q(claimed_until__isnull=False),
                name="deliveries_claimed",
            ),
            models.Index(
                fields=["-id"], condition=Q(status="dead"), name="deliveries_dead"
            ),
        ]

    def __str__(self):
        return f"{self.event} to {self.endpoint_id}"

    def get_absolute_url(self):
        return reverse("hooks:delivery_detail", args=[self.endpoint_id, self.pk])

    @property
    def message_id(self) -> str:
        return f"msg_{self.pk.hex}"

    @property
    def pretty_payload(self) -> str:
        """What is sent, in lines for people to read."""
        return json.dumps(json.loads(self.payload), indent=2, ensure_ascii=False)

    @property
    def event_label(self) -> str:
        return str(dict(Event.choices).get(self.event, _("A test event")))


class Attempt(OwnedModel):
    """One request; written before it is made, filled in with what came of it."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    status_code = models.PositiveIntegerField(null=True)
    elapsed_ms = models.PositiveIntegerField(null=True)  # None: nobody saw its end
    error = models.CharField(max_length=300, blank=True)
    answer = models.CharField(max_length=500, blank=True)  # its beginning

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "number"], name="one_attempt_a_number"
            )
        ]
        ordering = ["number"]

    def __str__(self):
        return f"{self.delivery_id} attempt {self.number}"
