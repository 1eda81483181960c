import re

from django import forms
from django.utils.timezone import localtime, now
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from accounts.forms import OwnedForm
from accounts.zones import time_zone_choices
from agents.forms.fields import days_field, time_of_day
from agents.models import VoiceAgent
from telephony.models import CallingRules, DoNotContact
from telephony.services.carrier import InvalidNumber, e164
from telephony.tables import Unreadable, decode
from voiceops.filters import MOMENTS

MAX_LIST_CHARACTERS = 500_000
TELEPHONE = {"inputmode": "tel", "autocomplete": "off", "placeholder": "+12025550123"}


class NumberField(forms.CharField):
    """A telephone number with its country code, as E.164."""

    widget = forms.TextInput(attrs=TELEPHONE)

    def __init__(self, **options):
        super().__init__(**{"label": _("Number"), "max_length": 30, **options})

    def clean(self, value):
        try:
            return e164(super().clean(value))
        except InvalidNumber as error:
            raise forms.ValidationError(str(error)) from error


class DoNotContactForm(forms.Form):
    """One number for the list."""

    number = NumberField()
    reason = DoNotContact._meta.get_field("reason").formfield(
        help_text=_("Shown wherever a call or text is refused for it.")
    )


class DoNotContactManyForm(forms.Form):
    """Many numbers at once, pasted or as a file."""

    numbers = forms.CharField(
        label=_("Numbers"),
        required=False,
        max_length=MAX_LIST_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=_("One a line, with its country code; after a comma its reason."),
    )
    file = forms.FileField(
        label=_("Or a CSV file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        help_text=_(
            "A column for the numbers, and one for the reasons, if any. Without "
            "headings they are the first and the second."
        ),
    )

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file is None:
            return ""
        if file.size > MAX_LIST_CHARACTERS:
            raise forms.ValidationError(_("The file is larger than 500 kB."))
        try:
            return decode(file.read())
        except Unreadable as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self):
        cleaned = super().clean()
        both = (cleaned.get("numbers", ""), cleaned.get("file", ""))
        if not self.errors and not any(text.strip() for text in both):
            self.add_error("numbers", _("Paste some numbers or choose a file."))
        cleaned["text"] = "\n".join(text for text in both if text)
        return cleaned


class RemovalForm(forms.Form):
    reason = DoNotContact._meta.get_field("removal_reason").formfield(
        required=True,
        help_text=_("For example: asked for calls again by e-mail on 3 March."),
    )


def digits_in(words):
    """The digits of what is written like a number; "" for words."""
    is_number = re.fullmatch(r"[-+()/.\s0-9]+", words)
    return re.sub(r"[^0-9]", "", words) if is_number else ""


class DoNotContactFilterForm(forms.Form):
    q = forms.CharField(max_length=100, required=False)
    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)

    def apply(self, rows):
        words = self.cleaned_data["q"].strip()
        if not words:
            return rows
        if digits := digits_in(words):
            return rows.filter(number__contains=digits)
        return rows.filter(reason__icontains=words)


class CountriesField(forms.CharField):
    """Country codes, separated by commas or spaces, as a list."""

    def prepare_value(self, value):
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value):
        return sorted(set(re.findall(r"[A-Z0-9]+", super().clean(value).upper())))


class CallingRulesForm(OwnedForm):
    countries = CountriesField(
        label=_("Countries that may be called"),
        required=False,
        max_length=2 * 2 * len(SUPPORTED_REGIONS),
        widget=forms.TextInput(attrs={"placeholder": "US, CA, DE"}),
        help_text=_(
            "ISO codes such as US, DE. Empty: the countries of your own numbers. Some "
            "countries share +1; each has its own code."
        ),
    )
    window_days = days_field(label=_("On"))

    class Meta:
        model = CallingRules
        fields = ["window_start", "window_end", "window_days", "countries"]
        widgets = {"window_start": time_of_day(), "window_end": time_of_day()}
        labels = {"window_start": _("From"), "window_end": _("Until")}
        help_texts = {
            "window_end": _("Earlier than the beginning: on the next day."),
        }


class CheckForm(forms.Form):
    """May this number be called by this agent at this time?"""

    number = forms.CharField(
        label=_("Number"), max_length=30, widget=forms.TextInput(attrs=TELEPHONE)
    )
    agent = forms.ModelChoiceField(
        label=_("Agent"), queryset=VoiceAgent.objects.all(), empty_label=None
    )
    at = forms.DateTimeField(
        label=_("Time"),
        required=False,
        validators=MOMENTS,
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}
        ),
        help_text=_("In your time zone. Empty: now."),
    )
    timezone = forms.ChoiceField(
        label=_("Their time zone"),
        required=False,
        choices=lambda: [("", _("As the number tells")), *time_zone_choices()],
    )

    def __init__(self, data, *, owner):
        super().__init__(data or None, initial={"at": localtime()})
        field = self.fields["agent"]
        agents = field.queryset.for_owner(owner).order_by("name")
        field.queryset = agents.select_related(
            "owner", "phone__carrier_account", "prompt", "prompt_version"
        )

    def clean_at(self):
        return self.cleaned_data["at"] or now()

    def clean_number(self):
        """As E.164 where it is one; what is none is for the rules to say."""
        try:
            return e164(self.cleaned_data["number"])
        except InvalidNumber:
            return self.cleaned_data["number"]
