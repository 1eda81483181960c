from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import (
    OwnedModel,
    OwnedQuerySet,
    SoftDeleteModel,
    closed_manager,
)
from agents.outcomes import Outcome
from telephony.dialling.numbers import number_for_reading
from telephony.patience import patient
from voiceops.encryption import EncryptedTextField
from voiceops.ids import earliest_uuid7, opaque_token
from voiceops.sql import by_key

ACCOUNT_SID = RegexValidator(
    r"^AC[0-9a-f]{32}$", _("A Twilio account SID: AC and 32 hexadecimal digits.")
)


class CarrierAccount(SoftDeleteModel):
    """A workspace's credentials at the carrier."""

    audited_as = "carrier_account", _("carrier account")

    label = models.CharField(_("label"), max_length=100)
    account_sid = models.CharField(
        _("account SID"), max_length=34, validators=[ACCOUNT_SID]
    )
    auth_token = EncryptedTextField(_("auth token"))
    # Those before sign webhooks too until that moment: at the carrier a new token is
    # used before it is the one that signs. With spaces between them where it changed
    # more than once.
    old_auth_token = EncryptedTextField(blank=True, editable=False)
    old_auth_token_until = models.DateTimeField(null=True, editable=False)
    calls_per_second = models.PositiveIntegerField(
        _("calls a second"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    max_concurrent_calls = models.PositiveIntegerField(
        _("calls at the same time"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
    )
    verified_at = models.DateTimeField(null=True, editable=False)
    # Before that no other call of this account is asked for.
    next_call_at = models.DateTimeField(null=True, editable=False)

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "account_sid"],
                condition=Q(deleted_at=None),
                name="one_carrier_account_a_sid",
                violation_error_message=_("This account is connected already."),
            )
        ]

    def __str__(self):
        return self.label

    def get_absolute_url(self):
        return reverse("telephony:carrier_account_detail", args=[self.pk])

    def tokens_at(self, at: datetime) -> list[str]:
        """With what the carrier may sign at this moment, the newest first."""
        until = self.old_auth_token_until
        old = self.old_auth_token.split() if until and at < until else []
        return [self.auth_token, *old]

    @property
    def changes_token_until(self) -> datetime | None:
        """Until when an earlier token is accepted too; None if none is."""
        until = self.old_auth_token_until
        return until if until and timezone.now() < until else None


class Phone(SoftDeleteModel):
    """A number that the workspace holds at the carrier, pointed at us."""

    audited_as = "phone", _("phone number")

    carrier_account = models.ForeignKey(
        CarrierAccount, models.PROTECT, related_name="phones"
    )
    number = models.CharField(_("number"), max_length=20)
    carrier_sid = models.CharField(max_length=34, editable=False)
    label = models.CharField(_("label"), max_length=100, blank=True)
    # In the path of its webhooks: it says whose number is called before anything that
    # the request claims is believed.
    webhook_token = models.CharField(
        max_length=40, unique=True, default=opaque_token, editable=False
    )

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["number"],
                condition=Q(deleted_at=None),
                name="one_registration_a_number",
                violation_error_message=_("This number is registered already."),
            )
        ]
        indexes = [models.Index(fields=["owner", "-id"])]

    def __str__(self):
        number = number_for_reading(self.number)
        return f"{number} ({self.label})" if self.label else number

    def get_absolute_url(self):
        return reverse("telephony:phone_detail", args=[self.pk])


class TestLine(OwnedModel):
    """A way to call one agent without a number: the caller is the simulator.

    It has the address token and the signing secret of a phone and its carrier account,
    so a test call comes in through the same webhooks as any other.
    """

    __test__ = False  # pytest: not a test class

    agent = models.OneToOneField("agents.VoiceAgent", models.CASCADE, related_name="+")
    account_sid = models.CharField(max_length=34)
    auth_token = EncryptedTextField()
    webhook_token = models.CharField(
        max_length=40, unique=True, default=opaque_token, editable=False
    )

    def __str__(self):
        return f"Test line of {self.agent_id}"

    def tokens_at(self, at: datetime) -> list[str]:
        return [self.auth_token]


# Shorter than a lease: whoever slept through it does not dial any more.
DECISION_HOLDS = patient(50)
# Longer than waiting for a turn and for the carrier's answer takes.
HELD_FOR = patient(25)
# A call's id is made when its row is, its start is the carrier's word: give or take.
ID_MARGIN = timedelta(days=1)


