from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from agents.models import Prompt, PromptVersion, VoiceAgent
from agents.prompts import FILLED_IN_BY_CALLS, PLACEHOLDER, placeholders

BCP_47 = RegexValidator(
    r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", _("A language tag such as en-US or de-DE.")
)
MAX_PHRASES = 20
MAX_PHRASE_CHARACTERS = 100
MAX_VARIABLES = 50
MAX_VALUE_CHARACTERS = 2000
VARIABLE = "variable."  # what the inputs of placeholders' values begin with


class PromptForm(OwnedForm):
    note = PromptVersion._meta.get_field("note").formfield(
        help_text=_("What changed and why: it is shown beside this version.")
    )
    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Prompt
        fields = ["name", "text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 18, "spellcheck": "true"})}
        help_texts = {
            "text": _(
                "A gap such as {{ company }} is a placeholder: each agent that uses "
                "the prompt gives it a value of its own."
            )
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["based_on"] = self.instance.version

    @property
    def placeholders(self):
        return placeholders(self["text"].value() or "")

    def see_version(self, number):
        """Its author was told of version `number`: saving again replaces that one."""
        self.data = {**self.data.dict(), "based_on": number}


class LinesField(forms.CharField):
    """A list of texts, written one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value):
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value):
        lines = (line.strip() for line in super().clean(value).splitlines())
        phrases = list(dict.fromkeys(line for line in lines if line))
        if len(phrases) > MAX_PHRASES:
            raise ValidationError(
                _("At most %(count)d lines."), params={"count": MAX_PHRASES}
            )
        if any(len(phrase) > MAX_PHRASE_CHARACTERS for phrase in phrases):
            raise ValidationError(
                _("A line can have at most %(count)d characters."),
                params={"count": MAX_PHRASE_CHARACTERS},
            )
        return phrases


def variable_field(name, value):
    """The input for a placeholder's value.

    It stays as it is while its neighbours come and go, for somebody may be typing in
    it. htmx looks it up with a selector, where a dot would begin a class.
    """
    attrs = {"id": "variable-" + name.replace(".", "-"), "hx-preserve": "true"}
    return forms.CharField(
        label=name,
        required=False,
        max_length=MAX_VALUE_CHARACTERS,
        initial=value,
        widget=forms.TextInput(attrs=attrs),
    )


class AgentForm(OwnedForm):
    """What both forms of a voice agent share: what it says, and the placeholders.

    Every placeholder in those texts has an input for its value; values of placeholders
    that are gone keep theirs until they are emptied.
    """

    class Meta:
        model = VoiceAgent
        fields = ["name", "phone", "direction", "greeting", "prompt", "instructions"]
        widgets = {
            "greeting": forms.Textarea(attrs={"rows": 2}),
            "instructions": forms.Textarea(attrs={"rows": 10, "spellcheck": "true"}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["phone"].empty_label = _("No number yet")
        self.fields["prompt"].empty_label = _("No prompt: the instructions below")
        if self["prompt"].value():  # else the own instructions want the space
            self.fields["instructions"].widget.attrs["rows"] = 3
        values = self.instance.variables
        names = dict.fromkeys([*self._names_in_texts(), *self._names_given()])
        for name in list(names)[:MAX_VARIABLES]:
            self.fields[VARIABLE + name] = variable_field(name, values.get(name, ""))

    def _names_in_texts(self):
        texts = (self["greeting"].value(), self._instructions())
        names = placeholders("\n".join(text or "" for text in texts))
        return [name for name in names if name not in FILLED_IN_BY_CALLS]

    def _instructions(self):
        prompt = self._chosen_prompt()
        return prompt.text if prompt else self["instructions"].value()

    def _chosen_prompt(self):
        try:
            return self.fields["prompt"].clean(self["prompt"].value())
        except ValidationError:
            return None

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
    """The few things that an agent needs; all others have defaults."""

    END_CALL_PHRASES = ["goodbye"]

    def clean(self):
        self.instance.end_call_phrases = self.END_CALL_PHRASES
        return super().clean()


class VoiceAgentForm(AgentForm):
    LANGUAGES = [  # suggestions, no limit
        *["da-DK", "de-DE", "en-AU", "en-GB", "en-IN", "en-US", "es-ES", "es-MX"],
        *["fi-FI", "fr-CA", "fr-FR", "hi-IN", "it-IT", "ja-JP", "ko-KR", "nb-NO"],
        *["nl-NL", "pl-PL", "pt-BR", "pt-PT", "sv-SE", "tr-TR", "uk-UA", "zh-CN"],
    ]

    language = forms.CharField(
        label=_("Language"),
        max_length=20,
        validators=[BCP_47],
        widget=forms.TextInput(attrs={"list": "languages"}),
        help_text=_("What is spoken and understood: a BCP 47 tag such as en-US."),
    )
    end_call_phrases = LinesField(
        label=_("End-call phrases"),
        required=False,
        help_text=_("One a line. When the agent says one of these, it hangs up."),
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
        ]
        widgets = {
            **AgentForm.Meta.widgets,
            "temperature": forms.NumberInput(attrs={"min": 0, "max": 2, "step": 0.1}),
            "max_tokens": forms.NumberInput(attrs={"min": 16, "max": 4000}),
            "silence_timeout_s": forms.NumberInput(attrs={"min": 10, "max": 600}),
            "max_duration_s": forms.NumberInput(attrs={"min": 30, "max": 7200}),
        }
