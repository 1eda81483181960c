from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from agents.forms.fields import VARIABLE, variable_field
from agents.limits import MAX_VARIABLES
from agents.models import VoiceAgent
from agents.prompts import FILLED_IN_BY_CALLS, PLACEHOLDER, placeholders
from agents.services import InstructionsMissing


class AgentForm(OwnedForm):
    """What the forms of all agents share: what they say, and the placeholders.

    Every placeholder in those texts has an input for its value; values of placeholders
    that are gone keep theirs until they are emptied.
    """

    FIXED_TEXT = ""  # the field of what it says word for word

    class Meta:
        fields = ["name", "phone", "prompt", "prompt_version", "instructions"]
        widgets = {
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
        texts = (self._fixed_text(), self._instructions())
        names = placeholders("\n".join(text or "" for text in texts))
        return [name for name in names if name not in FILLED_IN_BY_CALLS]

    def _fixed_text(self):
        if self.FIXED_TEXT in self.fields:
            return self[self.FIXED_TEXT].value()
        return getattr(self.instance, self.FIXED_TEXT)

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
        """The placeholders without a value: nothing is said in their place."""
        return [
            name
            for name in self._names_in_texts()
            if not (VARIABLE + name in self.fields and self[VARIABLE + name].value())
        ]

    def clean(self):
        cleaned = super().clean()
        sources = {"prompt", "instructions"}
        if not (sources & self.errors.keys() or any(map(cleaned.get, sources))):
            self.add_error("instructions", str(InstructionsMissing()))
        self.instance.variables = {
            name.removeprefix(VARIABLE): value
            for name, value in cleaned.items()
            if name.startswith(VARIABLE) and value
        }
        return cleaned


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
