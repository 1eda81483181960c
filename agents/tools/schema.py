"""The parameters of a tool: which JSON Schemas are taken, and arguments held to one."""

import json
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

MAX_SCHEMA_CHARACTERS = 8_000
MAX_DEPTH = 5
MAX_PARAMETERS = 30
MAX_ARGUMENT_CHARACTERS = 8_000
MAX_COMPLAINT_CHARACTERS = 300

PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")

# What models understand and what costs nothing to check. Left out on purpose: `$ref`
# would fetch addresses, `pattern` can keep a processor busy for hours.
KEYWORDS = {
    *("type", "title", "description", "default", "examples", "format"),
    *("properties", "required", "additionalProperties", "anyOf"),
    *("items", "minItems", "maxItems", "uniqueItems", "enum", "const"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength"),
}


check_tool_name = RegexValidator(
    r"^[A-Za-z_][A-Za-z0-9_-]{0,63}\Z",
    _("Letters, digits, underscores and hyphens, and a letter first."),
)


class BadArguments(Exception):
    """The model's arguments do not fit the schema; `str()` tells the model why."""


def no_parameters() -> dict[str, Any]:
    return {"type": "object", "properties": {}}


def check_parameters(schema: Any) -> None:
    """Raise ValidationError unless `schema` describes an object in plain terms."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ValidationError(_("Parameters are a JSON Schema with “type”: “object”."))
    if not _is_text(schema):
        raise ValidationError(_("The schema has odd characters in it."))
    if len(json.dumps(schema)) > MAX_SCHEMA_CHARACTERS:
        raise ValidationError(
            _("The schema can have at most %(count)d characters."),
            params={"count": MAX_SCHEMA_CHARACTERS},
        )
    _check_keywords(schema, depth=1)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValidationError(
            _("This is not a JSON Schema: %(why)s"),
            params={"why": error.message[:MAX_COMPLAINT_CHARACTERS]},
        ) from None
    _check_names(schema)


def _is_text(value: Any) -> bool:
    """Whether databases can store it: no NUL, no half characters."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return "\\u0000" not in json.dumps(value)


def _check_keywords(schema: Any, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValidationError(
            _("The schema can be at most %(count)d levels deep."),
            params={"count": MAX_DEPTH},
        )
    if not isinstance(schema, dict):
        raise ValidationError(_("Each parameter is described by an object."))
    if unknown := sorted(set(schema) - KEYWORDS):
        raise ValidationError(
            _("“%(name)s” is not supported in a tool's schema."),
            params={"name": unknown[0][:64]},
        )
    for inner in _inner_schemas(schema):
        _check_keywords(inner, depth=depth + 1)


def _inner_schemas(schema: dict) -> list[Any]:
    properties, any_of = schema.get("properties", {}), schema.get("anyOf", [])
    inner = list(properties.values()) if isinstance(properties, dict) else []
    inner += any_of if isinstance(any_of, list) else []
    # `false` and `true` are schemas too; only here is that of use.
    others = [schema.get("items"), schema.get("additionalProperties")]
    return inner + [one for one in others if not isinstance(one, bool | None)]


def _check_names(schema: dict) -> None:
    names = schema.get("properties", {})
    if len(names) > MAX_PARAMETERS:
        raise ValidationError(
            _("At most %(count)d parameters."), params={"count": MAX_PARAMETERS}
        )
    for name in names:
        if not PARAMETER_NAME.fullmatch(name):
            raise ValidationError(
                _(
                    "“%(name)s” is not the name of a parameter: letters, digits, "
                    "underscores and hyphens, at most 64, and a letter first."
                ),
                params={"name": name[:64]},
            )
    if unknown := sorted(set(schema.get("required", [])) - set(names)):
        raise ValidationError(
            _("“%(name)s” is required but not described."),
            params={"name": unknown[0][:64]},
        )


def read_arguments(text: str, schema: dict) -> dict[str, Any]:
    """The model's JSON text as arguments that fit `schema`; raise BadArguments."""
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        raise BadArguments("The arguments are too long.")
    try:
        arguments = json.loads(text or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadArguments("The arguments are not JSON.") from None
    if not _is_text(arguments):
        raise BadArguments("The arguments have odd characters in them.")
    if not isinstance(arguments, dict):
        raise BadArguments("The arguments are not a JSON object.")
    error = best_match(Draft202012Validator(schema).iter_errors(arguments))
    if error is not None:
        where = ".".join(map(str, error.absolute_path))
        complaint = f"{where}: {error.message}" if where else error.message
        raise BadArguments(complaint[:MAX_COMPLAINT_CHARACTERS])
    return arguments


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
