from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from agents.forms.fields import VARIABLE, variable_field
from agents.limits import MAX_VALUE_CHARACTERS, MAX_VARIABLES
from agents.models import Prompt, PromptVersion
from agents.prompts import MAX_PROMPT_CHARACTERS, parts, placeholders, render


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
    def text(self):
        """The text as it stands in the form."""
        return self["text"].value() or ""

    def see_version(self, number):
        """Its author was told of version `number`: saving again replaces that one."""
        self.data = {**self.data.dict(), "based_on": number}


class PromptPreview(forms.Form):
    """A prompt's text as a call would have it, with values to try.

    `given` are values by placeholder, `by_calls` what stands for that which every call
    fills in by itself. Nothing of it is stored.
    """

    def __init__(self, text, *, given, by_calls):
        super().__init__()
        self.text = text[:MAX_PROMPT_CHARACTERS]
        self.by_calls = by_calls
        self.placeholders = placeholders(self.text)
        own = [name for name in self.placeholders if name not in by_calls]
        for name in own[:MAX_VARIABLES]:
            value = given.get(name, "")[:MAX_VALUE_CHARACTERS]
            self.fields[VARIABLE + name] = variable_field(name, value)
        self.values = {
            name.removeprefix(VARIABLE): field.initial
            for name, field in self.fields.items()
            if field.initial
        }

    @classmethod
    def posted(cls, data, by_calls):
        """The preview that a form with text and values asks for."""
        given = {
            name.removeprefix(VARIABLE): value
            for name, value in data.items()
            if name.startswith(VARIABLE)
        }
        return cls(data.get("text", ""), given=given, by_calls=by_calls)

    @property
    def parts(self):
        return list(parts(self.text, self.by_calls | self.values))

    @property
    def missing(self):
        return render(self.text, self.by_calls | self.values)[1]

    @property
    def filled_in_by_calls(self):
        return [name for name in self.placeholders if name in self.by_calls]


class RestoreForm(forms.Form):
    """`based_on` is the newest version that its author saw."""

    based_on = forms.IntegerField(min_value=1)


class CompareForm(forms.Form):
    """Two versions of a prompt; without a choice, the newest and the one before it."""

    PARAMETERS = {"old": "from", "new": "to"}

    old = forms.ModelChoiceField(
        label=_("From"), queryset=None, to_field_name="number", empty_label=None
    )
    new = forms.ModelChoiceField(
        label=_("To"), queryset=None, to_field_name="number", empty_label=None
    )

    def __init__(self, data, *, versions):
        newest = list(versions.values_list("number", flat=True)[:2]) or [1]
        usual = {"from": newest[-1], "to": newest[0]}
        super().__init__({**usual, **data.dict()}, use_required_attribute=False)
        for field in self.fields.values():
            field.queryset = versions
            field.label_from_instance = self._label

    def add_prefix(self, field_name):
        return self.PARAMETERS.get(field_name, field_name)

    def _label(self, version):
        words = _("Version %(number)d") % {"number": version.number}
        return f"{words}: {version.note}" if version.note else words
