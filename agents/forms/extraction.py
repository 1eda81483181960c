"""The rows and the raw text in which a person says what to pull out of each call."""

import json

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from agents.extraction import (
    MAX_NAME_CHARACTERS,
    MAX_SCHEMA_CHARACTERS,
    Row,
    check_schema,
    rows_of,
    schema_of,
)

MAX_ROWS = 20
BLANK_ROWS = 3
ROWS, RAW = "rows", "raw"
MODES = [(ROWS, _("The rows")), (RAW, _("The JSON Schema"))]
KINDS = [
    ("string", _("Text")),
    ("number", _("Number")),
    ("boolean", _("Yes or no")),
    ("choice", _("One of a list")),
]
check_name = RegexValidator(
    r"^[A-Za-z_][A-Za-z0-9_]*\Z",
    _("Letters, digits and underscores, such as due_date."),
)


def _labelled(widget_class, label):
    """A widget in a table: its column's head is no label that it can be tied to."""
    return widget_class(attrs={"aria-label": label})


class RowForm(forms.Form):
    """One field. A row without a name is left out."""

    name = forms.CharField(
        max_length=MAX_NAME_CHARACTERS,
        required=False,
        validators=[check_name],
        widget=_labelled(forms.TextInput, _("Name")),
    )
    kind = forms.ChoiceField(
        choices=KINDS, initial="string", widget=_labelled(forms.Select, _("Type"))
    )
    description = forms.CharField(
        max_length=200,
        required=False,
        widget=_labelled(forms.TextInput, _("What it is")),
    )
    choices = forms.CharField(
        max_length=500,
        required=False,
        widget=_labelled(forms.TextInput, _("Choices, separated by commas")),
    )
    required = forms.BooleanField(
        required=False, widget=_labelled(forms.CheckboxInput, _("Required"))
    )

    def clean_choices(self):
        choices = (text.strip() for text in self.cleaned_data["choices"].split(","))
        return tuple(dict.fromkeys(text for text in choices if text))

    def clean(self):
        given = super().clean()
        if not given.get("name"):
            if given.get("description") or given.get("choices"):
                self.add_error("name", _("Give the field a name."))
        elif given.get("kind") == "choice" and not given.get("choices"):
            self.add_error("choices", _("Name the choices, separated by commas."))
        return given

    @property
    def row(self):
        """What it says; None for an empty one."""
        given = self.cleaned_data
        if not given.get("name"):
            return None
        choices = given["choices"] if given["kind"] == "choice" else ()
        return Row(**{**given, "choices": choices})


class BaseRows(forms.BaseFormSet):
    def clean(self):
        names = [row.name for row in self.rows] if not any(self.errors) else []
        if len(set(names)) < len(names):
            raise ValidationError(_("Two fields have the same name."))

    @property
    def rows(self):
        return [row for form in self.forms if (row := form.row)]


RowFormSet = forms.formset_factory(
    RowForm,
    formset=BaseRows,
    extra=BLANK_ROWS,
    max_num=MAX_ROWS,
    absolute_max=MAX_ROWS + BLANK_ROWS,
)


class ExtractionForm(forms.Form):
    """`schema` is what was asked for, once `is_valid()`.

    A schema that says more than rows can is shown as text alone.
    """

    mode = forms.ChoiceField(
        label=_("What counts when you save"), choices=MODES, widget=forms.RadioSelect
    )
    raw = forms.CharField(
        label=_("JSON Schema"),
        required=False,
        max_length=2 * MAX_SCHEMA_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
        help_text=_("An object with properties. Empty for nothing."),
    )

    def __init__(self, data, schema):
        rows = rows_of(schema)
        initial = {
            "mode": RAW if rows is None else ROWS,
            "raw": json.dumps(schema, indent=2, ensure_ascii=False) if schema else "",
        }
        super().__init__(data, initial=initial, prefix="extraction")
        self.can_be_rows = rows is not None
        given = [{**vars(row), "choices": ", ".join(row.choices)} for row in rows or []]
        self.rows = RowFormSet(data, initial=given, prefix="extraction-rows")

    @property
    def is_raw(self):
        return self["mode"].value() == RAW

    def clean_raw(self):
        raw = self.cleaned_data["raw"].strip()
        if self.data.get(self.add_prefix("mode")) != RAW or not raw:
            return {}
        try:
            schema = json.loads(raw)
        except (ValueError, RecursionError):
            raise ValidationError(_("This is no valid JSON.")) from None
        check_schema(schema)
        return schema

    def clean(self):
        given = super().clean()
        if given.get("mode") == ROWS:
            if not self.rows.is_valid():
                raise ValidationError(_("Look at the rows below."))
            given["raw"] = schema_of(self.rows.rows)
            check_schema(given["raw"])
        return given

    @property
    def schema(self):
        return self.cleaned_data["raw"]
