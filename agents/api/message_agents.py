"""The API of message agents: the services that the pages call too."""

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers

from accounts.api_base import ListCreateView, OwnedView, RowView, idempotent
from agents import api_examples as examples
from agents.api.agents import AgentSerializer, activate, deactivate, delete, phrases
from agents.hours import DAYS
from agents.limits import END, MAX_RANGES_A_DAY
from agents.models import MessageAgent
from voiceops.api_schema import shown_as

PAIR = {
    "type": "array",
    "minItems": 2,
    "maxItems": 2,
    "items": {"type": "string", "pattern": f"^({END.pattern})$"},
}
RANGES = {"type": "array", "items": PAIR, "maxItems": MAX_RANGES_A_DAY}
BUSINESS_HOURS = {
    "type": "object",
    "properties": {
        "timezone": {"type": "string", "description": "An IANA time zone."},
        "days": {
            "type": "object",
            "properties": dict.fromkeys(DAYS, RANGES),
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


@extend_schema_field(BUSINESS_HOURS)
class BusinessHoursField(serializers.JSONField):
    """Weekly hours; the model knows their rules."""


@shown_as(request=examples.NEW_MESSAGE_AGENT, answer=examples.MESSAGE_AGENT)
class MessageAgentSerializer(AgentSerializer):
    handoff_phrases = phrases(
        help_text="When either side writes one of these, a person takes over."
    )
    business_hours = BusinessHoursField(
        required=False,
        help_text="When it answers: pairs of times for each day, by the clock of the "
        "zone. A day that is left out is closed; `{}` means at any time. Hours over "
        "midnight are two pairs: until 24:00, and from 00:00 on the next day.",
    )

    class Meta:
        model = MessageAgent
        fields = [
            "id",
            "name",
            "phone_id",
            "is_active",
            "prompt_id",
            "prompt_version",
            "instructions",
            "variables",
            "knows_contact",
            "model",
            "temperature",
            "max_tokens",
            "history_limit",
            "reply_delay_s",
            "handoff_phrases",
            "business_hours",
            "away_message",
            "tools",
            "is_deleted",
            "created_at",
            "updated_at",
        ]


class MessageAgentListView(ListCreateView):
    model = MessageAgent
    serializer_class = MessageAgentSerializer
    problem_codes = {"POST": ["409"]}

    def get_queryset(self):
        return super().get_queryset().select_related("prompt_version")

    @extend_schema(operation_id="message_agent_list", summary="List message agents")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="message_agent_create",
        summary="Make a message agent",
        description="With `is_active` it replaces whoever answered texts to its phone.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class MessageAgentView(RowView):
    model = MessageAgent
    lookup_url_kwarg = "agent_id"
    serializer_class = MessageAgentSerializer
    problem_codes = {"PUT": ["409"], "PATCH": ["409"]}

    @extend_schema(operation_id="message_agent_get", summary="Read a message agent")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="message_agent_replace",
        summary="Replace a message agent",
        description="Fields that are left out get their defaults back.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(
        operation_id="message_agent_change",
        summary="Change a message agent",
    )
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)

    @extend_schema(
        operation_id="message_agent_delete", summary="Delete a message agent"
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, agent):
        delete(agent)


@shown_as(answer=examples.ACTIVATED_MESSAGE_AGENT)
class ActivatedMessageAgentSerializer(MessageAgentSerializer):
    deactivated = serializers.ListField(
        child=serializers.UUIDField(),
        read_only=True,
        help_text="The agents that it replaced on this phone.",
    )

    class Meta(MessageAgentSerializer.Meta):
        fields = [*MessageAgentSerializer.Meta.fields, "deactivated"]


class ActivateMessageAgentView(OwnedView):
    model = MessageAgent
    lookup_url_kwarg = "agent_id"
    serializer_class = MessageAgentSerializer
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="message_agent_activate",
        summary="Activate a message agent",
        description="Whoever answered the texts to this phone is deactivated.",
        request=None,
        responses={200: ActivatedMessageAgentSerializer},
    )
    def post(self, request, agent_id):
        return activate(self)


class DeactivateMessageAgentView(OwnedView):
    model = MessageAgent
    lookup_url_kwarg = "agent_id"
    serializer_class = MessageAgentSerializer

    @extend_schema(
        operation_id="message_agent_deactivate",
        summary="Deactivate a message agent",
        description="It answers no more texts.",
        request=None,
        responses={200: MessageAgentSerializer},
    )
    def post(self, request, agent_id):
        return deactivate(self)
