from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agents import words
from agents.limits import check_business_hours, check_phrases
from agents.models.agents import Agent
from agents.tools.built_in import TEXTS


class MessageAgent(Agent):
    """Who answers the texts to a number, when, and when a person takes over."""

    audited_as = "message_agent", _("message agent")
    TALKS_BY = TEXTS

    history_limit = models.PositiveIntegerField(
        _("texts that the model is shown"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(200)],
        help_text=_("The latest ones of the conversation, of both sides."),
    )
    reply_delay_s = models.PositiveIntegerField(
        _("wait before a reply, in seconds"),
        default=5,
        validators=[MaxValueValidator(60)],
        help_text=_(
            "Several texts that come in quick succession are answered together, once "
            "nothing more came for this long."
        ),
    )
    handoff_phrases = models.JSONField(
        _("phrases that ask for a person"),
        default=list,
        blank=True,
        validators=[check_phrases],
        help_text=_(
            "When either side writes one of these, a person takes over: the agent "
            "does not answer such a text, and is silent after one of its own."
        ),
    )
    business_hours = models.JSONField(
        _("business hours"),
        default=dict,
        blank=True,
        validators=[check_business_hours],
        help_text=_("When it answers; empty: at any time."),
    )
    away_message = models.CharField(
        _("away message"),
        max_length=480,
        blank=True,
        help_text=_("Sent outside of business hours; empty: nothing is sent."),
    )

    class Meta(Agent.Meta):
        default_related_name = "message_agents"
        constraints = [
            *Agent.Meta.constraints,
            models.UniqueConstraint(
                fields=["phone"],
                condition=Q(is_active=True, deleted_at=None),
                name="one_active_message_agent_a_phone",
            ),
        ]

    def get_absolute_url(self):
        return reverse("agents:message_agent_detail", args=[self.pk])

    @property
    def opening(self) -> str:
        """Whether it answers now, and if not, when it does, in words."""
        return words.opening(self.business_hours, timezone.now())
