import json

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.tools.schema import (
    BadArguments,
    check_parameters,
    no_parameters,
    read_arguments,
)

BOOKING = {
    "type": "object",
    "properties": {
        "day": {"type": "string", "description": "As 2026-03-01.", "maxLength": 10},
        "people": {"type": "integer", "minimum": 1},
        "wishes": {"type": "array", "items": {"enum": ["window", "quiet"]}},
    },
    "required": ["day"],
    "additionalProperties": False,
}


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize("schema", [BOOKING, no_parameters(), nested(4)])
def test_schema_is_taken(schema):
    check_parameters(schema)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (None, "type"),
        ([], "type"),
        ("object", "type"),
        ({}, "type"),
        ({"type": "string"}, "type"),
        ({"type": ["object"]}, "type"),
        (nested(5), "deep"),
        ({"type": "object", "description": "x" * 8000}, "8000 characters"),
        ({"type": "object", "$ref": "http://127.0.0.1/"}, "ref"),
        ({"type": "object", "$defs": {}}, "defs"),
        ({"type": "object", "patternProperties": {}}, "patternProperties"),
        ({"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}, "pattern"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, "ref"),
        ({"type": "object", "properties": {"a": {"items": {"$ref": "#"}}}}, "ref"),
        ({"type": "object", "properties": {"a": {"anyOf": [{"not": {}}]}}}, "not"),
        ({"type": "object", "additionalProperties": {"$ref": "#"}}, "ref"),
        ({"type": "object", "properties": {"a": "string"}}, "object"),
        ({"type": "object", "properties": {"a": True}}, "object"),
        ({"type": "object", "properties": []}, "not a JSON Schema"),
        (
            {"type": "object", "properties": {"a": {"type": "text"}}},
            "not a JSON Schema",
        ),
        ({"type": "object", "properties": {"a": {"enum": "x"}}}, "not a JSON Schema"),
        ({"type": "object", "required": "a"}, "not a JSON Schema"),
        ({"type": "object", "required": ["a"]}, "not described"),
        ({"type": "object", "properties": {"a b": {}}}, "name of a parameter"),
        ({"type": "object", "properties": {"": {}}}, "name of a parameter"),
        ({"type": "object", "properties": {f"a{n}": {} for n in range(31)}}, "30"),
    ],
)
def test_schema_is_refused(schema, why):
    with pytest.raises(ValidationError) as refused:
        check_parameters(schema)

    assert why in refused.value.messages[0]


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_schema_of_any_shape_is_answered(value):
    for schema in (value, {"type": "object", "properties": value}, {"type": value}):
        try:
            check_parameters(schema)
        except ValidationError:
            continue
        read_arguments("{}", {**schema, "required": []})


def test_arguments_that_fit_are_read():
    text = '{"day": "2026-03-01", "people": 2, "wishes": ["quiet"]}'

    assert read_arguments(text, BOOKING) == json.loads(text)


def test_no_arguments_are_none():
    assert read_arguments("", no_parameters()) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("NaN", "not JSON"),
        ('{"day": "2026-03-01", "people": Infinity}', "not JSON"),
        ('{"day": "\\ud800"}', "odd characters"),
        ('{"day": "\\u0000"}', "odd characters"),
        ("[" * 5000, "not JSON"),
        ("1" * 5000, "not JSON"),
        ("[]", "object"),
        ("null", "object"),
        (json.dumps({"day": "x" * 8000}), "too long"),
        ("{}", "'day' is a required property"),
        ('{"day": 1}', "day: 1 is not of type 'string'"),
        ('{"day": "2026-03-01", "people": 0}', "people: 0 is less than"),
        ('{"day": "2026-03-01", "wishes": ["x"]}', "wishes.0: 'x' is not one of"),
        ('{"day": "2026-03-01", "role": "admin"}', "'role' was unexpected"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(text, why):
    with pytest.raises(BadArguments) as refused:
        read_arguments(text, BOOKING)

    assert why in str(refused.value)
    assert len(str(refused.value)) <= 300
