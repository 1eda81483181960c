"""What all views of figures share: the question, and the answer as JSON or a file."""

from typing import Any

from django.utils.functional import cached_property
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from analytics.api.filters import CallFilters, Filters
from analytics.figures import Question
from voiceops.api import refuse_unknown_filters
from voiceops.spreadsheets import lines


class CsvRenderer(BaseRenderer):
    """Rows as a spreadsheet opens them: no cell is a formula."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        if renderer_context["response"].exception:  # a problem is always told as JSON
            return JSONRenderer().render(data)
        return "".join(lines(renderer_context["view"].rows(data))).encode()


class FiguresView(APIView):
    """Figures of the workspace in use, as the filters say; no other is known."""

    renderer_classes = [*api_settings.DEFAULT_RENDERER_CLASSES, CsvRenderer]
    filters_class: type[Filters] = CallFilters
    serializer_class: type[serializers.Serializer]  # tells the schema what comes
    problem_codes = {"GET": ["400"]}

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        known = {*self.filters_class().fields, api_settings.URL_FORMAT_OVERRIDE}
        refuse_unknown_filters(request, known, is_paged=False)

    @cached_property
    def wanted(self) -> dict[str, Any]:
        """What the filters say. Raises ValidationError."""
        filters = self.filters_class(
            data=self.request.query_params, context={"request": self.request}
        )
        filters.is_valid(raise_exception=True)
        return filters.validated_data

    def question(self) -> Question:
        wanted = self.wanted
        agent, phone = wanted.get("agent_id"), wanted.get("phone_id")
        return Question(
            owner=self.request.workspace,
            period=wanted["period"],
            agent_id=agent and agent.pk,
            phone_id=phone and phone.pk,
            direction=wanted.get("direction", ""),
        )

    def answer(self, found) -> Response:
        """The figures as the client wants them: JSON, or a file of `rows`."""
        response = Response(found)
        if self.request.accepted_renderer.format == CsvRenderer.format:
            name = self.request.path.rpartition("/")[2]
            response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        return response

    def rows(self, data):
        """For a file: the names of the columns, then the rows."""
        told = self.serializer_class(data, many=True).data  # times as in JSON
        names = [name for name in self.serializer_class().fields if name != "costs"]
        return [names, *([row[name] for name in names] for row in told)]


def told_by(serializer: type[serializers.Serializer], filters: type[Filters], **words):
    """The schema of a view: rows as JSON, or as the lines of a file."""
    fields = [name for name in serializer().fields if name != "costs"]
    example = OpenApiExample("A file", value=",".join(f'"{name}"' for name in fields))
    return extend_schema(
        parameters=[filters],
        responses={
            (200, "application/json"): serializer(many=True),
            (200, CsvRenderer.media_type): OpenApiResponse(
                OpenApiTypes.STR, examples=[example]
            ),
        },
        **words,
    )


HOW_FRESH = (
    "Real calls that have ended, within seconds; rehearsals and tests do not count. A "
    "call counts when it started, on the clock of `timezone`. "
)
