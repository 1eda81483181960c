from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from agents.forms.extraction import ExtractionForm
from agents.forms.fields import (
    VARIABLE,
    LinesField,
    days_field,
    time_of_day,
    variable_field,
)
from agents.limits import MAX_VARIABLES, check_language
from agents.models import VoiceAgent
from agents.prompts import FILLED_IN_BY_CALLS, PLACEHOLDER, placeholders


class AgentForm(OwnedForm):
    """What both forms of a voice agent share: what it says, and the placeholders.

    Every placeholder in those texts has an input for its value; values of placeholders
    that are gone keep theirs until they are emptied.
    """

    class Meta:
        model = VoiceAgent
        fields = [
            "name",
            "phone",
            "direction",
            "greeting",
            "prompt",
            "prompt_version",
            "instructions",
        ]
        widgets = {
            "greeting": forms.Textarea(attrs={"rows": 2}),
            "instructions": forms.Textarea(attrs={"rows": 10, "spellcheck": "true"}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["phone"].empty_label = _("No number yet")
        self.fields["prompt"].empty_label = _("No prompt: the instructions below")
        prompt = self._chosen_prompt
        if prompt:  # else the own instructions want the space
            self.fields["instructions"].widget.attrs["rows"] = 3
        self._offer_versions(prompt)
        values = self.instance.variables
        names = dict.fromkeys([*self._names_in_texts(), *self._names_given()])
        for name in list(names)[:MAX_VARIABLES]:
            self.fields[VARIABLE + name] = variable_field(name, values.get(name, ""))

    def _names_in_texts(self):
        texts = (self["greeting"].value(), self._instructions())
        names = placeholders("\n".join(text or "" for text in texts))
        return [name for name in names if name not in FILLED_IN_BY_CALLS]

    def _offer_versions(self, prompt):
        field = self.fields["prompt_version"]
        field.queryset = field.queryset.filter(prompt=prompt).order_by("-number")
        field.empty_label = _("The newest: it changes with the prompt")
        field.label_from_instance = self._version_label

    def _version_label(self, version):
        words = _("Version %(number)d, whatever becomes of the prompt")
        return words % {"number": version.number}

    def _instructions(self):
        chosen = self._chosen("prompt_version") or self._chosen_prompt
        return chosen.text if chosen else self["instructions"].value()

    @cached_property
    def _chosen_prompt(self):
        return self._chosen("prompt")

    def _chosen(self, name):
        try:
            return self.fields[name].clean(self[name].value())
        except ValidationError:
            return None

    @property
    def has_prompt(self):
        return self._chosen_prompt is not None

    def _names_given(self):
        if not self.is_bound:
            return list(self.instance.variables)
        posted = [key for key in self.data if key.startswith(VARIABLE)]
        names = [key.removeprefix(VARIABLE) for key in posted if self.data[key]]
        return [name for name in names if PLACEHOLDER.fullmatch(f"{{{{{name}}}}}")]

    @property
    def variable_fields(self):
        return [self[name] for name in self.fields if name.startswith(VARIABLE)]

    @cached_property
    def missing(self):
        """The placeholders without a value: a caller hears nothing in their place."""
        return [
            name
            for name in self._names_in_texts()
            if not (VARIABLE + name in self.fields and self[VARIABLE + name].value())
        ]

    def clean(self):
        cleaned = super().clean()
        sources = {"prompt", "instructions"}
        if not (sources & self.errors.keys() or any(map(cleaned.get, sources))):
            self.add_error("instructions", _("Choose a prompt or write instructions."))
        self.instance.variables = {
            name.removeprefix(VARIABLE): value
            for name, value in cleaned.items()
            if name.startswith(VARIABLE) and value
        }
        return cleaned


class NewVoiceAgentForm(AgentForm):
    """The few things that an agent needs; all others are the starter's or defaults."""

    start = forms.CharField(
        required=False, max_length=20, empty_value="", widget=forms.HiddenInput
    )

    def __init__(self, data=None, *, starter, **kwargs):
        agent = VoiceAgent(name=starter.title, **starter.fields)
        super().__init__(data, instance=agent, initial={"start": starter.key}, **kwargs)


class AgentFilterForm(forms.Form):
    """What the list of agents can be narrowed to; every filter is a query parameter."""

    STATES = [("active", _("Active")), ("inactive", _("Inactive"))]

    q = forms.CharField(max_length=100, required=False)
    status = forms.ChoiceField(
        label=_("Status"), choices=[("", _("Any status")), *STATES], required=False
    )
    phone = forms.ModelChoiceField(
        label=_("Phone number"),
        queryset=VoiceAgent._meta.get_field("phone").related_model.objects.all(),
        empty_label=_("Any number"),
        required=False,
    )

    def __init__(self, data, *, owner):
        super().__init__(data, auto_id="filter-%s", use_required_attribute=False)
        field = self.fields["phone"]
        field.queryset = field.queryset.for_owner(owner).order_by("number")

    def apply(self, agents):
        wanted = self.cleaned_data
        if wanted["q"]:
            agents = agents.filter(name__icontains=wanted["q"])
        if wanted["status"]:
            agents = agents.filter(is_active=wanted["status"] == "active")
        if wanted["phone"]:
            agents = agents.filter(phone=wanted["phone"])
        return agents

    def query(self, **more):
        """The shortest query string for these filters, and `more`."""
        given = [(name, self[name].data) for name in self.fields]
        kept = [(name, value) for name, value in given if value]
        return urlencode([*kept, *more.items()])


class VoiceAgentForm(AgentForm):
    LANGUAGES = [  # suggestions, no limit
        *["da-DK", "de-DE", "en-AU", "en-GB", "en-IN", "en-US", "es-ES", "es-MX"],
        *["fi-FI", "fr-CA", "fr-FR", "hi-IN", "it-IT", "ja-JP", "ko-KR", "nb-NO"],
        *["nl-NL", "pl-PL", "pt-BR", "pt-PT", "sv-SE", "tr-TR", "uk-UA", "zh-CN"],
    ]

    language = forms.CharField(
        label=_("Language"),
        max_length=20,
        validators=[check_language],
        widget=forms.TextInput(attrs={"list": "languages"}),
        help_text=_("What is spoken and understood: a BCP 47 tag such as en-US."),
    )
    end_call_phrases = LinesField(
        label=_("End-call phrases"),
        required=False,
        help_text=_("One a line. When the agent says one of these, it hangs up."),
    )
    window_days = days_field(
        label=_("Calls on"),
        required=False,
        help_text=_("None chosen: the days of the workspace's calling rules."),
    )

    class Meta(AgentForm.Meta):
        fields = [
            *AgentForm.Meta.fields,
            "greeting_mode",
            "model",
            "temperature",
            "max_tokens",
            "language",
            "tts_provider",
            "voice",
            "transcription_provider",
            "hints",
            "transport",
            "interruptible",
            "interrupt_sensitivity",
            "dtmf_detection",
            "silence_timeout_s",
            "max_duration_s",
            "end_call_phrases",
            "end_call_message",
            "summary_enabled",
            "window_start",
            "window_end",
            "window_days",
        ]
        widgets = {
            **AgentForm.Meta.widgets,
            "window_start": time_of_day(),
            "window_end": time_of_day(),
            "temperature": forms.NumberInput(attrs={"min": 0, "max": 2, "step": 0.1}),
            "max_tokens": forms.NumberInput(attrs={"min": 16, "max": 4000}),
            "silence_timeout_s": forms.NumberInput(attrs={"min": 10, "max": 600}),
            "max_duration_s": forms.NumberInput(attrs={"min": 30, "max": 7200}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        is_asked = self.is_bound and "extraction-mode" in self.data
        self.extraction = ExtractionForm(
            self.data if is_asked else None, self.instance.extraction_schema
        )

    def clean(self):
        cleaned = super().clean()
        if self.extraction.is_bound:
            if self.extraction.is_valid():
                self.instance.extraction_schema = self.extraction.schema
            else:
                self.add_error(None, _("Look at what to pull out of each call."))
        return cleaned
