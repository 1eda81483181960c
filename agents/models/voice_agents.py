from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import SoftDeleteQuerySet, closed_manager
from agents.extraction import check_schema
from agents.limits import check_days, check_language, check_phrases
from agents.models.agents import Agent
from agents.prompts import FILLED_IN_BY_CALLS, placeholders
from agents.tools.built_in import CALLS


class VoiceAgentQuerySet(SoftDeleteQuerySet):
    def answering(self):
        """Agents that would answer a call now."""
        return self.filter(
            is_active=True, deleted_at=None, direction__in=VoiceAgent.ANSWERING
        )

    def placing(self):
        """Agents that may place calls now."""
        return self.filter(
            is_active=True, deleted_at=None, direction__in=VoiceAgent.PLACING
        )


class VoiceAgent(Agent):
    """Who answers (or places) calls on a number, and how it talks."""

    audited_as = "voice_agent", _("voice agent")
    TALKS_BY = CALLS

    class Direction(models.TextChoices):
        INCOMING = "incoming", _("Answers calls")
        OUTGOING = "outgoing", _("Places calls")
        BOTH = "both", _("Answers and places calls")

    class GreetingMode(models.TextChoices):
        AGENT_FIRST = "agent_first", _("The agent speaks first")
        CALLER_FIRST = "caller_first", _("The agent waits for the caller")

    class Transport(models.TextChoices):
        STREAM = "stream", _("Streaming: fast, can be interrupted")
        GATHER = "gather", _("Turn by turn: works on every account")

    class Interruptible(models.TextChoices):
        ANY = "any", _("By voice and keys")
        SPEECH = "speech", _("By voice")
        DTMF = "dtmf", _("By keys")
        NONE = "none", _("Not at all")

    class Sensitivity(models.TextChoices):
        LOW = "low", _("Low")
        MEDIUM = "medium", _("Medium")
        HIGH = "high", _("High")

    ANSWERING = (Direction.INCOMING, Direction.BOTH)
    PLACING = (Direction.OUTGOING, Direction.BOTH)

    direction = models.CharField(
        _("direction"), max_length=10, choices=Direction, default=Direction.INCOMING
    )

    greeting_mode = models.CharField(
        _("who speaks first"),
        max_length=15,
        choices=GreetingMode,
        default=GreetingMode.AGENT_FIRST,
    )
    greeting = models.CharField(
        _("greeting"),
        max_length=500,
        blank=True,
        default="Hello, this is an automated assistant. How can I help you?",
        help_text=_("The first thing that the caller hears. Say that it is an AI."),
    )
    language = models.CharField(
        _("language"),
        max_length=20,
        default="en-US",
        validators=[check_language],
        help_text=_("A BCP 47 tag such as en-US or de-DE."),
    )
    tts_provider = models.CharField(
        _("voice provider"),
        max_length=20,
        choices=[(name, name) for name in ("Google", "Amazon", "ElevenLabs")],
        default="Google",
    )
    voice = models.CharField(
        _("voice"),
        max_length=100,
        blank=True,
        help_text=_("The provider's name of a voice; empty for its default."),
    )
    transcription_provider = models.CharField(
        _("speech recognition"),
        max_length=20,
        choices=[(name, name) for name in ("Deepgram", "Google")],
        default="Deepgram",
    )
    hints = models.CharField(
        _("hints"),
        max_length=500,
        blank=True,
        help_text=_("Words to listen for, separated by commas: names, products."),
    )
    transport = models.CharField(
        _("transport"), max_length=10, choices=Transport, default=Transport.STREAM
    )
    interruptible = models.CharField(
        _("can be interrupted"),
        max_length=10,
        choices=Interruptible,
        default=Interruptible.ANY,
    )
    interrupt_sensitivity = models.CharField(
        _("interruption sensitivity"),
        max_length=10,
        choices=Sensitivity,
        default=Sensitivity.HIGH,
    )
    greeting_interruptible = models.BooleanField(
        _("the greeting can be interrupted"),
        default=True,
        help_text=_("Off: it is always heard to its end, as a notice must be."),
    )
    dtmf_detection = models.BooleanField(_("listen for keys"), default=True)
    dtmf_length = models.PositiveIntegerField(
        _("number of keys"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text=_(
            "So many keys are one input; # completes a shorter one. Empty: a short "
            "pause or # completes it."
        ),
    )
    filler = models.CharField(
        _("words for a pause"),
        max_length=200,
        blank=True,
        help_text=_(
            "Said when a reply takes long. Empty: “One moment, please.” in the "
            "language of the agent."
        ),
    )
    filler_after_ms = models.PositiveIntegerField(
        _("words for a pause after, in milliseconds"),
        default=3000,
        validators=[MaxValueValidator(7000)],
        help_text=_("0: never."),
    )
    silence_reminders = models.PositiveIntegerField(
        _("reminders in silence"),
        default=1,
        validators=[MaxValueValidator(5)],
        help_text=_(
            "How often a silent caller is asked whether somebody is there. Reminders "
            "that would come after the hang-up are left out."
        ),
    )
    silence_reminder_s = models.PositiveIntegerField(
        _("remind after silence, in seconds"),
        default=10,
        validators=[MinValueValidator(5), MaxValueValidator(300)],
    )
    silence_timeout_s = models.PositiveIntegerField(
        _("hang up after silence, in seconds"),
        default=30,
        validators=[MinValueValidator(10), MaxValueValidator(600)],
        help_text=_(
            "The caller's silence in all, reminders included. While the agent speaks, "
            "thinks or uses a tool it is not counted."
        ),
    )
    max_duration_s = models.PositiveIntegerField(
        _("longest call, in seconds"),
        default=600,
        validators=[MinValueValidator(30), MaxValueValidator(7200)],
    )
    time_warning_s = models.PositiveIntegerField(
        _("warn before the end, in seconds"),
        default=30,
        validators=[MaxValueValidator(300)],
        help_text=_(
            "So long before the longest call time is over, the agent says so. 0: never."
        ),
    )
    end_call_phrases = models.JSONField(
        _("end-call phrases"),
        default=list,
        blank=True,
        validators=[check_phrases],
        help_text=_("When the agent says one of these, it hangs up."),
    )
    end_call_message = models.CharField(
        _("last words"),
        max_length=300,
        blank=True,
        help_text=_("Said before the agent hangs up; empty for nothing more."),
    )
    transfer_number = models.CharField(
        _("transfer number"),
        max_length=30,
        blank=True,
        help_text=_("Whom to call, with the country code; empty: never handed over."),
    )
    transfer_message = models.CharField(
        _("said to the caller"),
        max_length=300,
        blank=True,
        default="I am connecting you, one moment please.",
        help_text=_("Said before the person is called."),
    )
    transfer_whisper = models.CharField(
        _("said to the person"),
        max_length=300,
        blank=True,
        help_text=_("Only to whoever answers, before the two are joined."),
    )
    transfer_timeout_s = models.PositiveIntegerField(
        _("ring for, in seconds"),
        default=30,
        validators=[MinValueValidator(5), MaxValueValidator(120)],
        help_text=_("If nobody answers by then, the agent goes on."),
    )
    recording_enabled = models.BooleanField(
        _("record calls"),
        default=False,
        help_text=_("Both sides, kept by the carrier. Ask what the law wants of you."),
    )
    recording_notice = models.CharField(
        _("recording notice"),
        max_length=300,
        blank=True,
        default="This call is recorded.",
        help_text=_("Said before anything else in every call that is recorded."),
    )
    summary_enabled = models.BooleanField(_("summarize every call"), default=True)
    extraction_schema = models.JSONField(
        _("extraction schema"), default=dict, blank=True, validators=[check_schema]
    )

    voicemail_detection = models.BooleanField(
        _("notice voicemails"),
        default=False,
        help_text=_("The carrier listens whether a person answers; it charges for it."),
    )
    voicemail_message = models.CharField(
        _("message for voicemails"),
        max_length=500,
        blank=True,
        help_text=_(
            "Said after the beep, then the agent hangs up. Empty: it hangs up."
        ),
    )

    screening_message = models.CharField(
        _("answer to call screening"),
        max_length=300,
        blank=True,
        help_text=_(
            "Said when an assistant asks who calls and why; then the agent waits for "
            "the person. Empty: the model answers it."
        ),
    )

    # When it may call; empty: the calling rules of the workspace.
    window_start = models.TimeField(_("calls from"), null=True, blank=True)
    window_end = models.TimeField(_("calls until"), null=True, blank=True)
    window_days = models.JSONField(
        _("calls on"), default=list, blank=True, validators=[check_days]
    )

    objects = closed_manager(VoiceAgentQuerySet)
    unscoped = models.Manager.from_queryset(VoiceAgentQuerySet)()

    class Meta(Agent.Meta):
        default_related_name = "voice_agents"
        constraints = [
            *Agent.Meta.constraints,
            models.UniqueConstraint(
                fields=["phone"],
                condition=Q(
                    is_active=True,
                    deleted_at=None,
                    direction__in=["incoming", "both"],
                ),
                name="one_answering_agent_a_phone",
            ),
            models.UniqueConstraint(
                fields=["phone"],
                condition=Q(
                    is_active=True,
                    deleted_at=None,
                    direction__in=["outgoing", "both"],
                ),
                name="one_placing_agent_a_phone",
            ),
            models.CheckConstraint(
                condition=Q(window_start=None, window_end=None)
                | Q(window_start__isnull=False, window_end__isnull=False),
                name="an_agents_window_has_both_ends",
                violation_error_message=_("Say from when and until when."),
            ),
        ]

    def get_absolute_url(self):
        return reverse("agents:agent_detail", args=[self.pk])

    @property
    def wanted_variables(self) -> list[str]:
        """The placeholders of its texts that a call does not fill in by itself."""
        names = placeholders(f"{self.greeting}\n{self.prompt_text}")
        return [name for name in names if name not in FILLED_IN_BY_CALLS]

    def rivals(self):
        same_calls = Q()
        for directions in (self.ANSWERING, self.PLACING):
            if self.direction in directions:
                same_calls |= Q(direction__in=directions)
        return super().rivals().filter(same_calls)
