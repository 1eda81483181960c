import json

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from agents.forms.agents import AgentForm
from agents.forms.fields import LinesField
from agents.forms.hours import HoursForm
from agents.forms.tool_choice import ToolChoiceForm
from agents.models import MessageAgent
from agents.segments import MAX_TEXT_CHARACTERS
from agents.texting import SENDERS, Text, Use

# A conversation to try things out is carried by its page: only its end is kept.
MAX_TEXTS = 100
MAX_CONVERSATION_CHARACTERS = 100_000


class BasicMessageAgentForm(AgentForm):
    FIXED_TEXT = "away_message"

    class Meta(AgentForm.Meta):
        model = MessageAgent


class NewMessageAgentForm(BasicMessageAgentForm):
    """The few things that an agent needs; all others are the starter's or defaults."""

    start = forms.CharField(
        required=False, max_length=20, empty_value="", widget=forms.HiddenInput
    )

    def __init__(self, data=None, *, starter, owner, **kwargs):
        agent = MessageAgent(name=starter.title, **starter.fields)
        if agent.business_hours:
            zone = {"timezone": owner.timezone}
            agent.business_hours = zone | agent.business_hours
        super().__init__(
            data, instance=agent, initial={"start": starter.key}, owner=owner, **kwargs
        )


class MessageAgentForm(BasicMessageAgentForm, ToolChoiceForm):
    handoff_phrases = LinesField(
        label=_("Phrases that ask for a person"),
        required=False,
        help_text=_(
            "One a line. When either side writes one of these, a person takes over."
        ),
    )

    class Meta(BasicMessageAgentForm.Meta):
        fields = [
            *BasicMessageAgentForm.Meta.fields,
            "knows_contact",
            "model",
            "temperature",
            "max_tokens",
            "history_limit",
            "reply_delay_s",
            "handoff_phrases",
            "away_message",
        ]
        widgets = {
            **BasicMessageAgentForm.Meta.widgets,
            "away_message": forms.Textarea(attrs={"rows": 2}),
            "temperature": forms.NumberInput(attrs={"min": 0, "max": 2, "step": 0.1}),
            "max_tokens": forms.NumberInput(attrs={"min": 16, "max": 4000}),
            "history_limit": forms.NumberInput(attrs={"min": 1, "max": 200}),
            "reply_delay_s": forms.NumberInput(attrs={"min": 0, "max": 60}),
        }

    def __init__(self, data=None, *, owner, **kwargs):
        super().__init__(data, owner=owner, **kwargs)
        self.hours = HoursForm(
            data,
            business_hours=self.instance.business_hours,
            timezone=owner.timezone,
        )

    def clean(self):
        cleaned = super().clean()
        if self.hours.is_valid():
            self.instance.business_hours = self.hours.business_hours
        else:
            self.add_error(None, _("The business hours are not right yet: see below."))
        return cleaned


class TextsField(forms.Field):
    """Texts as JSON, in a hidden input: `[["texter", "Hello"], ["agent", "Hi"]]`, and
    between them the tools that were used: `["tool", name, arguments, status, text]`.
    """

    widget = forms.HiddenInput

    def prepare_value(self, value):
        if isinstance(value, str):
            return value
        return json.dumps([_as_list(entry) for entry in value or []])

    def clean(self, value):
        try:
            return [_entry(*parts) for parts in json.loads(value or "[]")]
        except (ValueError, TypeError, RecursionError) as error:
            raise ValidationError(_("This conversation cannot be read.")) from error


def _as_list(entry):
    if isinstance(entry, Text):
        return [entry.sender, entry.body]
    return ["tool", entry.name, entry.arguments, entry.status, entry.text]


def _entry(sender, *parts):
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("not a text")
    "".join(parts).encode()  # half a surrogate pair could not be shown
    if sender == "tool":
        return Use(*parts)
    if sender not in SENDERS:
        raise ValueError("nobody's text")
    return Text(sender, *parts)


class ConversationForm(forms.Form):
    """What is written to an agent to try it out, and all that was written before."""

    body = forms.CharField(
        label=_("Write as the texter"),
        max_length=MAX_TEXT_CHARACTERS,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    texts = TextsField(required=False)
    pretend_open = forms.BooleanField(
        label=_("Pretend that it is open"),
        required=False,
        help_text=_("The agent then answers whatever its business hours say."),
    )

    @property
    def told(self):
        """The texts up to now, this one included; the oldest are forgotten."""
        written = Text("texter", self.cleaned_data["body"])
        return latest([*self.cleaned_data["texts"], written])


def latest(entries):
    """The end of the conversation that a page can carry."""
    kept, characters = [], 0
    for entry in reversed(entries[-MAX_TEXTS:]):
        characters += sum(map(len, _as_list(entry)))
        if kept and characters > MAX_CONVERSATION_CHARACTERS:
            break
        kept.append(entry)
    return kept[::-1]