class CallQuerySet(OwnedQuerySet):
    def in_progress(self):
        """Calls now queued, ringing or in progress, as far as anybody knows."""
        # The index knows `ended_at`, which is empty in these and in no other.
        open_calls = self.filter(status__in=Call.OPEN, ended_at=None)
        return open_calls.exclude(placement=Call.Placement.UNKNOWN)

    def not_put_off(self):
        """Without those that were given up before the carrier did anything."""
        return self.exclude(asked_at=None, end_reason=Call.EndReason.NOT_PLACED)

    # -- Many calls on their way to the carrier, in a statement or two ----------------

    def begin_asking(self, calls: list["Call"], at: datetime) -> set["Call"]:
        """The one step after which the carrier may be asked; those for which we may.

        The others are somebody else's. What the rules said too long ago does not count
        any more, however often the carrier was asked since.
        """
        ready = self.filter(
            pk__in=[call.pk for call in calls],
            placement=Call.Placement.OPENED,
            sid=None,
            ended_at=None,
            last_event_at__gt=at - DECISION_HOLDS,
        )
        changes = {"placement": Call.Placement.ASKED, "asked_at": at}
        with transaction.atomic():
            locked = ready.order_by("pk").select_for_update(no_key=True)
            won = set(locked.values_list("pk", flat=True))
            self.filter(pk__in=won).update(**changes, updated_at=timezone.now())
        mine = {call for call in calls if call.pk in won}
        for call in mine:
            call.placement, call.asked_at = changes.values()
        return mine

    def adopt(self, sids: Mapping["Call", str]) -> None:
        """The carrier took these calls and calls them so; see `Call.adopt`."""
        if not sids:
            return
        names = {call.pk: sid for call, sid in sids.items()}
        unnamed = self.filter(pk__in=names, sid=None)
        try:
            with transaction.atomic():
                unnamed.update(sid=by_key(Call, names, "sid"), **Call.adopted())
        except IntegrityError:  # one of them is another call's: the rest are not
            for call, sid in sids.items():
                call.adopt(sid)

    def of_other_party(self, number: str):
        """Calls with this number at the other end, found by an index."""
        came_in = Q(direction=Call.Direction.INCOMING, from_number=number)
        went_out = Q(direction=Call.Direction.OUTGOING, to_number=number)
        return self.filter(came_in | went_out)

    def with_number(self, digits: str):
        """Calls from or to a number that has these digits in a row."""
        either = Q(from_number__contains=digits) | Q(to_number__contains=digits)
        return self.filter(either)

    def saying(self, words: str):
        """Calls in which somebody said `words`, in any case."""
        turns = Turn.unscoped.filter(call=OuterRef("pk"), text__icontains=words)
        return self.filter(Exists(turns))

    def with_outcome(self, outcome: str):
        """Calls that came to this; "" for those of which nobody knows."""
        if outcome:
            return self.filter(after_call__outcome=outcome)
        return self.filter(Q(after_call=None) | Q(after_call__outcome=""))

    def started_from(self, at: datetime):
        """Calls that started at `at` or later, found by the index of the id."""
        return self.by_index(since=at).filter(started_at__gte=at)

    def started_before(self, at: datetime):
        """Calls that started before `at`, found by the index of the id."""
        return self.by_index(until=at).filter(started_at__lt=at)

    def by_index(
        self,
        *,
        agent: models.Model | None = None,
        phone: models.Model | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ):
        """The fewest calls that an index finds and that have all the wanted ones."""
        calls = self
        if agent or phone:
            calls = calls.filter(agent=agent) if agent else calls.filter(phone=phone)
        if since:
            calls = calls.filter(pk__gte=earliest_uuid7(since - ID_MARGIN))
        if until:
            calls = calls.filter(pk__lt=earliest_uuid7(until + ID_MARGIN))
        return calls


