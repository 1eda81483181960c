from django import forms
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from accounts.zones import time_zone_choices
from agents.limits import MAX_VALUE_CHARACTERS, MAX_VARIABLES
from telephony.forms.dialling import NumberField, digits_in
from telephony.models import Contact
from telephony.services.timelines import CALLS, TEXTS
from voiceops.filters import MOMENTS
from voiceops.paging import Search

SEARCHED = 10_000  # contacts looked through for a page


class VariablesField(forms.CharField):
    """Values by their names, one a line: `name: value`."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})

    def prepare_value(self, value):
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name}: {text}" for name, text in value.items())

    def has_changed(self, initial, data):
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value):
        lines = [line.strip() for line in super().clean(value).splitlines()]
        return dict(_pair(line) for line in lines if line)


def _pair(line):
    name, colon, value = line.partition(":")
    if not colon:
        told = {"line": line[:40]}
        message = _("Write “name: value”; this has no colon: %(line)s") % told
        raise forms.ValidationError(message)
    return name.strip(), value.strip()


def _moment_field():
    return forms.DateTimeField(
        label=_("Since"),
        required=False,
        validators=MOMENTS,
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}
        ),
        help_text=_("In your time zone. Empty: from now on."),
    )


class ContactForm(OwnedForm):
    """What is known of somebody; the number stays."""

    MOMENTS_OF_CONSENT = ("call_consent_at", "text_consent_at")

    timezone = forms.ChoiceField(
        label=_("Their time zone"),
        required=False,
        choices=lambda: [("", _("As the number tells")), *time_zone_choices()],
        help_text=_("For the hours in which they may be called."),
    )
    variables = VariablesField(
        label=_("Variables"),
        required=False,
        max_length=MAX_VARIABLES * MAX_VALUE_CHARACTERS,
        help_text=_(
            "One a line, as “name: value”: for the placeholders of agents that know "
            "whom they talk to."
        ),
    )
    call_consent_at = _moment_field()
    text_consent_at = _moment_field()

    class Meta:
        model = Contact
        fields = [
            "name",
            "email",
            "timezone",
            "notes",
            "variables",
            "call_consent",
            "call_consent_at",
            "call_consent_note",
            "text_consent",
            "text_consent_at",
            "text_consent_note",
        ]
        labels = {
            "call_consent": _("Consent to calls"),
            "text_consent": _("Consent to texts"),
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "email": forms.EmailInput(attrs={"autocomplete": "off"}),
            "notes": forms.Textarea(attrs={"rows": 5}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # The browser's input has no seconds: what was left as it is keeps its own.
        self._since = {}
        for name in self.MOMENTS_OF_CONSENT:
            self._since[name] = since = getattr(self.instance, name)
            if since is not None:
                self.initial[name] = localtime(since).replace(second=0, microsecond=0)

    def clean(self):
        cleaned = super().clean()
        for name, since in self._since.items():
            if name not in self.changed_data:
                cleaned[name] = since
        return cleaned

    @property
    def about_calls(self):
        return self._about("call")

    @property
    def about_texts(self):
        return self._about("text")

    def _about(self, channel):
        names = ("consent", "consent_at", "consent_note")
        return [self[f"{channel}_{name}"] for name in names]


class NewContactForm(ContactForm):
    number = NumberField()

    class Meta(ContactForm.Meta):
        fields = ["number", *ContactForm.Meta.fields]


class ContactFilterForm(forms.Form):
    """A name or digits of a number, and a place in the list."""

    q = forms.CharField(max_length=100, required=False)
    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)

    @property
    def search(self):
        """None where the whole list is wanted."""
        words = self.cleaned_data["q"].strip()
        if not words:
            return None
        if digits := digits_in(words):
            return Search(lambda rows: rows.filter(number__contains=digits), SEARCHED)
        return Search(lambda rows: rows.filter(name__icontains=words), SEARCHED)


class TimelineForm(forms.Form):
    """What of a person's timeline is shown, and from where on."""

    SHOWN = [("", _("Everything")), (CALLS, _("Calls")), (TEXTS, _("Texts"))]

    show = forms.ChoiceField(choices=SHOWN, required=False)
    before = forms.UUIDField(required=False)
