from django import forms
from django.utils.translation import gettext_lazy as _

from agents import handing_over
from agents.forms.agents import AgentForm
from agents.forms.extraction import ExtractionForm
from agents.forms.fields import LinesField, days_field, time_of_day
from agents.forms.tool_choice import ToolChoiceForm
from agents.limits import check_language
from agents.models import VoiceAgent


class BasicVoiceAgentForm(AgentForm):
    FIXED_TEXT = "greeting"

    class Meta(AgentForm.Meta):
        model = VoiceAgent
        fields = [*AgentForm.Meta.fields, "direction", "greeting"]
        widgets = {
            **AgentForm.Meta.widgets,
            "greeting": forms.Textarea(attrs={"rows": 2}),
        }


class NewVoiceAgentForm(BasicVoiceAgentForm):
    """The few things that an agent needs; all others are the starter's or defaults."""

    start = forms.CharField(
        required=False, max_length=20, empty_value="", widget=forms.HiddenInput
    )

    def __init__(self, data=None, *, starter, **kwargs):
        agent = VoiceAgent(name=starter.title, **starter.fields)
        super().__init__(data, instance=agent, initial={"start": starter.key}, **kwargs)


class VoiceAgentForm(BasicVoiceAgentForm, ToolChoiceForm):
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

    class Meta(BasicVoiceAgentForm.Meta):
        fields = [
            *BasicVoiceAgentForm.Meta.fields,
            "knows_contact",
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
            "greeting_interruptible",
            "dtmf_detection",
            "dtmf_length",
            "filler",
            "filler_after_ms",
            "silence_reminders",
            "silence_reminder_s",
            "silence_timeout_s",
            "max_duration_s",
            "time_warning_s",
            "end_call_phrases",
            "end_call_message",
            "transfer_number",
            "transfer_message",
            "transfer_whisper",
            "transfer_timeout_s",
            "recording_enabled",
            "recording_notice",
            "summary_enabled",
            "voicemail_detection",
            "voicemail_message",
            "screening_message",
            "window_start",
            "window_end",
            "window_days",
        ]
        widgets = {
            **BasicVoiceAgentForm.Meta.widgets,
            "voicemail_message": forms.Textarea(attrs={"rows": 2}),
            "screening_message": forms.Textarea(attrs={"rows": 2}),
            "window_start": time_of_day(),
            "window_end": time_of_day(),
            "temperature": forms.NumberInput(attrs={"min": 0, "max": 2, "step": 0.1}),
            "max_tokens": forms.NumberInput(attrs={"min": 16, "max": 4000}),
            "dtmf_length": forms.NumberInput(attrs={"min": 1, "max": 50}),
            "filler_after_ms": forms.NumberInput(attrs={"min": 0, "max": 7000}),
            "silence_reminders": forms.NumberInput(attrs={"min": 0, "max": 5}),
            "silence_reminder_s": forms.NumberInput(attrs={"min": 5, "max": 300}),
            "silence_timeout_s": forms.NumberInput(attrs={"min": 10, "max": 600}),
            "max_duration_s": forms.NumberInput(attrs={"min": 30, "max": 7200}),
            "transfer_number": forms.TextInput(
                attrs={"type": "tel", "autocomplete": "off"}
            ),
            "transfer_timeout_s": forms.NumberInput(attrs={"min": 5, "max": 120}),
            "time_warning_s": forms.NumberInput(attrs={"min": 0, "max": 300}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        is_asked = self.is_bound and "extraction-mode" in self.data
        self.extraction = ExtractionForm(
            self.data if is_asked else None, self.instance.extraction_schema
        )

    def clean_transfer_number(self):
        return handing_over.checked(self.owner, self.cleaned_data["transfer_number"])

    @property
    def has_errors_in_pauses(self):
        """Whether what is folded away on the page has to be looked at."""
        folded = {"silence_reminders", "silence_reminder_s", "time_warning_s"}
        return bool(self.errors.keys() & (folded | {"filler", "filler_after_ms"}))

    def clean(self):
        cleaned = super().clean()
        if self.extraction.is_bound:
            if self.extraction.is_valid():
                self.instance.extraction_schema = self.extraction.schema
            else:
                self.add_error(None, _("Look at what to pull out of each call."))
        return cleaned
