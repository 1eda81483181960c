"""The schema of what is pulled out of calls: what it may say, and its rows."""

import pytest
from django.core.exceptions import ValidationError

from agents.extraction import (
    MAX_DEPTH,
    MAX_FIELDS,
    Row,
    check_schema,
    problem_of,
    rows_of,
    schema_of,
)

ROWS = [
    Row("name", "string", "Who called", required=True),
    Row("age", "number"),
    Row("is_patient", "boolean", "Has been here before"),
    Row("wants", "choice", choices=("visit", "advice"), required=True),
]


def schema(properties=None, **more):
    properties = {"name": {"type": "string"}} if properties is None else properties
    return {"type": "object", "properties": properties, **more}


def nested(levels):
    inner = {"type": "string"}
    for _level in range(levels - 2):
        inner = {"type": "object", "properties": {"a": inner}}
    return schema({"a": inner})


@pytest.mark.parametrize(
    "given",
    [
        {},
        schema(),
        schema(required=["name"], additionalProperties=False),
        schema({"tags": {"type": "array", "items": {"enum": ["a", "b"]}}}),
        schema({"n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}),
        nested(MAX_DEPTH),
        schema({f"f{n}": {} for n in range(MAX_FIELDS)}),
    ],
)
def test_schema_of_an_object_is_taken(given):
    check_schema(given)


@pytest.mark.parametrize(
    "given",
    [
        [],
        "text",
        None,
        {"type": "string"},
        {"type": "object"},
        schema({"name": {"type": "strin"}}),
        schema({"name": "string"}),
        schema({"name": {"$ref": "http://127.0.0.1/schema"}}),
        schema({"name": {"type": "string", "pattern": "(a+)+$"}}),
        schema(patternProperties={"(a+)+$": {}}),
        schema(**{"$schema": "http://127.0.0.1/schema"}),
        schema({"name": {"description": "x" * 10_000}}),
        schema({"n" * 61: {}}),
        nested(MAX_DEPTH + 1),
        schema({f"f{n}": {} for n in range(MAX_FIELDS + 1)}),
    ],
    ids=str,
)
def test_schema_that_we_cannot_hold_to_is_refused(given):
    with pytest.raises(ValidationError):
        check_schema(given)


def test_rows_and_schema_say_the_same():
    made = schema_of(ROWS)

    check_schema(made)
    assert rows_of(made) == ROWS
    assert made["required"] == ["name", "wants"]
    assert (schema_of([]), rows_of({})) == ({}, [])


@pytest.mark.parametrize(
    "given",
    [
        schema(),  # allows more than its rows would
        schema({"a": {"type": "array"}}, additionalProperties=False),
        schema({"a": {"type": "string", "maxLength": 5}}, additionalProperties=False),
        schema({"a": {"enum": [1, 2]}}, additionalProperties=False),
        schema({"a": True}, additionalProperties=False),
    ],
)
def test_schema_that_says_more_than_rows_is_no_rows(given):
    assert rows_of(given) is None


def test_problem_names_the_place():
    made = schema_of(ROWS)

    fine = problem_of(made, {"name": "Ada", "wants": "visit"})
    wrong = problem_of(made, {"name": "Ada", "wants": "visit", "age": "old"})
    assert (fine, wrong) == ("", "age: 'old' is not of type 'number'")
    assert "'wants' is a required property" in problem_of(made, {"name": "Ada"})
