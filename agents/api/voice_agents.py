"""The API of voice agents: the services that the pages call too."""

from django.db import transaction
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from accounts.api_base import (
    ListCreateView,
    OwnedSerializer,
    OwnedView,
    RowView,
    idempotent,
)
from agents import api_examples as examples
from agents import services
from agents.api.base import (
    Variables,
    WindowDays,
    WindowTime,
    services_as_conflicts,
)
from agents.extraction import check_schema
from agents.limits import MAX_PHRASE_CHARACTERS, MAX_PHRASES
from agents.models import PromptVersion, VoiceAgent
from voiceops.api_schema import shown_as


class PinnedVersionField(serializers.IntegerField):
    """A version of the agent's prompt, by its number."""

    def to_representation(self, version) -> int:
        return version.number


@extend_schema_field({"type": "object", "additionalProperties": True})
class ExtractionSchemaField(serializers.JSONField):
    """A JSON Schema, as it is written."""


@shown_as(request=examples.NEW_AGENT, answer=examples.AGENT)
class VoiceAgentSerializer(OwnedSerializer):
    prompt_version = PinnedVersionField(
        allow_null=True,
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The version of the prompt that it keeps; null: it follows the "
        "newest.",
    )
    variables = Variables(
        required=False, help_text="Values for the placeholders of prompt and greeting."
    )
    end_call_phrases = serializers.ListField(
        child=serializers.CharField(max_length=MAX_PHRASE_CHARACTERS),
        required=False,
        max_length=MAX_PHRASES,
    )
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
            "dtmf_detection",
            "silence_timeout_s",
            "max_duration_s",
            "end_call_phrases",
            "end_call_message",
            "summary_enabled",
            "extraction_schema",
            "window_start",
            "window_end",
            "window_days",
            "is_deleted",
            "created_at",
            "updated_at",
        ]

    def build_field(self, name, info, model_class, nested_depth):
        """`phone_id` and `prompt_id` are ids of rows of the workspace."""
        if name in {"phone_id", "prompt_id"}:
            name = name.removesuffix("_id")
            field_class, options = super().build_field(
                name, info, model_class, nested_depth
            )
            return field_class, options | {"source": name}
        return super().build_field(name, info, model_class, nested_depth)

    def validate(self, attrs):
        """Being active is the service's affair: it replaces whoever is in the way."""
        attrs |= self._pinned(attrs)
        super().validate(attrs | {"is_active": False})
        return attrs

    def _pinned(self, given) -> dict[str, PromptVersion]:
        """The version of the prompt with the number that was given."""
        stored = self.instance or VoiceAgent()
        prompt = given.get("prompt", stored.prompt)
        told = {"prompt_version": [str(services.VersionOfAnotherPrompt())]}
        if "prompt_version" not in given:
            # The new prompt may have that number too, and mean another text by it.
            if stored.prompt_version and prompt != stored.prompt:
                raise serializers.ValidationError(told)
            return {}
        number = given["prompt_version"]
        if number is None:
            return {}
        versions = PromptVersion.objects.for_owner(self._owner())
        version = versions.filter(prompt=prompt, number=number).first()
        if version is None:
            raise serializers.ValidationError(told)
        return {"prompt_version": version}

    def create(self, given) -> VoiceAgent:
        wants_active = given.pop("is_active", False)
        agent = VoiceAgent(owner=self._owner(), **given)
        with services_as_conflicts(), transaction.atomic():
            services.save_agent(agent)
            if wants_active:
                services.activate(agent)
        return agent

    def update(self, agent, given) -> VoiceAgent:
        was_active = agent.is_active
        wants_active = given.pop("is_active", was_active)
        for name, value in given.items():
            setattr(agent, name, value)
        with services_as_conflicts(), transaction.atomic():
            if was_active and not wants_active:
                services.deactivate(agent)
            services.save_agent(agent)
            if wants_active and not was_active:
                services.activate(agent)
        return agent


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
        try:
            services.delete_agent(agent)
        except services.Gone:
            raise Http404 from None


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
        agent = self.get_object()
        with services_as_conflicts():
            replaced = services.activate(agent)
        told = self.get_serializer(agent).data
        return Response(told | {"deactivated": [rival.pk for rival in replaced]})


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
        agent = self.get_object()
        services.deactivate(agent)
        return Response(self.get_serializer(agent).data)
