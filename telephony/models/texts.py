"""Texts: what was written between a number of ours and one other party."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel, OwnedQuerySet, closed_manager
from telephony.models.calls import Call, CarrierAccount, Phone

WHATSAPP = "whatsapp:"  # what the carrier puts before such an address


class ConversationQuerySet(OwnedQuerySet):
    """Its filters are served by the indexes below."""

    def needing_person(self):
        return self.open().filter(mode=Conversation.Mode.HUMAN)

    def open(self):
        return self.filter(status=Conversation.Status.OPEN)

    def snoozed(self):
        return self.filter(status=Conversation.Status.SNOOZED)

    def closed(self):
        return self.filter(status=Conversation.Status.CLOSED)

    def of_person(self, user):
        return self.filter(assigned_to=user)

    def unassigned(self):
        return self.filter(assigned_to=None)

    def unread(self):
        return self.filter(unread_count__gt=0)

    def with_number(self, digits: str):
        """Those whose other party's number has these digits in a row."""
        return self.filter(address__contains=digits)


class Conversation(OwnedModel):
    """All texts between one number of ours and one other party, for ever.

    When the agent's answer is due says `next_try_at`, and `claimed_until` that it is
    being worked on (`voiceops.claims`).
    """

    class Mode(models.TextChoices):
        AGENT = "agent", _("The agent answers")
        HUMAN = "human", _("A person answers")

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        SNOOZED = "snoozed", _("Snoozed")
        CLOSED = "closed", _("Closed")

    class Need(models.TextChoices):
        """Why a person has it; "" while the agent does."""

        TAKEN_OVER = "taken_over", _("Taken over by a person")
        ASKED_FOR = "asked_for", _("A person was asked for")
        NO_AGENT = "no_agent", _("No agent is active on this number")
        MODEL_FAILED = "model_failed", _("The language model did not answer")
        CUT_OFF = "cut_off", _("An answer was begun and cut off here")
        LOOP = "loop", _("It looks as if two machines were texting each other")
        IN_A_ROW = "in_a_row", _("The agent has answered many times in a row")

    audited_as = "conversation", _("conversation")

    phone = models.ForeignKey(Phone, models.PROTECT, related_name="conversations")
    # As the carrier writes it: a number, a short code or a name, on WhatsApp with its
    # prefix.
    address = models.CharField(max_length=100)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.AGENT)
    need = models.CharField(max_length=20, choices=Need, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    # Until then it is out of the way, unless the other party writes before.
    snoozed_until = models.DateTimeField(null=True, blank=True)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    unread_count = models.PositiveIntegerField(default=0, editable=False)
    last_message = models.ForeignKey(
        "telephony.Message", models.SET_NULL, null=True, related_name="+"
    )
    last_message_at = models.DateTimeField(default=timezone.now, editable=False)
    # The agent's turn.
    next_try_at = models.DateTimeField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    # The agent's replies to texts before that moment count no more as a loop.
    released_at = models.DateTimeField(null=True, editable=False)

    objects = closed_manager(ConversationQuerySet)
    unscoped = models.Manager.from_queryset(ConversationQuerySet)()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["phone", "address"], name="one_conversation_a_party"
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(
                fields=["owner", "status", "-last_message_at", "-id"],
                name="conversations_listed",
            ),
            models.Index(
                # The columns of the condition again: else SQLite takes the one above.
                fields=["owner", "status", "mode", "-last_message_at", "-id"],
                condition=Q(status="open", mode="human"),
                name="conversations_needing_person",
            ),
            models.Index(
                fields=["owner", "assigned_to", "status", "-last_message_at", "-id"],
                condition=Q(assigned_to__isnull=False),
                name="conversations_assigned",
            ),
            models.Index(
                fields=["snoozed_until"],
                condition=Q(snoozed_until__isnull=False),
                name="conversations_to_wake",
            ),
            models.Index(fields=["owner", "address"]),
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="conversations_due",
            ),
        ]

    def __str__(self):
        return self.number

    def get_absolute_url(self):
        return reverse("telephony:conversation_detail", args=[self.pk])

    @property
    def number(self) -> str:
        """The other party's number, whatever it is reached by."""
        return self.address.removeprefix(WHATSAPP)

    @property
    def is_whatsapp(self) -> bool:
        return self.address.startswith(WHATSAPP)

    @property
    def our_address(self) -> str:
        """Our number, by the same way."""
        number = self.phone.number
        return f"{WHATSAPP}{number}" if self.is_whatsapp else number

    @property
    def is_with_agent(self) -> bool:
        return self.mode == self.Mode.AGENT

    @property
    def is_snoozed(self) -> bool:
        return self.status == self.Status.SNOOZED

    def wake(self) -> None:
        """It is open from now on. The row is locked, and saved by whoever calls."""
        self.status, self.snoozed_until = self.Status.OPEN, None

    @property
    def is_closed(self) -> bool:
        return self.status == self.Status.CLOSED


