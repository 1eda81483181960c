import json

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from agents.models import Tool
from agents.tools.http import MAX_HEADER_CHARACTERS, MAX_HEADERS, check_headers
from agents.tools.schema import (
    MAX_ARGUMENT_CHARACTERS,
    MAX_PARAMETERS,
    PARAMETER_NAME,
    check_parameters,
)

EMPTY_ROWS = 2
TYPES = [
    ("string", _("Text")),
    ("integer", _("Whole number")),
    ("number", _("Number")),
    ("boolean", _("Yes or no")),
]
TYPE_NAMES = {name for name, _label in TYPES}


def _labelled(widget_class, label, **attrs):
    """A widget in a table: its column's head is no label that it can be tied to."""
    return widget_class(attrs={"aria-label": label, **attrs})


class ParameterForm(forms.Form):
    """One parameter in plain words; without a name it is none."""

    name = forms.RegexField(
        PARAMETER_NAME,
        required=False,
        max_length=64,
        widget=_labelled(forms.TextInput, _("Name"), spellcheck="false"),
        error_messages={"invalid": _("Letters, digits, underscores; a letter first.")},
    )
    type = forms.ChoiceField(
        choices=TYPES, required=False, widget=_labelled(forms.Select, _("Type"))
    )
    description = forms.CharField(
        required=False,
        max_length=500,
        widget=_labelled(forms.TextInput, _("What it is")),
    )
    is_required = forms.BooleanField(
        required=False, widget=_labelled(forms.CheckboxInput, _("Required"))
    )


class HeaderForm(forms.Form):
    name = forms.CharField(
        required=False,
        max_length=100,
        widget=_labelled(forms.TextInput, _("Name"), spellcheck="false"),
    )
    value = forms.CharField(
        required=False,
        max_length=MAX_HEADER_CHARACTERS,
        widget=_labelled(
            forms.TextInput, _("Value"), autocomplete="off", spellcheck="false"
        ),
    )
    is_secret = forms.BooleanField(
        required=False, widget=_labelled(forms.CheckboxInput, _("Secret"))
    )


class SecretForm(forms.Form):
    """A secret header that is set: its value can be replaced, or it goes."""

    value = forms.CharField(
        required=False,
        max_length=MAX_HEADER_CHARACTERS,
        widget=_labelled(
            forms.PasswordInput,
            _("New value"),
            autocomplete="new-password",
            placeholder=_("Set. Write here to replace it"),
        ),
    )
    is_removed = forms.BooleanField(label=_("Remove"), required=False)


class RowSet(forms.BaseFormSet):
    def get_form_kwargs(self, index):
        return {"use_required_attribute": False}


def rows_of(form, most):
    """A set of forms, a few more than are filled in."""
    return forms.formset_factory(
        form,
        RowSet,
        extra=EMPTY_ROWS,
        max_num=most,
        absolute_max=most,
        validate_max=True,
    )


ParameterRows = rows_of(ParameterForm, MAX_PARAMETERS)
HeaderRows = rows_of(HeaderForm, MAX_HEADERS)


