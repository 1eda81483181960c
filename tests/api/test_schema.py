"""The schema is what people build on: each operation explains itself."""

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

# Names that say all there is to say.
PLAIN = {"list", "get", "create", "delete", "change", "replace"}
MAKES_SOMETHING = {"201", "202"}


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.fixture(scope="module")
def operations(schema):
    return {
        operation["operationId"]: operation
        for item in schema["paths"].values()
        for operation in item.values()
    }


FILES = ("audio/", "image/", "application/zip")


def contents(operation):
    """`(what, content)` of the request and of each answer with a body of JSON."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "request", content
    for status, answer in operation["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            if not media_type.startswith(FILES):
                yield status, content


def examples(content):
    if "example" in content:
        return [content["example"]]
    return [example["value"] for example in content.get("examples", {}).values()]


def test_each_operation_has_a_summary_and_a_description_where_needed(operations):
    unexplained = [
        name
        for name, operation in operations.items()
        if not operation.get("summary")
        or (name.rpartition("_")[2] not in PLAIN and not operation.get("description"))
    ]

    assert unexplained == []


def test_each_body_has_an_example(operations):
    without = [
        f"{name}: {what}"
        for name, operation in operations.items()
        for what, content in contents(operation)
        if not examples(content)
    ]

    assert without == []


def test_each_example_is_valid(schema, operations):
    wrong = []
    for name, operation in operations.items():
        for what, content in contents(operation):
            validator = Draft202012Validator(
                _as_json_schema(content["schema"])
                | {"components": _as_json_schema(schema["components"])}
            )
            for example in examples(content):
                wrong += [
                    f"{name}: {what}: {error.json_path} {error.message}"
                    for error in validator.iter_errors(example)
                ]

    assert wrong == []


def _as_json_schema(node):
    """OpenAPI 3.0's `nullable` as JSON Schema says it."""
    if isinstance(node, list):
        return [_as_json_schema(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    node = {key: _as_json_schema(value) for key, value in node.items()}
    if node.pop("nullable", False) is True:
        return {"anyOf": [node, {"type": "null"}]}
    return node


def test_each_operation_tells_its_errors(schema):
    silent = []
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            expected = {"429"}
            if operation.get("security"):
                expected |= {"401"}
            if "{" in path:
                expected |= {"404"}
            if "requestBody" in operation:
                expected |= {"400", "413", "415"}
            missing = expected - operation["responses"].keys()
            silent += [f"{method} {path}: {status}" for status in sorted(missing)]

    assert silent == []


def test_whatever_makes_something_can_be_repeated(schema):
    """Registering makes no row twice by itself: an address is taken once."""
    unrepeatable = [
        path
        for path, item in schema["paths"].items()
        if "post" in item
        and MAKES_SOMETHING & item["post"]["responses"].keys()
        and "Idempotency-Key" not in _header_names(item["post"])
    ]

    assert unrepeatable == ["/api/auth/register"]


def _header_names(operation):
    return {
        parameter["name"]
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    }


def test_path_parameters_are_named_as_published(schema):
    assert {
        "/api/agents/{agent_id}/activate",
        "/api/phones/{phone_id}",
        "/api/prompts/{prompt_id}/versions",
        "/api/prompts/{prompt_id}/preview",
        "/api/carrier-accounts/{id}",
        "/api/calls/{call_sid}",
    } <= schema["paths"].keys()
