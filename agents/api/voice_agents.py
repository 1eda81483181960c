"""The API of voice agents: the services that the pages call too."""

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers

from accounts.api_base import ListCreateView, OwnedView, RowView, idempotent
from agents import api_examples as examples
from agents import handing_over
from agents.api.agents import AgentSerializer, activate, deactivate, delete, phrases
from agents.api.base import WindowDays, WindowTime
from agents.extraction import check_schema
from agents.models import VoiceAgent
from voiceops.api_schema import shown_as


@extend_schema_field({"type": "object", "additionalProperties": True})
class ExtractionSchemaField(serializers.JSONField):
    """A JSON Schema, as it is written."""


@shown_as(request=examples.NEW_AGENT, answer=examples.AGENT)
class VoiceAgentSerializer(AgentSerializer):
    end_call_phrases = phrases()
    extraction_schema = ExtractionSchemaField(
        required=False,
        validators=[check_schema],
        help_text="JSON Schema of what to pull out of each call; {} for nothing.",
    )
    window_start = WindowTime("When its calls may begin")
    window_end = WindowTime("Until when its calls may begin")
    window_days = WindowDays()

    class Meta:
        model = VoiceAgent
        fields = [
            "id",
            "name",
            "phone_id",
            "direction",
            "is_active",
            "greeting",
            "greeting_mode",
            "prompt_id",
            "prompt_version",
            "instructions",
            "variables",
            "knows_contact",
            "model",
            "temperature",
            "max_tokens",
            "language",
            "voice",
            "tts_provider",
            "transcription_provider",
            "hints",
            "transport",
            "interruptible",
            "interrupt_sensitivity",
            "greeting_interruptible",
            "dtmf_detection",
            "dtmf_length",
            "filler",
            "filler_after_ms",
            "silence_reminders",
            "silence_reminder_s",
            "silence_timeout_s",
            "max_duration_s",
            "time_warning_s",
            "end_call_phrases",
            "end_call_message",
            "transfer_number",
            "transfer_message",
            "transfer_whisper",
            "transfer_timeout_s",
            "recording_enabled",
            "recording_notice",
            "summary_enabled",
            "extraction_schema",
            "voicemail_detection",
            "voicemail_message",
            "screening_message",
            "window_start",
            "window_end",
            "window_days",
            "tools",
            "is_deleted",
            "created_at",
            "updated_at",
        ]

    def validate_transfer_number(self, number):
        return handing_over.checked(self._owner(), number)


class VoiceAgentListView(ListCreateView):
    model = VoiceAgent
    serializer_class = VoiceAgentSerializer
    problem_codes = {"POST": ["409"]}

    def get_queryset(self):
        return super().get_queryset().select_related("prompt_version")

    @extend_schema(operation_id="agent_list", summary="List voice agents")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="agent_create",
        summary="Make a voice agent",
        description="With `is_active` it replaces whoever did the same on its phone.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class VoiceAgentView(RowView):
    model = VoiceAgent
    lookup_url_kwarg = "agent_id"
    serializer_class = VoiceAgentSerializer
    problem_codes = {"PUT": ["409"], "PATCH": ["409"]}

    @extend_schema(operation_id="agent_get", summary="Read a voice agent")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="agent_replace",
        summary="Replace a voice agent",
        description="Fields that are left out get their defaults back.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(
        operation_id="agent_change",
        summary="Change a voice agent",
    )
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)

    @extend_schema(operation_id="agent_delete", summary="Delete a voice agent")
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, agent):
        delete(agent)


@shown_as(answer=examples.ACTIVATED_AGENT)
class ActivatedSerializer(VoiceAgentSerializer):
    deactivated = serializers.ListField(
        child=serializers.UUIDField(),
        read_only=True,
        help_text="The agents that it replaced on this phone.",
    )

    class Meta(VoiceAgentSerializer.Meta):
        fields = [*VoiceAgentSerializer.Meta.fields, "deactivated"]


class ActivateView(OwnedView):
    model = VoiceAgent
    lookup_url_kwarg = "agent_id"
    serializer_class = VoiceAgentSerializer
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="agent_activate",
        summary="Activate a voice agent",
        description="Whoever did the same on this phone is deactivated.",
        request=None,
        responses={200: ActivatedSerializer},
    )
    def post(self, request, agent_id):
        return activate(self)


class DeactivateView(OwnedView):
    model = VoiceAgent
    lookup_url_kwarg = "agent_id"
    serializer_class = VoiceAgentSerializer

    @extend_schema(
        operation_id="agent_deactivate",
        summary="Deactivate a voice agent",
        description="It gets no new calls; calls that run go on.",
        request=None,
        responses={200: VoiceAgentSerializer},
    )
    def post(self, request, agent_id):
        return deactivate(self)