class Call(OwnedModel):
    """One telephone call. Its owner is its number's when it came in, for ever."""

    class Direction(models.TextChoices):
        INCOMING = "incoming", _("Incoming")
        OUTGOING = "outgoing", _("Outgoing")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        INITIATED = "initiated", _("Initiated")
        RINGING = "ringing", _("Ringing")
        IN_PROGRESS = "in-progress", _("In progress")
        COMPLETED = "completed", _("Completed")
        BUSY = "busy", _("Busy")
        NO_ANSWER = "no-answer", _("No answer")
        FAILED = "failed", _("Failed")
        CANCELED = "canceled", _("Canceled")

    class Placement(models.TextChoices):
        """How far a call of ours has got; "" for those that came in."""

        OPENED = "opened", _("Not asked for yet")
        ASKED = "asked", _("The carrier was asked")
        PLACED = "placed", _("The carrier took it")
        LOST = "lost", _("The carrier's answer was lost")
        UNKNOWN = "unknown", _("Nobody knows whether it rang")
        NOT_PLACED = "not_placed", _("Not placed")

    OPEN = (Status.QUEUED, Status.INITIATED, Status.RINGING, Status.IN_PROGRESS)
    RANK = {status: rank for rank, status in enumerate(OPEN)}

    class EndReason(models.TextChoices):
        CALLER_HUNG_UP = "caller_hung_up", _("The other party hung up")
        AGENT_ENDED = "agent_ended", _("The agent ended the call")
        TRANSFERRED = "transferred", _("It was handed over to a person")
        CALLER_SILENT = "caller_silent", _("The caller said nothing")
        TIME_UP = "time_up", _("The longest call time was reached")
        NO_ACTIVE_AGENT = "no_active_agent", _("No agent was active on this number")
        NUMBER_REMOVED = "number_removed", _("The number was removed here")
        WRONG_NUMBER = "wrong_number", _("The call was for another number")
        MODEL_FAILED = "model_failed", _("The language model did not answer")
        CONNECTION_FAILED = (
            "connection_failed",
            _("The carrier could not reach the live session"),
        )
        CONNECTION_LOST = "connection_lost", _("The live session was cut off")
        BUSY = "busy", _("The line was busy")
        NO_ANSWER = "no_answer", _("Nobody answered")
        NOT_REACHED = "not_reached", _("The carrier could not reach the number")
        CANCELED = "canceled", _("It was canceled before anybody answered")
        HUNG_UP_HERE = "hung_up_here", _("It was ended here")
        VOICEMAIL = "voicemail", _("A voicemail answered")
        REFUSED = "refused", _("The calling rules did not allow it")
        SUSPENDED = "suspended", _("The workspace was suspended")
        REJECTED = "rejected", _("The carrier refused to place it")
        NOT_PLACED = "not_placed", _("It was never placed")
        CARRIER_ENDED = "carrier_ended", _("The carrier ended the call")
        OUR_ERROR = "our_error", _("Something broke here")
        NEVER_REPORTED = "never_reported", _("The carrier never told how it ended")

    LONGEST_HANDED_OVER_S = 4 * 3600  # two people talk: the carrier's own limit

    phone = models.ForeignKey(Phone, models.PROTECT, null=True, related_name="calls")
    agent = models.ForeignKey(
        "agents.VoiceAgent", models.PROTECT, null=True, related_name="calls"
    )
    carrier_account = models.ForeignKey(
        CarrierAccount, models.PROTECT, null=True, related_name="calls"
    )
    test_line = models.ForeignKey(
        TestLine, models.SET_NULL, null=True, related_name="calls"
    )
    is_test = models.BooleanField(default=False)
    sid = models.CharField(max_length=64, null=True)
    direction = models.CharField(max_length=10, choices=Direction)
    status = models.CharField(max_length=12, choices=Status)
    from_number = models.CharField(max_length=100, blank=True)
    to_number = models.CharField(max_length=100, blank=True)
    transport = models.CharField(max_length=10, blank=True)
    prompt_version = models.PositiveIntegerField(null=True)
    model_label = models.CharField(max_length=200, blank=True)
    is_demo = models.BooleanField(default=False)  # the demo responder spoke

    # Of a call that goes out.
    scheduled_call = models.ForeignKey(
        "telephony.ScheduledCall", models.PROTECT, null=True, related_name="calls"
    )
    attempt = models.PositiveSmallIntegerField(null=True)  # of the scheduled call
    placement = models.CharField(max_length=10, choices=Placement, blank=True)
    variables = models.JSONField(default=dict, blank=True)
    decision = models.JSONField(null=True)  # what the calling rules said
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(null=True)
    # Somebody waits for a turn to ask for it until then: others take none meanwhile.
    placing_until = models.DateTimeField(null=True)
    look_at = models.DateTimeField(null=True)  # for it at the carrier, if it is lost

    started_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    duration_s = models.PositiveIntegerField(null=True)
    answered_by = models.CharField(max_length=30, blank=True)
    end_reason = models.CharField(max_length=30, choices=EndReason, blank=True)
    end_detail = models.CharField(max_length=200, blank=True)
    last_event_at = models.DateTimeField(default=timezone.now)
    # The sum of what is known of its `costs`.
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)

    # The live session's address: good for one connection.
    relay_token = models.CharField(max_length=40, unique=True, default=opaque_token)
    relay_connected_at = models.DateTimeField(null=True)
    times_resumed = models.PositiveSmallIntegerField(default=0)
    # Since when a person has it, or is being called for it; empty: the agent has it.
    handed_over_at = models.DateTimeField(null=True)
    # Whom somebody of the team has it handed over to; "": the agent's own number.
    transfer_to = models.CharField(max_length=20, blank=True)
    # Since when nothing of what was said, and of what was reported, is kept here.
    words_removed_at = models.DateTimeField(null=True)
    events_removed_at = models.DateTimeField(null=True)

    objects = closed_manager(CallQuerySet)
    unscoped = models.Manager.from_queryset(CallQuerySet)()

    class Meta(OwnedModel.Meta):
        constraints = [
            # With the owner: a tenant who signs its own webhooks cannot take the SID
            # of another's call.
            models.UniqueConstraint(fields=["owner", "sid"], name="one_call_a_sid"),
            models.UniqueConstraint(
                fields=["scheduled_call", "attempt"], name="one_call_an_attempt"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(fields=["owner", "agent", "-id"]),
            models.Index(fields=["owner", "phone", "-id"]),
            models.Index(fields=["owner", "started_at"]),
            models.Index(
                fields=["owner", "-id"],
                condition=Q(ended_at=None),
                name="calls_of_an_owner_not_ended",
            ),
            # By the other party; every call is in one of the two.
            models.Index(
                fields=["owner", "from_number", "-id"],
                condition=Q(direction="incoming"),
                name="calls_from_a_number",
            ),
            models.Index(
                fields=["owner", "to_number", "-id"],
                condition=Q(direction="outgoing"),
                name="calls_to_a_number",
            ),
            models.Index(
                fields=["owner"], condition=Q(is_test=True), name="test_calls"
            ),
            models.Index(
                fields=["last_event_at"],
                condition=Q(ended_at=None),
                name="calls_not_ended",
            ),
            models.Index(
                fields=["placement", "asked_at"],
                condition=Q(placement__in=["opened", "asked", "lost", "unknown"]),
                name="calls_not_placed_yet",
            ),
        ]

    def __str__(self):
        return f"{self.direction} call {self.pk}"

    def get_absolute_url(self):
        return reverse("telephony:call_detail", args=[self.pk])

    @property
    def has_ended(self) -> bool:
        return self.status not in self.OPEN

    @property
    def was_put_off(self) -> bool:
        """Whether it was given up before the carrier did anything."""
        return self.asked_at is None and self.end_reason == self.EndReason.NOT_PLACED

    def tokens_at(self, at: datetime) -> list[str]:
        """What the carrier may sign this call's webhooks with."""
        return (self.test_line or self.carrier_account).tokens_at(at)

    @property
    def account_sid(self) -> str:
        return (self.test_line or self.carrier_account).account_sid

    def advance(
        self, status: str, *, at: datetime, duration_s: int | None = None
    ) -> bool:
        """Move on to `status`; False if that is old news (callbacks repeat, overtake).

        Safe against other processes: the move is made on the row as it is now.
        """
        changes = {"status": status, "last_event_at": at, "updated_at": timezone.now()}
        if status not in self.OPEN:
            changes |= {"ended_at": at, "duration_s": duration_s}
        elif status == self.Status.IN_PROGRESS:
            changes["answered_at"] = at
        earlier = [s for s in self.OPEN if self.RANK[s] < self.RANK.get(status, 99)]
        won = Call.unscoped.filter(pk=self.pk, status__in=earlier).update(**changes)
        if won:
            for name, value in changes.items():
                setattr(self, name, value)
        return bool(won)

    # -- On its way to the carrier: each step holds for the row as it is now ----------

    def hold(self, at: datetime) -> datetime | None:
        """Be the one who places it until the moment returned; None if another is.

        Who dies lets it run out.
        """
        opened = Call.unscoped.filter(pk=self.pk, placement=self.Placement.OPENED)
        free = opened.filter(Q(placing_until=None) | Q(placing_until__lte=at))
        until = at + HELD_FOR
        return until if free.update(placing_until=until) else None

    def let_go(self, held: datetime) -> None:
        mine = Call.unscoped.filter(pk=self.pk, placing_until=held)
        mine.update(placing_until=None)

    def take_back(self, why: str) -> bool:
        """The carrier clearly did nothing: the same call may be asked for again.

        Also where that took so long that the call is being looked for.
        """
        return self._step(
            [self.Placement.ASKED, self.Placement.LOST],
            placement=self.Placement.OPENED,
            asked_at=None,
            look_at=None,
            end_detail=why[:200],
        )

    def lose(self, at: datetime) -> bool:
        """The carrier's answer was lost: look for the call from now on."""
        return self._step(
            [self.Placement.ASKED], placement=self.Placement.LOST, look_at=at
        )

    def look_again_at(self, at: datetime) -> bool:
        """Take the look that is due; False if another process does."""
        due = Call.unscoped.filter(
            pk=self.pk, placement=self.Placement.LOST, look_at=self.look_at
        )
        return bool(due.update(look_at=at))

    def give_up_looking(self) -> bool:
        return self._step(
            [self.Placement.LOST], placement=self.Placement.UNKNOWN, look_at=None
        )

    def adopt(self, sid: str) -> bool:
        """The carrier took this call and calls it `sid`; False if it is not this one.

        Safe to repeat. Also where we believed that it was never placed.
        """
        if self.sid is not None:
            return self.sid == sid
        unnamed = Call.unscoped.filter(
            pk=self.pk, sid=None, direction=self.Direction.OUTGOING
        )
        try:
            with transaction.atomic():
                won = unnamed.update(sid=sid, **self.adopted())
        except IntegrityError:  # another call of the workspace has this SID
            return False
        if won:
            self.sid, self.placement = sid, self.Placement.PLACED
            return True
        self.refresh_from_db(fields=["sid", "placement"])
        return self.sid == sid

    @classmethod
    def adopted(cls) -> dict:
        """The changes of a call that the carrier has taken, but for its name there."""
        at = timezone.now()
        return {
            "placement": cls.Placement.PLACED,
            "look_at": None,
            "last_event_at": at,
            "updated_at": at,
        }

    def end_unplaced(
        self, status: str, reason: str, detail: str, *, at: datetime
    ) -> bool:
        """End a call that never became one at the carrier; False if it has moved on."""
        return self._step(
            [self.placement],
            placement=self.Placement.NOT_PLACED,
            status=status,
            ended_at=at,
            end_reason=reason,
            end_detail=detail[:200],
            last_event_at=at,
            look_at=None,
        )

    def _step(self, placements: list[str], *also: Q, **changes) -> bool:
        standing = Call.unscoped.filter(
            *also, pk=self.pk, sid=None, ended_at=None, placement__in=placements
        )
        won = standing.update(**changes, updated_at=timezone.now())
        if won:
            for name, value in changes.items():
                setattr(self, name, value)
        return bool(won)

    def note_end_reason(self, reason: str, detail: str = "") -> bool:
        """Say why the call ended; the first to say so is believed, here too."""
        won = Call.unscoped.filter(pk=self.pk, end_reason="").update(
            end_reason=reason, end_detail=detail[:200], updated_at=timezone.now()
        )
        if won:
            self.end_reason, self.end_detail = reason, detail[:200]
        else:
            self.refresh_from_db(fields=["end_reason", "end_detail"])
        return bool(won)


class Turn(OwnedModel):
    """One utterance in a call, or one use of a tool with its answer as text."""

    class Speaker(models.TextChoices):
        CALLER = "caller", _("Caller")
        AGENT = "agent", _("Agent")
        TOOL = "tool", _("Tool")
        INSTRUCTION = "instruction", _("Instruction")  # of the team to the agent

    class ToolStatus(models.TextChoices):
        RUNNING = "running", _("At work")
        OK = "ok", _("Done")
        FAILED = "failed", _("Failed")
        TIMED_OUT = "timed_out", _("Took too long")
        REFUSED = "refused", _("Not done")
        ABANDONED = "abandoned", _("Broken off")

    call = models.ForeignKey(Call, models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField()
    speaker = models.CharField(max_length=11, choices=Speaker)
    text = models.TextField()
    # Who of the team wanted it, as they were called then; "": nobody did.
    by = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField()
    at_ms = models.PositiveIntegerField()  # since the call was answered
    reply_ms = models.PositiveIntegerField(null=True)
    interrupted = models.BooleanField(default=False)
    # name, arguments (the model's JSON text), status, elapsed_ms; null for speech
    tool = models.JSONField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["call", "number"], name="one_turn_a_number")
        ]
        ordering = ["number"]

    def __str__(self):
        return f"{self.call_id} turn {self.number}"


