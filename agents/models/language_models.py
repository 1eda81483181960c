from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from yarl import URL

from accounts.tenancy import OwnedModel
from agents.tools import guard
from voiceops.encryption import EncryptedTextField

MAX_URL_CHARACTERS = 500


def check_base_url(text: str) -> None:
    """Raise ValidationError unless a provider may be asked there."""
    try:
        url = guard.check_url(text, guard.installed_rules())
    except guard.Blocked as blocked:
        raise ValidationError(str(blocked)) from None
    if url.raw_query_string or url.raw_fragment:
        raise ValidationError(_("The address ends with a path, such as /v1."))


class LanguageModel(OwnedModel):
    """The workspace's own model endpoint; without a row the installation's answers."""

    audited_as = "language_model", _("language model")

    base_url = models.CharField(
        _("address"),
        max_length=MAX_URL_CHARACTERS,
        validators=[check_base_url],
        help_text=_("Of any OpenAI-compatible endpoint, up to its version."),
    )
    model = models.CharField(
        _("model"),
        max_length=100,
        help_text=_("For agents that name no model of their own."),
    )
    api_key = EncryptedTextField(
        _("API key"),
        blank=True,
        validators=[
            RegexValidator(
                r"\A[!-~]{1,500}\Z",
                _("A key has no spaces and at most 500 characters."),
            )
        ],
    )

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], name="one_language_model_a_workspace"
            )
        ]

    def __str__(self):
        return f"{self.model} at {URL(self.base_url).host}"
