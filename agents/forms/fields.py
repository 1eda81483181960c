"""Inputs that several forms have."""

from django import forms

from agents.limits import DAY_NAMES, MAX_VALUE_CHARACTERS

VARIABLE = "variable."  # what the inputs of placeholders' values begin with


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


class LinesField(forms.CharField):
    """A list of texts, written one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value):
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value):
        lines = (line.strip() for line in super().clean(value).splitlines())
        return list(dict.fromkeys(line for line in lines if line))


def days_field(**options):
    """Days of the week to choose among, as a list."""
    return forms.MultipleChoiceField(
        choices=list(DAY_NAMES.items()),
        widget=forms.CheckboxSelectMultiple,
        **options,
    )


def time_of_day():
    """The widget of a time without a date."""
    return forms.TimeInput(format="%H:%M", attrs={"type": "time"})
