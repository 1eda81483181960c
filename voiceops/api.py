"""What every API view shares: parsing, paging, limits, the errors of our own.

The settings name these classes and rest_framework reads the settings while its views
are imported, so nothing here may import views.
"""

import io
from urllib.parse import unquote_to_bytes
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    NotFound,
    ParseError,
    ValidationError,
)
from rest_framework.metadata import BaseMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.throttling import BaseThrottle

from voiceops import limits


class Conflict(APIException):
    """The request is well-formed but what stands forbids it."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This conflicts with what is already there."
    default_code = "conflict"


class CarrierProblem(APIException):
    """The carrier refused or could not be reached; nothing was changed here."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_code = "carrier"


class BodyTooBig(APIException):
    """More than any request needs."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_big"

    def __init__(self):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        super().__init__(f"The body is larger than {limit} bytes.")


class StrictJSONParser(JSONParser):
    """JSON whose every text can be stored: no NUL, no lone surrogate, no abyss."""

    def parse(self, stream, media_type=None, parser_context=None):
        # Django holds only what it parses itself against its limit.
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise BodyTooBig
        try:
            data = super().parse(io.BytesIO(body), media_type, parser_context)
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


class Formats(DefaultContentNegotiation):
    """A `format` that a view does not have is a filter that we cannot read."""

    def filter_renderers(self, renderers, format):
        try:
            return super().filter_renderers(renderers, format)
        except Http404:
            raise ValidationError({"format": ["Unknown format."]}) from None


class AllowedMethods(BaseMetadata):
    """What OPTIONS answers: the methods, as in `Allow`. The rest is in the schema."""

    def determine_metadata(self, request, view):
        return {"methods": view.allowed_methods}


# What text without any sense decodes to; no page links to it.
UNREADABLE = Cursor(offset=0, reverse=False, position=None)


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
            wanted = f"A whole number from 1 to {self.max_page_size}."
            raise ValidationError({"page_size": [wanted]})
        return int(given)

    def decode_cursor(self, request):
        """The place in the list, None for its beginning; 400 for what is no place."""
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                self.read_position(cursor.position)
        except (NotFound, ValueError):
            cursor = UNREADABLE
        if cursor == UNREADABLE:
            raise ValidationError({"cursor": ["Not a cursor of this list."]})
        return cursor

    def read_position(self, position: str) -> None:
        """Raise ValueError for what is no position in this list."""
        UUID(position)

    def paginate_queryset(self, queryset, request, view=None):
        """A view may have a `search` (`voiceops.paging`) for what no index finds."""
        self.stop, search = None, getattr(view, "search", None)
        if search is not None:
            cursor = self.decode_cursor(request) or Cursor(0, False, None)
            self.is_backwards, ordered = cursor.reverse, _from(cursor, queryset)
            self.stop = search.stop(ordered)
            queryset = search.look_through(ordered, self.stop)
        return super().paginate_queryset(queryset, request, view)

    def get_next_link(self):
        if self.has_next or self.stop is None or self.is_backwards:
            return super().get_next_link()
        return self.encode_cursor(Cursor(0, False, str(self.stop)))

    def get_previous_link(self):
        if self.has_previous or self.stop is None or not self.is_backwards:
            return super().get_previous_link()
        return self.encode_cursor(Cursor(0, True, str(self.stop)))

    def get_schema_operation_parameters(self, view):
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size}
        return [
            {
                "name": self.cursor_query_param,
                "in": "query",
                "description": "Where the page begins: from `next` or `previous`.",
                "schema": {"type": "string"},
            },
            {
                "name": self.page_size_query_param,
                "in": "query",
                "description": "How many rows a page has.",
                "schema": size | {"default": self.page_size},
            },
        ]

    def get_paginated_response_schema(self, schema):
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {
                "results": schema,
                "next": {**link, "example": None},
                "previous": {**link, "example": None},
            },
        }


def _from(cursor: Cursor, rows: QuerySet) -> QuerySet:
    """The rows from that place on, in the direction in which it is read."""
    if cursor.position is not None:
        beyond = "pk__gt" if cursor.reverse else "pk__lt"
        rows = rows.filter(**{beyond: cursor.position})
    return rows.order_by("pk" if cursor.reverse else "-pk")


class Throttle(BaseThrottle):
    """So many requests a minute: by token and workspace, else by address.

    Somebody who has proved who they are is never counted by address: tenants share
    addresses, and the use of one must not eat another's.
    """

    TOKEN_LIMIT = 600
    WORKSPACE_LIMIT = 3_000
    ADDRESS_LIMIT = 120

    usage: limits.Usage | None = None

    def allow_request(self, request, view):
        if not settings.RATE_LIMITS:
            return True
        self.usage = self.count(request)
        request._request.rate_limit = self.usage
        return self.usage.is_allowed

    def wait(self):
        """Seconds, for Retry-After."""
        return self.usage.reset_s if self.usage else None

    def count(self, request) -> limits.Usage:
        if not (request.user and request.user.is_authenticated):
            address = self.get_ident(request)
            return limits.count("address", address, self.ADDRESS_LIMIT)
        token = getattr(request.auth, "pk", request.user.pk)
        own = limits.count("token", token, self.TOKEN_LIMIT)
        if not own.is_allowed:
            return own
        workspace = request.workspace
        most = workspace.most_requests_a_minute or self.WORKSPACE_LIMIT
        shared = limits.count("workspace", workspace.pk, most)
        return min(own, shared, key=lambda usage: usage.remaining)


class SigningInThrottle(Throttle):
    """Guessing passwords is slow work."""

    LIMIT = 30

    def count(self, request):
        return limits.count("signing-in", self.get_ident(request), self.LIMIT)


PAGING = frozenset(("cursor", "page_size"))


def refuse_unknown_filters(request, known: set[str], *, is_paged: bool = True) -> None:
    """A filter that we do not know or cannot read is refused, never ignored."""
    query = request.META.get("QUERY_STRING", "").encode("latin-1")
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:  # Django would put other characters in their place
        raise ParseError("The query is not UTF-8.") from None
    unknown = set(request.query_params) - known - (PAGING if is_paged else set())
    if unknown:
        raise ValidationError({name: ["Unknown filter."] for name in sorted(unknown)})
    repeated = [name for name, values in request.query_params.lists() if values[1:]]
    if repeated:  # all but the last would be ignored
        raise ValidationError({name: ["Given more than once."] for name in repeated})
