"""The OpenAPI schema: operations that say how they fail."""

import copy
from http import HTTPStatus

from drf_spectacular.openapi import AutoSchema

from voiceops.api_errors import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
PROBLEM_ANSWERS = {
    "400": "The request is malformed or a field is not right.",
    "401": "No credentials, or bad ones.",
    "403": "The role or the token's scope does not allow it.",
    "404": "There is no such thing in this workspace.",
    "409": "It conflicts with what is already there.",
    "429": "Too many requests: wait for Retry-After seconds.",
    "502": "The carrier refused or could not be reached.",
}


class ProblemSchema(AutoSchema):
    """Operations that say how they fail."""

    def get_description(self):
        """Only what an operation says of itself; a docstring is for developers."""
        return ""

    def _get_response_bodies(self, direction="response"):
        bodies = super()._get_response_bodies(direction)
        for code in self._problem_codes():
            bodies.setdefault(code, _problem_answer(code))
        return dict(sorted(bodies.items()))

    def _problem_codes(self) -> set[str]:
        codes = {"429"}
        if self.get_auth():
            codes |= {"401", "403"}
        if self.method in {"POST", "PUT", "PATCH"} or self._is_list_view():
            codes.add("400")
        if "{" in self.path:
            codes.add("404")
        return codes | set(getattr(self.view, "problem_codes", {}).get(self.method, ()))


def _problem_answer(code: str) -> dict:
    example = {
        "type": PROBLEM_TYPE + HTTPStatus(int(code)).phrase.lower().replace(" ", "-"),
        "title": HTTPStatus(int(code)).phrase,
        "status": int(code),
        "detail": PROBLEM_ANSWERS[code],
    }
    if code == "400":
        example["errors"] = {"name": ["This field is required."]}
    reference = {"$ref": "#/components/schemas/Problem"}
    content = {PROBLEM_MEDIA_TYPE: {"schema": reference, "example": example}}
    return {"description": PROBLEM_ANSWERS[code], "content": content}


def add_problem_component(result, generator, request, public):
    """Put the schema that every error answer refers to among the components."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = copy.deepcopy(PROBLEM_SCHEMA)
    return result