class MessageQuerySet(OwnedQuerySet):
    def with_number(self, digits: str):
        """Texts from or to a number that has these digits in a row."""
        either = Q(from_number__contains=digits) | Q(to_number__contains=digits)
        return self.filter(either)


class Message(OwnedModel):
    """One text. Ours is written down before the carrier is asked for it.

    `look_at`: when the carrier is asked next what became of it, and what it costs.
    """

    class Direction(models.TextChoices):
        INCOMING = "incoming", _("Incoming")
        OUTGOING = "outgoing", _("Outgoing")

    class SentBy(models.TextChoices):
        OTHER_PARTY = "other_party", _("Other party")
        AGENT = "agent", _("Agent")
        USER = "user", _("Person")
        SYSTEM = "system", _("VoiceOps")

    class Status(models.TextChoices):
        """The carrier's words, and those for what is not at the carrier (yet)."""

        LATER = "later", _("Will be sent later")
        WAITING = "waiting", _("Waiting to be sent")
        ASKING = "asking", _("Being sent")
        UNKNOWN = "unknown", _("Nobody knows whether it was sent")
        BLOCKED = "blocked", _("Not sent: they asked for no more texts")
        ACCEPTED = "accepted", _("Accepted")
        SCHEDULED = "scheduled", _("Scheduled")
        QUEUED = "queued", _("Queued")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Sent")
        DELIVERED = "delivered", _("Delivered")
        READ = "read", _("Read")
        UNDELIVERED = "undelivered", _("Not delivered")
        FAILED = "failed", _("Failed")
        CANCELED = "canceled", _("Canceled")
        RECEIVED = "received", _("Received")

    WAY = (
        {Status.LATER},
        {Status.WAITING},
        {Status.ASKING},
        {Status.UNKNOWN},
        {Status.ACCEPTED},
        {Status.SCHEDULED},
        {Status.QUEUED},
        {Status.SENDING},
        {Status.SENT},
        {Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.CANCELED},
        {Status.READ},
    )
    RANK = {status: rank for rank, step in enumerate(WAY) for status in step}
    ARRIVED = {Status.SENT, Status.DELIVERED, Status.READ}
    NOT_SENT = {
        Status.UNDELIVERED,
        Status.FAILED,
        Status.CANCELED,
        Status.BLOCKED,
    }
    # Of these a person may have the same text sent once more; of an unknown one only
    # who accepts that it may arrive twice.
    REPEATABLE = NOT_SENT
    # What the other party has not been told.
    UNTOLD = NOT_SENT | {Status.LATER}
    FINAL = NOT_SENT | {Status.DELIVERED, Status.READ, Status.RECEIVED}

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages"
    )
    carrier_account = models.ForeignKey(
        CarrierAccount, models.PROTECT, related_name="messages"
    )
    direction = models.CharField(max_length=10, choices=Direction)
    sid = models.CharField(max_length=64, null=True)
    from_number = models.CharField(max_length=100)
    to_number = models.CharField(max_length=100)
    body = models.TextField(blank=True)
    # Of one that came in [{"sid", "content_type"}], of one of ours [{"url"}].
    media = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=12, choices=Status)
    error_code = models.PositiveIntegerField(null=True)
    error_detail = models.CharField(max_length=200, blank=True)
    segments = models.PositiveSmallIntegerField(default=0)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)
    sent_by = models.CharField(max_length=12, choices=SentBy)
    agent = models.ForeignKey(
        "agents.MessageAgent", models.PROTECT, null=True, related_name="messages"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    call = models.ForeignKey(  # in which a voice agent sent it
        Call, models.SET_NULL, null=True, related_name="messages"
    )
    # Which text this is the answer to, and which piece of it: there is one answer.
    answers = models.ForeignKey("self", models.CASCADE, null=True, related_name="+")
    part = models.PositiveSmallIntegerField(default=0)
    # Which text this is the second try of: there is one.
    repeats = models.OneToOneField(
        "self", models.CASCADE, null=True, related_name="repeated"
    )
    is_away = models.BooleanField(default=False)
    # A person has written it for then; before that it is `later`.
    send_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    look_at = models.DateTimeField(null=True)
    words_removed_at = models.DateTimeField(null=True)

    objects = closed_manager(MessageQuerySet)
    unscoped = models.Manager.from_queryset(MessageQuerySet)()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["owner", "sid"], name="one_message_a_sid"),
            models.UniqueConstraint(
                fields=["answers", "part"], name="one_answer_a_text"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(fields=["owner", "created_at"]),
            models.Index(fields=["conversation", "-id"]),
            models.Index(
                fields=["status", "id"],
                condition=Q(status__in=["waiting", "asking"]),
                name="messages_not_sent_yet",
            ),
            models.Index(
                fields=["send_at"],
                condition=Q(status="later"),
                name="messages_for_later",
            ),
            models.Index(
                fields=["conversation", "send_at"],
                condition=Q(send_at__isnull=False),
                name="messages_written_before",
            ),
            models.Index(
                fields=["look_at"],
                condition=Q(look_at__isnull=False),
                name="messages_to_look_at",
            ),
            models.Index(
                fields=["-id"],
                condition=Q(status__in=["failed", "unknown"]),
                name="messages_given_up",
            ),
            models.Index(
                fields=["owner", "send_at"],
                condition=Q(send_at__isnull=False, words_removed_at=None),
                name="messages_sent_later_than_made",
            ),
        ]

    def __str__(self):
        return f"{self.direction} message {self.pk}"

    @property
    def is_incoming(self) -> bool:
        return self.direction == self.Direction.INCOMING

    @property
    def is_for_later(self) -> bool:
        return self.status == self.Status.LATER

    @property
    def wanted_at(self) -> datetime:
        """Since when it is to be sent."""
        return self.send_at or self.created_at

    # What the carrier signs this message's webhooks with.

    def tokens_at(self, at: datetime) -> list[str]:
        return self.carrier_account.tokens_at(at)

    @property
    def account_sid(self) -> str:
        return self.carrier_account.account_sid

    @property
    def phone_id(self):
        return self.conversation.phone_id

    # -- On its way: each step holds for the row as it is now --------------------------

    def come_due(self) -> bool:
        """Its time has come: it waits like any other from now on."""
        return self._step([self.Status.LATER], status=self.Status.WAITING)

    def cancel(self) -> bool:
        """A person does not want it sent any more, which is not too late."""
        return self._step([self.Status.LATER], status=self.Status.CANCELED)

    def begin_asking(self, at: datetime) -> bool:
        """The one step after which the carrier may be asked; False: somebody else."""
        return self._step([self.Status.WAITING], status=self.Status.ASKING, asked_at=at)

    def take_back(self, why: str) -> bool:
        """The carrier clearly did nothing: the same may be asked for again."""
        return self._step(
            [self.Status.ASKING], status=self.Status.WAITING, error_detail=why[:200]
        )

    def lose(self, at: datetime) -> bool:
        """The carrier's answer was lost: look for the message from now on."""
        return self._step([self.Status.ASKING], status=self.Status.UNKNOWN, look_at=at)

    def block(self, why: str = "") -> bool:
        """The other party wants no texts, or none go out, so it is not sent."""
        blocked = {"status": self.Status.BLOCKED, "error_detail": why[:200]}
        return self._step([self.Status.WAITING], **blocked)

    def give_up(self, **changes) -> bool:
        """It was never asked for, and will not be."""
        return self._step([self.Status.WAITING], **changes)

    def note_cost(self, cost: Decimal | None, currency: str) -> None:
        """What it costs is known, and nothing more is asked about one that is over."""
        changes = {"cost": cost, "currency": currency}
        rows = Message.unscoped.filter(pk=self.pk)
        rows.update(**changes, updated_at=timezone.now())
        rows.filter(status__in=self.FINAL).update(look_at=None)

    def rise_to(self, status: str, **changes) -> bool:
        """Move on to `status`; False if that is old news (reports repeat, overtake)."""
        rank = self.RANK[status]
        earlier = [known for known, place in self.RANK.items() if place < rank]
        return self._step(earlier, status=status, **changes)

    def adopt(self, sid: str) -> bool:
        """The carrier took this message and calls it `sid`; False if it is not this
        one. Safe to repeat.
        """
        if self.sid is not None:
            return self.sid == sid
        unnamed = Message.unscoped.filter(
            pk=self.pk, sid=None, direction=self.Direction.OUTGOING
        )
        try:
            with transaction.atomic():
                won = unnamed.update(sid=sid, updated_at=timezone.now())
        except IntegrityError:  # it is another message's
            return False
        if not won:
            self.refresh_from_db(fields=["sid"])
        else:
            self.sid = sid
        return self.sid == sid

    def look_again_at(self, at: datetime | None) -> bool:
        """Take the look that is due; False if another process does."""
        due = Message.unscoped.filter(pk=self.pk, look_at=self.look_at)
        return bool(due.update(look_at=at))

    def _step(self, earlier: list[str], **changes) -> bool:
        changes["updated_at"] = timezone.now()
        won = Message.unscoped.filter(pk=self.pk, status__in=earlier).update(**changes)
        if won:
            for name, value in changes.items():
                setattr(self, name, value)
        return bool(won)
