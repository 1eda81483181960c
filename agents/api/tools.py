"""The API of tools: the services that the pages call too."""

from copy import copy

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.response import Response

from accounts.api_base import (
    ListCreateView,
    OwnedSerializer,
    OwnedView,
    RowView,
    StrictSerializer,
    idempotent,
)
from agents import api_examples as examples
from agents import services
from agents.api.base import services_as_conflicts
from agents.models import Tool
from agents.tools.http import MAX_HEADER_CHARACTERS
from voiceops.api_schema import shown_as


class JSONObject(serializers.DictField):
    """Any JSON object; what it may hold is the model's rule."""


class Headers(serializers.DictField):
    child = serializers.CharField(
        max_length=MAX_HEADER_CHARACTERS, allow_blank=True, trim_whitespace=False
    )


class SecretHeaders(serializers.DictField):
    child = serializers.CharField(
        max_length=MAX_HEADER_CHARACTERS, allow_null=True, trim_whitespace=False
    )


@shown_as(request=examples.NEW_TOOL, answer=examples.TOOL)
class ToolSerializer(OwnedSerializer):
    parameters = JSONObject(
        required=False,
        help_text="JSON Schema of the arguments, with `type` `object`. The model is "
        "shown it, and nothing is sent that does not fit.",
    )
    headers = Headers(required=False, help_text="Sent with every request.")
    secret_headers = SecretHeaders(
        required=False,
        write_only=True,
        help_text="As `headers`, encrypted, never shown again. What is given is set, "
        "null removes one, and the others stay: unless `url` goes to another host.",
    )
    secret_header_names = serializers.SerializerMethodField()

    class Meta:
        model = Tool
        fields = [
            "id",
            "name",
            "description",
            "parameters",
            "method",
            "url",
            "headers",
            "secret_headers",
            "secret_header_names",
            "timeout_s",
            "meanwhile",
            "last_used_at",
            "last_status",
            "is_deleted",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["last_used_at", "last_status"]

    def get_secret_header_names(self, tool) -> list[str]:
        return list(tool.secret_headers)

    def validate(self, attrs):
        self._entered = attrs.pop("secret_headers", {})
        super().validate(attrs)
        # The row as it becomes: what stands in the way concerns several fields.
        row = copy(self.instance) if self.instance else Tool(owner=self._owner())
        for name, value in attrs.items():
            setattr(row, name, value)
        row.enter_secrets(self._entered)
        try:
            row.clean()
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.message_dict) from None
        self._row = row
        return attrs

    def save(self, **kwargs) -> Tool:
        with services_as_conflicts():
            self.instance = services.save_tool(self._row, entered=self._entered)
        return self.instance


class ToolListView(ListCreateView):
    model = Tool
    serializer_class = ToolSerializer
    problem_codes = {"POST": ["409"]}

    @extend_schema(operation_id="tool_list", summary="List tools")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="tool_create",
        summary="Make a tool",
        description="An HTTP request that voice agents can make during a call. Give it "
        "to an agent by its id, in the agent's `tools`.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class ToolView(RowView):
    model = Tool
    lookup_url_kwarg = "tool_id"
    serializer_class = ToolSerializer
    problem_codes = {"DELETE": ["409"], "PUT": ["409"], "PATCH": ["409"]}

    @extend_schema(operation_id="tool_get", summary="Read a tool")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="tool_replace",
        summary="Replace a tool",
        description="Fields that are left out get their defaults back, but secret "
        "headers stay: remove one with null.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(operation_id="tool_change", summary="Change a tool")
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)

    @extend_schema(
        operation_id="tool_delete",
        summary="Delete a tool",
        description="Refused with 409 while agents have it; the answer names them.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, tool):
        with services_as_conflicts():
            services.delete_tool(tool)


@shown_as(request=examples.TOOL_TEST)
class ToolTestSerializer(StrictSerializer):
    arguments = JSONObject(required=False, help_text="As the model would give them.")


@shown_as(answer=examples.TOOL_TESTED)
class OutcomeSerializer(serializers.Serializer):
    status = serializers.ChoiceField(choices=Tool.Status.choices)
    text = serializers.CharField(help_text="What the model would be shown.")
    elapsed_ms = serializers.IntegerField()


class ToolTestView(OwnedView):
    model = Tool
    serializer_class = ToolTestSerializer
    lookup_url_kwarg = "tool_id"
    problem_codes = {"POST": ["429"]}

    @extend_schema(
        operation_id="tool_test",
        summary="Test a tool",
        description="Sends the request, once and for real, and tells what came of it. "
        f"At most {services.TESTS_A_MINUTE} a minute and workspace.",
        request=ToolTestSerializer,
        responses={200: OutcomeSerializer},
    )
    def post(self, request, tool_id):
        tool = self.get_object()
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            outcome = services.try_tool(tool, given.validated_data.get("arguments", {}))
        except services.TooManyTests as refusal:
            raise Throttled(wait=refusal.wait_s) from refusal
        return Response(OutcomeSerializer(outcome).data)
