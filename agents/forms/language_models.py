from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from agents.models import LanguageModel


class LanguageModelForm(OwnedForm):
    """The workspace's own endpoint; a key goes in and never comes back."""

    class Meta:
        model = LanguageModel
        fields = ["base_url", "model", "api_key"]
        widgets = {
            "base_url": forms.URLInput(
                attrs={"placeholder": "https://api.openai.com/v1"}
            ),
            "model": forms.TextInput(attrs={"autocomplete": "off"}),
            "api_key": forms.PasswordInput(attrs={"autocomplete": "off"}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["api_key"].help_text = (
            _("Stored encrypted. Empty keeps the one that is stored.")
            if self.instance.api_key
            else _("Stored encrypted and never shown again. Some servers want none.")
        )

    @property
    def wanted(self):
        """What `services.connect_model` takes; an empty key is the stored one."""
        return {**self.cleaned_data, "api_key": self.cleaned_data["api_key"] or None}
