from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import SoftDeleteModel
from agents.limits import check_variables
from agents.models.prompts import Prompt, PromptVersion
from agents.prompts import MAX_PROMPT_CHARACTERS


class Agent(SoftDeleteModel):
    """What every agent has: a number, a text to follow, and a model that reads it."""

    audited_as: tuple[str, Promise]
    TALKS_BY: str  # which built-in tools it can have: `agents.tools.built_in`

    name = models.CharField(_("name"), max_length=100)
    phone = models.ForeignKey(
        "telephony.Phone",
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("phone number"),
    )
    is_active = models.BooleanField(_("active"), default=False)

    prompt = models.ForeignKey(
        Prompt, models.PROTECT, null=True, blank=True, verbose_name=_("prompt")
    )
    prompt_version = models.ForeignKey(
        PromptVersion,
        models.PROTECT,
        null=True,
        blank=True,
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
        help_text=_("Values for the placeholders in the agent's texts."),
    )

    knows_contact = models.BooleanField(
        _("knows whom it talks to"),
        default=False,
        help_text=_(
            "What is noted of the contact fills placeholders ({{ contact_name }} and "
            "the variables), and the model is shown it, with the latest calls and "
            "texts. Numbers can be forged: note nothing there that must stay secret."
        ),
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
    tools = models.JSONField(
        _("tools"),
        default=list,
        blank=True,
        help_text=_("Names of built-in tools, ids of the workspace's own."),
    )

    class Meta(SoftDeleteModel.Meta):
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=Q(deleted_at=None),
                name="one_%(class)s_a_name",
                violation_error_message=_("You already have an agent of this name."),
            ),
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(phone__isnull=False),
                name="an_active_%(class)s_has_a_phone",
                violation_error_message=_("Choose a phone number first."),
            ),
            models.CheckConstraint(
                condition=Q(prompt_version=None) | Q(prompt__isnull=False),
                name="a_pinned_%(class)s_has_a_prompt",
                violation_error_message=_("Choose the prompt of this version too."),
            ),
        ]
        indexes = [models.Index(fields=["owner", "-id"])]

    def __str__(self):
        return self.name

    @property
    def kind(self) -> str:
        """What people call this kind of agent."""
        return capfirst(self.audited_as[1])

    def rivals(self):
        """The active agents on its phone that do what it would do."""
        active = type(self).unscoped.filter(
            phone=self.phone_id, is_active=True, deleted_at=None
        )
        return active.exclude(pk=self.pk).order_by("pk")

    @property
    def has_text(self) -> bool:
        """Whether there is anything to follow."""
        return bool(self.prompt_id or self.instructions.strip())

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