class ToolForm(OwnedForm):
    """A tool on its page: parameters and headers are rows; JSON for who wants it.

    `add` in what is posted asks for more rows instead of saving.
    """

    ROWS, SCHEMA = "rows", "schema"
    WAYS = [
        (ROWS, _("As a list")),
        (SCHEMA, _("As JSON Schema: lists, choices and nested values too")),
    ]

    described_as = forms.ChoiceField(
        label=_("Describe parameters"), choices=WAYS, widget=forms.RadioSelect
    )
    schema = forms.CharField(
        label=_("JSON Schema"),
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 12, "spellcheck": "false", "class": "font-mono"}
        ),
    )

    class Meta:
        model = Tool
        fields = ["name", "description", "method", "url", "timeout_s", "meanwhile"]
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2}),
            "url": forms.TextInput(
                attrs={"inputmode": "url", "spellcheck": "false", "autocomplete": "off"}
            ),
            "name": forms.TextInput(
                attrs={"spellcheck": "false", "autocomplete": "off"}
            ),
            "timeout_s": forms.NumberInput(attrs={"min": 1, "max": 20}),
        }

    def __init__(self, data=None, **kwargs):
        super().__init__(data, **kwargs)
        stored = self.instance
        plain = parameter_rows(stored.parameters)
        self.initial |= {
            "described_as": self.SCHEMA if plain is None else self.ROWS,
            "schema": json.dumps(stored.parameters, indent=2, ensure_ascii=False),
        }
        headers = [{"name": n, "value": v} for n, v in stored.headers.items()]
        self.parameter_rows = ParameterRows(
            data, initial=plain or [], prefix="parameter"
        )
        self.header_rows = HeaderRows(data, initial=headers, prefix="header")
        self.secret_rows = [
            (name, SecretForm(data, prefix=f"secret-{index}"))
            for index, name in enumerate(stored.secret_headers)
        ]
        self.entered = {}

    @property
    def wants_rows(self):
        """Which rows somebody wants more of instead of saving, if any."""
        return self.data.get("add", "") if self.is_bound else ""

    def add_rows(self):
        """The same form, unsaved and unchecked, with more empty rows."""
        data = self.data.copy()
        name = f"{data['add']}-TOTAL_FORMS"
        count = data.get(name, "")
        if count.isdigit() and len(count) < 4:
            data[name] = str(min(int(count) + EMPTY_ROWS, MAX_PARAMETERS))
        return type(self)(data, instance=self.instance, owner=self.owner)

    def clean(self):
        cleaned = super().clean()
        try:
            self.instance.parameters = self._parameters()
        except ValidationError as error:
            self.add_error("schema", error)
        try:
            self._read_headers()
        except ValidationError as error:
            self.add_error(None, error)
        return cleaned

    def _parameters(self):
        if self.cleaned_data.get("described_as") == self.SCHEMA:
            try:
                schema = json.loads(self.cleaned_data.get("schema") or "{}")
            except (ValueError, RecursionError) as error:
                raise ValidationError(
                    _("This is not JSON: %(why)s"), params={"why": str(error)}
                ) from None
        else:
            schema = schema_of(self._filled(self.parameter_rows))
        check_parameters(schema)
        return schema

    def _read_headers(self):
        rows = self._filled(self.header_rows)
        self.entered = {row["name"]: row["value"] for row in rows if row["is_secret"]}
        for name, form in self.secret_rows:
            if form.is_valid() and form.cleaned_data["is_removed"]:
                self.entered[name] = None
            elif form.is_valid() and form.cleaned_data["value"]:
                self.entered[name] = form.cleaned_data["value"]
        plain = [row for row in rows if not row["is_secret"]]
        headers = {row["name"]: row["value"] for row in plain}
        if len(headers) < len(plain):
            raise ValidationError(_("A header is given twice."))
        check_headers(headers)
        self.instance.headers = headers
        self.instance.enter_secrets(self.entered)

    def _filled(self, rows):
        """The rows with a name."""
        if not rows.is_valid():
            raise ValidationError(_("Look at the rows below: some cannot be saved."))
        return [row for row in rows.cleaned_data if row.get("name")]

    def add_error(self, field, error):
        """What the model says of fields that the form has no input for is for all."""
        if field is None and hasattr(error, "error_dict"):
            known = {n: e for n, e in error.error_dict.items() if n in self.fields}
            rest = [e for n, e in error.error_dict.items() if n not in self.fields]
            if known:
                super().add_error(None, ValidationError(known))
            for errors in rest:
                super().add_error(None, errors)
            return
        super().add_error(field, error)


def parameter_rows(schema):
    """The parameters as rows; None if rows cannot say all that the schema says."""
    required = schema.get("required", [])
    rows = [
        {
            "name": name,
            "type": str(described.get("type")),
            "description": described.get("description", ""),
            "is_required": name in required,
        }
        for name, described in schema.get("properties", {}).items()
    ]
    is_plain = all(row["type"] in TYPE_NAMES for row in rows)
    return rows if is_plain and schema_of(rows) == _ordered(schema) else None


def _ordered(schema):
    return {"additionalProperties": False, "required": [], "properties": {}} | schema


def schema_of(rows):
    """The JSON Schema of parameters that are described in rows."""
    properties = {
        row["name"]: {"type": row["type"] or "string"}
        | ({"description": row["description"]} if row["description"] else {})
        for row in rows
    }
    if len(properties) < len(rows):
        raise ValidationError(_("A parameter is described twice."))
    return {
        "type": "object",
        "properties": properties,
        "required": [row["name"] for row in rows if row["is_required"]],
        "additionalProperties": False,
    }


class JSONInput(forms.JSONField):
    def prepare_value(self, value):
        return "" if value is None else super().prepare_value(value)


class ToolTestForm(forms.Form):
    """Arguments to try a tool with: an input for each of its parameters."""

    CHOICES = [("", "–"), ("true", _("Yes")), ("false", _("No"))]

    def __init__(self, tool, data=None):
        super().__init__(data, auto_id="test-%s", prefix="test")
        required = tool.parameters.get("required", [])
        for name, schema in tool.parameters.get("properties", {}).items():
            field = self._field(schema)
            field.label = name
            field.required = name in required
            field.help_text = escape(schema.get("description", ""))
            self.fields[name] = field

    def _field(self, schema):
        kind = schema.get("type")
        if kind == "integer":
            return forms.IntegerField()
        if kind == "number":
            return forms.FloatField()
        if kind == "boolean":
            return forms.TypedChoiceField(
                choices=self.CHOICES, coerce=lambda value: value == "true"
            )
        if kind != "string":
            return JSONInput(widget=forms.Textarea(attrs={"rows": 3}))
        texts = [text for text in schema.get("enum", []) if isinstance(text, str)]
        if texts:
            return forms.ChoiceField(
                choices=[("", "–"), *zip(texts, texts, strict=True)]
            )
        return forms.CharField(max_length=MAX_ARGUMENT_CHARACTERS, strip=False)

    @property
    def arguments(self):
        """What was filled in; an input that was left empty is no argument."""
        empty = (None, "")
        return {n: v for n, v in self.cleaned_data.items() if v not in empty}
