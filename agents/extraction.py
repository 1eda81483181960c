"""What is pulled out of each call: a bounded JSON Schema, and its simple rows.

A schema is a tenant's, and it is run on a worker that all tenants share: keywords that
fetch an address (`$ref`) or can take for ever (`pattern`) are not among those known.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

MAX_SCHEMA_CHARACTERS = 10_000
MAX_DEPTH = 6  # of schemas inside schemas
MAX_FIELDS = 50  # over all levels
MAX_NAME_CHARACTERS = 60
MAX_ERROR_CHARACTERS = 300

ANNOTATIONS = {"title", "description", "default", "examples", "format"}
LIMITS = {
    *("minLength", "maxLength", "minimum", "maximum", "multipleOf"),
    *("exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "uniqueItems"),
}
KEYWORDS = (
    ANNOTATIONS
    | LIMITS
    | {"type", "enum", "const", "properties", "required", "additionalProperties"}
    | {"items", "anyOf"}
)

Schema = dict[str, Any]


def check_schema(schema: Any) -> None:
    """Raise ValidationError unless this is a schema of an object that we can hold to.

    An empty one stands for none.
    """
    if schema == {}:
        return
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ValidationError(_('A JSON Schema whose "type" is "object".'))
    if len(json.dumps(schema)) > MAX_SCHEMA_CHARACTERS:
        raise ValidationError(
            _("The schema can have at most %(count)d characters."),
            params={"count": MAX_SCHEMA_CHARACTERS},
        )
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValidationError(
            _("No valid JSON Schema: %(why)s"), params={"why": _short(error.message)}
        ) from None
    names = _check_level(schema, depth=1)
    if not schema.get("properties"):
        raise ValidationError(_('The schema names nothing under "properties".'))
    if names > MAX_FIELDS:
        raise ValidationError(
            _("The schema can name at most %(count)d fields."),
            params={"count": MAX_FIELDS},
        )


def _check_level(schema: Schema | bool, depth: int) -> int:
    """How many fields are named here and below; refuses what is not known."""
    if isinstance(schema, bool):
        return 0
    if depth > MAX_DEPTH:
        raise ValidationError(
            _("The schema is nested more than %(count)d levels deep."),
            params={"count": MAX_DEPTH},
        )
    unknown = sorted(set(schema) - KEYWORDS)
    if unknown:
        raise ValidationError(
            _("Not supported in this schema: %(names)s"),
            params={"names": _short(", ".join(unknown))},
        )
    properties = schema.get("properties", {})
    if any(len(name) > MAX_NAME_CHARACTERS for name in properties):
        raise ValidationError(
            _("A field's name can have at most %(count)d characters."),
            params={"count": MAX_NAME_CHARACTERS},
        )
    below = [*properties.values(), *schema.get("anyOf", [])]
    below += [
        schema[name] for name in ("items", "additionalProperties") & schema.keys()
    ]
    return len(properties) + sum(_check_level(level, depth + 1) for level in below)


def problem_of(schema: Schema, extracted: Any) -> str:
    """Why `extracted` does not hold to the schema; empty if it does."""
    error = best_match(Draft202012Validator(schema).iter_errors(extracted))
    if error is None:
        return ""
    where = ".".join(map(str, error.absolute_path))
    return _short(f"{where}: {error.message}" if where else error.message)


def _short(text: str) -> str:
    if len(text) <= MAX_ERROR_CHARACTERS:
        return text
    return text[: MAX_ERROR_CHARACTERS - 1] + "…"


@dataclass(frozen=True)
class Row:
    """One field, as far as a person without JSON says it."""

    name: str
    kind: str  # string, number, boolean, or choice
    description: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False


def rows_of(schema: Schema) -> list[Row] | None:
    """The schema as rows; None where it says more than rows can."""
    rows = [
        _row(name, field, name in schema.get("required", []))
        for name, field in schema.get("properties", {}).items()
    ]
    simple = [row for row in rows if row is not None]
    return simple if schema_of(simple) == schema else None


def _row(name: str, field: Any, required: bool) -> Row | None:
    if not isinstance(field, dict):
        return None
    kind = "choice" if "enum" in field else field.get("type")
    if kind not in {"string", "number", "boolean", "choice"}:
        return None
    description = field.get("description", "")
    choices = tuple(map(str, field.get("enum", ())))
    return Row(name, kind, description, choices, required)


def schema_of(rows: list[Row]) -> Schema:
    """The schema that the rows stand for; an empty one for no rows."""
    if not rows:
        return {}
    schema: Schema = {
        "type": "object",
        "properties": {row.name: _field(row) for row in rows},
        "additionalProperties": False,
    }
    if required := [row.name for row in rows if row.required]:
        schema["required"] = required
    return schema


def _field(row: Row) -> Schema:
    is_choice = row.kind == "choice"
    field: Schema = {"type": "string" if is_choice else row.kind}
    if is_choice:
        field["enum"] = list(row.choices)
    if row.description:
        field["description"] = row.description
    return field
