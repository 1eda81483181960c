from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import SoftDeleteModel, SoftDeleteQuerySet, closed_manager
from agents.extraction import check_schema
from agents.limits import (
    check_days,
    check_language,
    check_phrases,
    check_variables,
)
from agents.models.prompts import Prompt, PromptVersion
from agents.prompts import MAX_PROMPT_CHARACTERS


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


class VoiceAgent(SoftDeleteModel):
    """Who answers (or places) calls on a number, and how it talks."""

    audited_as = "voice_agent", _("voice agent")

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

    name = models.CharField(_("name"), max_length=100)
    phone = models.ForeignKey(
        "telephony.Phone",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="voice_agents",
        verbose_name=_("phone number"),
    )
    direction = models.CharField(
        _("direction"), max_length=10, choices=Direction, default=Direction.INCOMING
    )
    is_active = models.BooleanField(_("active"), default=False)

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
    prompt = models.ForeignKey(
        Prompt,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="voice_agents",
        verbose_name=_("prompt"),
    )
    prompt_version = models.ForeignKey(
        PromptVersion,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="pinned_agents",
        verbose_name=_("version of the prompt"),
    )
    instructions = models.TextField(
        _("instructions"),
        max_length=MAX_PROMPT_CHARACTERS,
        blank=True,
        help_text=_("Used when no prompt is chosen."),
    )
    variables = models.JSONField(
        _("variables"),
        default=dict,
        blank=True,
        validators=[check_variables],
        help_text=_("Values for the placeholders of prompt and greeting."),
    )

    model = models.CharField(
        _("model"),
        max_length=100,
        blank=True,
        help_text=_("Empty: the installation's default model."),
    )
    temperature = models.FloatField(
        _("temperature"),
        default=0.4,
        validators=[MinValueValidator(0), MaxValueValidator(2)],
    )
    max_tokens = models.PositiveIntegerField(
        _("longest reply, in tokens"),
        default=300,
        validators=[MinValueValidator(16), MaxValueValidator(4000)],
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
    dtmf_detection = models.BooleanField(_("listen for keys"), default=True)
    silence_timeout_s = models.PositiveIntegerField(
        _("hang up after silence, in seconds"),
        default=30,
        validators=[MinValueValidator(10), MaxValueValidator(600)],
    )
    max_duration_s = models.PositiveIntegerField(
        _("longest call, in seconds"),
        default=600,
        validators=[MinValueValidator(30), MaxValueValidator(7200)],
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
    summary_enabled = models.BooleanField(_("summarize every call"), default=True)
    extraction_schema = models.JSONField(
        _("extraction schema"), default=dict, blank=True, validators=[check_schema]
    )
    tools = models.JSONField(
        _("tools"),
        default=list,
        blank=True,
        help_text=_("Names of built-in tools, ids of the workspace's own."),
    )

    # When it may call; empty: the calling rules of the workspace.
    window_start = models.TimeField(_("calls from"), null=True, blank=True)
    window_end = models.TimeField(_("calls until"), null=True, blank=True)
    window_days = models.JSONField(
        _("calls on"), default=list, blank=True, validators=[check_days]
    )

    objects = closed_manager(VoiceAgentQuerySet)
    unscoped = models.Manager.from_queryset(VoiceAgentQuerySet)()

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=Q(deleted_at=None),
                name="one_voice_agent_a_name",
                violation_error_message=_("You already have an agent of this name."),
            ),
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
                condition=Q(is_active=False) | Q(phone__isnull=False),
                name="an_active_agent_has_a_phone",
                violation_error_message=_("Choose a phone number first."),
            ),
            models.CheckConstraint(
                condition=Q(prompt_version=None) | Q(prompt__isnull=False),
                name="a_pinned_agent_has_a_prompt",
                violation_error_message=_("Choose the prompt of this version too."),
            ),
            models.CheckConstraint(
                condition=Q(window_start=None, window_end=None)
                | Q(window_start__isnull=False, window_end__isnull=False),
                name="an_agents_window_has_both_ends",
                violation_error_message=_("Say from when and until when."),
            ),
        ]
        indexes = [models.Index(fields=["owner", "-id"])]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("agents:agent_detail", args=[self.pk])

    @property
    def prompt_text(self) -> str:
        """The instructions before placeholders are filled in."""
        if self.prompt_version_id:
            return self.prompt_version.text
        return self.prompt.text if self.prompt_id else self.instructions

    @property
    def version_in_use(self) -> int | None:
        """The number of the version that it talks by; None without a prompt."""
        if self.prompt_version_id:
            return self.prompt_version.number
        return self.prompt.version if self.prompt_id else None

    @property
    def versions_behind(self) -> int:
        """How many versions of its prompt are newer than the one it is pinned to."""
        if not self.prompt_version_id:
            return 0
        return self.prompt.version - self.prompt_version.number
