"""What every API view shares: paging, errors as problem+json, limits, the schema."""

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination

PROBLEM_TYPE = "https://voiceops.dev/problems/"
PROBLEM_MEDIA_TYPE = "application/problem+json"


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
        if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= 200:
            raise ValidationError({"page_size": ["A whole number from 1 to 200."]})
        return int(given)

    def get_paginated_response_schema(self, schema):
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {
                "results": schema,
                "next": link,
                "previous": link,
            },
        }
