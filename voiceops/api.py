"""What every API view shares: parsing, paging, limits, the errors of our own.

The settings name these classes and rest_framework reads the settings while its views
are imported, so nothing here may import views.
"""

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.throttling import SimpleRateThrottle


class Conflict(APIException):
    """The request is well-formed but what stands forbids it."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This conflicts with what is already there."
    default_code = "conflict"


class CarrierProblem(APIException):
    """The carrier refused or could not be reached; nothing was changed here."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_code = "carrier"


class StrictJSONParser(JSONParser):
    """JSON whose every text can be stored: no NUL, no lone surrogate, no abyss."""

    def parse(self, stream, media_type=None, parser_context=None):
        try:
            data = super().parse(stream, media_type, parser_context)
            if "\0" in _all_text(data):
                raise ParseError("The body has a NUL character in it.")
        except UnicodeEncodeError:
            raise ParseError("The body has half of a surrogate pair in it.") from None
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        if not isinstance(data, dict):
            raise ParseError("The body must be a JSON object.")
        return data


def _all_text(data) -> str:
    """Every key and text in `data`; raises UnicodeEncodeError for lone surrogates."""
    texts, todo = [], [data]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            todo.extend([*value.keys(), *value.values()])
        elif isinstance(value, list):
            todo.extend(value)
    joined = "".join(texts)
    joined.encode()
    return joined


class NewestFirst(CursorPagination):
    """Cursor paging on the time-ordered id: constant at any depth, never counts."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request):
        given = request.query_params.get(self.page_size_query_param)
        if given is None:
            return self.page_size
        if not (given.isascii() and given.isdigit() and len(given) <= 3):
            given = "0"
        if not 1 <= int(given) <= self.max_page_size:
            raise ValidationError({"page_size": ["A whole number from 1 to 200."]})
        return int(given)

    def get_paginated_response_schema(self, schema):
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }


class Throttle(SimpleRateThrottle):
    """So many requests a minute for each token, else for each address."""

    scope = "api"
    rate = "600/min"

    def get_cache_key(self, request, view):
        token = getattr(request.auth, "pk", None)
        who = token or (request.user.pk if request.user else None)
        return self.cache_format % {
            "scope": self.scope,
            "ident": who or self.get_ident(request),
        }


class SigningInThrottle(Throttle):
    """Guessing passwords is slow work."""

    scope = "signing-in"
    rate = "30/min"


def refuse_unknown_filters(request, known: set[str]) -> None:
    """A filter that we do not know is refused, never ignored."""
    unknown = set(request.query_params) - known - {"cursor", "page_size"}
    if unknown:
        raise ValidationError({name: ["Unknown filter."] for name in sorted(unknown)})