class CallFact(OwnedModel):
    """Something that the agent learnt in a call and wrote down."""

    call = models.ForeignKey(Call, models.CASCADE, related_name="facts")
    name = models.CharField(max_length=60)
    value = models.CharField(max_length=500)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["call", "name"], name="one_fact_a_name")
        ]
        ordering = ["id"]

    def __str__(self):
        return f"{self.call_id} {self.name}"


class CallEvent(OwnedModel):
    """Something that the carrier or the live session told about a call."""

    call = models.ForeignKey(Call, models.CASCADE, related_name="events")
    status = models.CharField(max_length=40)
    detail = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    sequence = models.IntegerField(default=-1)  # the carrier's; -1: it gave none

    class Meta(OwnedModel.Meta):
        constraints = [
            # A callback delivered twice is one event.
            models.UniqueConstraint(
                fields=["call", "status", "sequence"],
                name="one_event_a_status_and_sequence",
            )
        ]
        ordering = ["at", "id"]

    def __str__(self):
        return f"{self.call_id} {self.status}"


class AfterCall(OwnedModel):
    """What is still to be done about a call that has ended, and what came of it.

    Made with the call's end in one transaction. `next_try_at` says when the step is
    due, None that nothing is left; `claimed_until` that somebody works on it
    (`voiceops.claims`).
    """

    class Step(models.TextChoices):
        SETTLING = "settling", _("Waiting for the last reports")
        ANALYZING = "analyzing", _("Being analyzed")
        PRICING = "pricing", _("Waiting for the carrier's price")
        DONE = "done", _("Done")

    class Analysis(models.TextChoices):
        WAITING = "waiting", _("Not analyzed yet")
        DONE = "done", _("Analyzed")
        FAILED = "failed", _("Could not be analyzed")
        NOT_WANTED = "not_wanted", _("Not wanted for this agent")
        NO_CONVERSATION = "no_conversation", _("Nothing to analyze: nobody talked")

    call = models.OneToOneField(Call, models.CASCADE, related_name="after_call")
    step = models.CharField(max_length=10, choices=Step, default=Step.SETTLING)
    attempts = models.PositiveIntegerField(default=0)  # of this step
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)  # the last one, or what lacks

    analysis = models.CharField(
        max_length=15, choices=Analysis, default=Analysis.WAITING
    )
    analyzed_at = models.DateTimeField(null=True)
    # Raised whenever somebody asks for the analysis again.
    edition = models.PositiveIntegerField(default=1)
    outcome = models.CharField(max_length=20, choices=Outcome, blank=True)
    summary = models.TextField(blank=True)
    extracted = models.JSONField(null=True, default=None)

    class Meta(OwnedModel.Meta):
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="after_calls_due",
            ),
            models.Index(
                fields=["claimed_until"],
                condition=Q(claimed_until__isnull=False),
                name="after_calls_claimed",
            ),
            models.Index(
                fields=["-id"],
                condition=Q(analysis="failed"),
                name="after_calls_failed",
            ),
        ]

    def __str__(self):
        return f"{self.call_id} {self.step}"

    @property
    def is_analyzed(self) -> bool:
        """Whether the analysis is final, whatever came of it."""
        return self.analysis != self.Analysis.WAITING
