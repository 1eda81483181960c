"""The OpenAPI schema: operations that say how they fail."""

import copy
from http import HTTPStatus

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema_serializer,
)

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
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "429": "Too many requests: wait for Retry-After seconds.",
    "502": "The carrier refused or could not be reached.",
}


DESCRIPTION = """\
AI agents on your telephone numbers.

- **Who asks**: `Authorization: Bearer <token>`, an API key or a log-in token. Scopes \
of keys: `read`, `write`, `calls:place`, `messages:send`.
- **Errors** are `application/problem+json` (RFC 9457); a malformed body names its \
fields in `errors`. Fields and filters that are not known are refused.
- **Another workspace's row** is answered as one that never existed.
- **Lists** are newest first; follow `next` as it is.
- **Times** are RFC 3339 in UTC.
- **Limits**: 600 requests a minute and token, 3000 a workspace; 120 an address for \
those who have not said who they are; 30 for signing in. Every answer says what is \
left in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds); \
after 429 wait for `Retry-After`.
- **Repeating**: send an `Idempotency-Key` with whatever makes something, and a lost \
answer can be asked for again without doing the work twice.
"""

LIMIT_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
HEADERS_OF = {
    "401": ("WWW-Authenticate",),
    "409": ("Retry-After",),
    "429": ("Retry-After",),
}
HEADERS = {
    "RateLimit-Limit": ("integer", "Requests a minute; absent where limits are off."),
    "RateLimit-Remaining": ("integer", "Requests left in this minute."),
    "RateLimit-Reset": ("integer", "Seconds until the minute is over."),
    "Retry-After": ("integer", "Seconds; with 409 where the first is worked on."),
    "WWW-Authenticate": ("string", "The challenge (RFC 6750)."),
}

IDEMPOTENCY_PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255},
    OpenApiParameter.HEADER,
    description="1 to 255 visible characters of your own. For 24 hours the same key "
    "with the same body is answered as it was the first time, with "
    "`Idempotent-Replayed: true`; with another body, or while the first is worked on, "
    "with 409. Malformed requests (400) and failures (5xx) are not kept.",
)


def shown_as(*, request: dict | None = None, answer: dict | None = None):
    """Decorate a serializer with what its bodies look like in the schema."""
    examples = []
    if request is not None:
        examples += [
            OpenApiExample(
                "A request", value=request, request_only=True, media_type=media_type
            )
            for media_type in ("application/json", "multipart/form-data")
        ]
    if answer is not None:
        answers = ["200", "201", "202"]
        examples.append(
            OpenApiExample(
                "An answer", value=answer, response_only=True, status_codes=answers
            )
        )
    return extend_schema_serializer(examples=examples)


class ProblemSchema(AutoSchema):
    """Operations that say how they fail."""

    def get_override_parameters(self):
        post = getattr(self.view, self.method.lower(), None)
        return [IDEMPOTENCY_PARAMETER] if hasattr(post, "is_idempotent") else []

    def get_description(self):
        """Only what an operation says of itself; a docstring is for developers."""
        return ""

    def _get_response_bodies(self, direction="response"):
        bodies = super()._get_response_bodies(direction)
        for code in self._problem_codes():
            bodies.setdefault(code, _problem_answer(code))
        for code, body in bodies.items():
            body["description"] = body["description"] or HTTPStatus(int(code)).phrase
            body["headers"] = {
                name: {"$ref": f"#/components/headers/{name}"}
                for name in (*LIMIT_HEADERS, *HEADERS_OF.get(code, ()))
            }
        return dict(sorted(bodies.items()))

    def _takes_a_body(self) -> bool:
        writes = self.method in {"POST", "PUT", "PATCH"}
        return writes and self.get_request_serializer() is not None

    def _problem_codes(self) -> set[str]:
        codes = {"429"}
        if self.get_auth():
            codes |= {"401", "403"}
        if self._takes_a_body():
            codes |= {"400", "413", "415"}
        if self._is_list_view():
            codes.add("400")
        if "{" in self.path:
            codes.add("404")
        if self.get_override_parameters():
            codes.add("409")
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


def add_shared_components(result, generator, request, public):
    """Put what every answer refers to among the components."""
    result["info"]["description"] = DESCRIPTION
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = copy.deepcopy(PROBLEM_SCHEMA)
    components["headers"] = {
        name: {"description": description, "schema": {"type": kind}}
        for name, (kind, description) in HEADERS.items()
    }
    return result
