from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from privacy.models import FEWEST_DAYS, MOST_DAYS, Retention
from telephony.services.carrier import InvalidNumber, e164

DAYS = forms.NumberInput(
    attrs={"min": FEWEST_DAYS, "max": MOST_DAYS, "inputmode": "numeric"}
)


class RetentionForm(OwnedForm):
    class Meta:
        model = Retention
        fields = ["transcript_days", "recording_days", "message_days", "event_days"]
        widgets = dict.fromkeys(fields, DAYS)
        labels = {
            "transcript_days": _("Transcripts, for so many days"),
            "recording_days": _("Recordings, for so many days"),
            "message_days": _("Texts, for so many days"),
            "event_days": _("Events, for so many days"),
        }
        help_texts = {
            "transcript_days": _(
                "What was said, summaries, what agents noted and pulled out."
            ),
            "recording_days": _("They are deleted at the carrier."),
            "message_days": _(
                "What was written, pictures and files (at the carrier too), what the "
                "team and agents noted beside it."
            ),
            "event_days": _(
                "What the carrier reported of each call, and what webhooks were told."
            ),
        }


class ForgetForm(forms.Form):
    number = forms.CharField(
        label=_("Number"),
        max_length=30,
        widget=forms.TextInput(
            attrs={"type": "tel", "autocomplete": "off", "placeholder": "+12025550123"}
        ),
        help_text=_("With its country code."),
    )

    def clean_number(self):
        try:
            return e164(self.cleaned_data["number"])
        except InvalidNumber as error:
            raise forms.ValidationError(str(error)) from None
