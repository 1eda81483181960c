from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel, SoftDeleteModel
from agents.prompts import MAX_PROMPT_CHARACTERS, placeholders


class Prompt(SoftDeleteModel):
    """A reusable text for agents; every change of it is a version."""

    audited_as = "prompt", _("prompt")

    name = models.CharField(_("name"), max_length=100)
    # Denormalised from the versions so that an agent is read in one statement.
    text = models.TextField(_("text"), max_length=MAX_PROMPT_CHARACTERS)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=Q(deleted_at=None),
                name="one_prompt_a_name",
                violation_error_message=_("You already have a prompt of this name."),
            )
        ]
        indexes = [models.Index(fields=["owner", "-id"])]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("agents:prompt_detail", args=[self.pk])

    @property
    def placeholders(self) -> tuple[str, ...]:
        return placeholders(self.text)


class PromptVersion(OwnedModel):
    """A prompt's text as it was saved once."""

    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    note = models.CharField(_("note"), max_length=200, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "number"], name="one_version_a_number"
            )
        ]

    def __str__(self):
        return f"v{self.number}"

    def get_absolute_url(self):
        return reverse("agents:prompt_version", args=[self.prompt_id, self.number])
