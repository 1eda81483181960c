"""The API of outgoing webhooks: the services that the pages call too."""

from contextlib import contextmanager

from django.db import transaction
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from accounts.api_base import (
    ListCreateView,
    OwnedSerializer,
    OwnedView,
    RowView,
    idempotent,
)
from accounts.permissions import Action
from hooks import api_examples as examples
from hooks import services
from hooks.models import TEST_EVENT, Attempt, Delivery, Endpoint, Event, every_event
from voiceops.api import Conflict
from voiceops.api_schema import shown_as


@contextmanager
def services_refuse():
    """What the services refuse, in the API's own errors."""
    try:
        yield
    except services.Refused as refusal:
        if refusal.field:
            raise ValidationError({refusal.field: [str(refusal)]}) from refusal
        raise Conflict(str(refusal)) from refusal


@shown_as(request=examples.NEW_ENDPOINT, answer=examples.ENDPOINT)
class EndpointSerializer(OwnedSerializer):
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=Event.choices),
        required=False,
        max_length=len(Event),
        help_text="What it is told of; all of them where it is left out.",
    )

    class Meta:
        model = Endpoint
        fields = [
            "id",
            "url",
            "description",
            "events",
            "is_enabled",
            "disabled_reason",
            "is_deleted",
            "created_at",
            "updated_at",
        ]

    def create(self, given) -> Endpoint:
        endpoint = Endpoint(owner=self._owner(), **{"events": every_event()} | given)
        with services_refuse():
            return services.save_endpoint(endpoint)

    def update(self, endpoint, given) -> Endpoint:
        was_enabled = endpoint.is_enabled
        is_enabled = given.pop("is_enabled", was_enabled)
        for name, value in given.items():
            setattr(endpoint, name, value)
        with services_refuse(), transaction.atomic():
            services.save_endpoint(endpoint)
            if is_enabled and not was_enabled:
                services.enable(endpoint)
            elif was_enabled and not is_enabled:
                services.disable(endpoint)
        return endpoint


@shown_as(request=examples.NEW_ENDPOINT, answer=examples.ENDPOINT_WITH_SECRET)
class EndpointWithSecretSerializer(EndpointSerializer):
    secret = serializers.CharField(
        read_only=True, help_text="Signs the requests. Shown in this answer only."
    )

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "secret"]


class EndpointListView(ListCreateView):
    model = Endpoint
    needed_action = Action.MANAGE_WEBHOOKS
    serializer_class = EndpointSerializer
    problem_codes = {"POST": ["409"]}

    def get_serializer_class(self):
        makes = self.request is not None and self.request.method == "POST"
        return EndpointWithSecretSerializer if makes else EndpointSerializer

    @extend_schema(operation_id="webhook_list", summary="List webhooks")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="webhook_create",
        summary="Make a webhook",
        description="The answer has the signing `secret`, which is not shown again.",
        request=EndpointSerializer,
        responses={201: EndpointWithSecretSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class EndpointView(RowView):
    model = Endpoint
    lookup_url_kwarg = "webhook_id"
    needed_action = Action.MANAGE_WEBHOOKS
    serializer_class = EndpointSerializer
    problem_codes = {"PUT": ["409"], "PATCH": ["409"]}

    @extend_schema(operation_id="webhook_get", summary="Read a webhook")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="webhook_replace",
        summary="Replace a webhook",
        description="Fields that are left out get their defaults back.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(
        operation_id="webhook_change",
        summary="Change a webhook",
        description="`is_enabled` true also forgets the failures that switched it off.",
    )
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)

    @extend_schema(operation_id="webhook_delete", summary="Delete a webhook")
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, endpoint):
        services.delete_endpoint(endpoint)


class EndpointActionView(OwnedView):
    """Something that is done to one webhook."""

    model = Endpoint
    lookup_url_kwarg = "webhook_id"
    needed_action = Action.MANAGE_WEBHOOKS
    serializer_class = EndpointSerializer


class RotateSecretView(EndpointActionView):
    serializer_class = EndpointWithSecretSerializer

    @extend_schema(
        operation_id="webhook_rotate_secret",
        summary="Give a webhook another secret",
        description="For 24 hours requests are signed with both.",
        request=None,
        responses={200: EndpointWithSecretSerializer},
    )
    def post(self, request, webhook_id):
        endpoint = self.get_object()
        services.rotate_secret(endpoint)
        return Response(self.get_serializer(endpoint).data)


@shown_as(answer=examples.DELIVERY)
class DeliverySerializer(serializers.ModelSerializer):
    message_id = serializers.CharField(
        read_only=True, help_text="The `webhook-id` of its requests, always the same."
    )
    call_id = serializers.UUIDField(read_only=True, allow_null=True)
    text_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="The text that it is about."
    )

    class Meta:
        model = Delivery
        fields = [
            "id",
            "message_id",
            "event",
            "call_id",
            "text_id",
            "status",
            "attempts_made",
            "next_try_at",
            "delivered_at",
            "error",
            "created_at",
            "updated_at",
        ]


class AttemptSerializer(serializers.ModelSerializer):
    class Meta:
        model = Attempt
        fields = ["number", "at", "status_code", "elapsed_ms", "error", "answer"]


@shown_as(answer=examples.DELIVERY_DETAIL)
class DeliveryDetailSerializer(DeliverySerializer):
    attempts = serializers.SerializerMethodField()

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "payload", "attempts"]

    def get_attempts(self, delivery) -> AttemptSerializer(many=True):
        attempts = delivery.attempts.for_owner(delivery.owner_id)
        return AttemptSerializer(attempts, many=True).data


class DeliveryFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Delivery.Status.choices)
    event = filters.ChoiceFilter(choices=[*Event.choices, (TEST_EVENT, TEST_EVENT)])

    class Meta:
        model = Delivery
        fields: list[str] = []


class DeliveriesOfOne(OwnedView):
    """A view over the deliveries of one webhook of the workspace."""

    model = Delivery
    needed_action = Action.MANAGE_WEBHOOKS
    lookup_url_kwarg = "delivery_id"

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return Delivery.objects.none()
        endpoints = Endpoint.objects.for_owner(self.request.workspace)
        endpoint = generics.get_object_or_404(endpoints, pk=self.kwargs["webhook_id"])
        deliveries = super().get_queryset().filter(endpoint=endpoint)
        return deliveries.select_related("endpoint")


class DeliveryListView(DeliveriesOfOne, generics.ListAPIView):
    serializer_class = DeliverySerializer
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = DeliveryFilter
    filters = frozenset(DeliveryFilter.base_filters)

    @extend_schema(
        operation_id="webhook_deliveries",
        summary="List its deliveries",
        description="Each message that was to be sent, newest first.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class DeliveryView(DeliveriesOfOne, generics.RetrieveAPIView):
    serializer_class = DeliveryDetailSerializer

    @extend_schema(
        operation_id="webhook_delivery_get",
        summary="Read a delivery",
        description="With the payload as it is sent, and every attempt.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class ReplayView(DeliveriesOfOne):
    serializer_class = DeliverySerializer
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="webhook_delivery_replay",
        summary="Send an event again",
        description="The message keeps its id.",
        request=None,
        responses={202: DeliverySerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, webhook_id, delivery_id):
        delivery = self.get_object()
        with services_refuse():
            if not services.replay(delivery):
                raise Conflict("It is being sent already.")
        delivery.refresh_from_db()
        return Response(self.get_serializer(delivery).data, status=202)


@shown_as(answer=examples.REPLAYED)
class ReplayedSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="How many are sent again.")


class ReplayDeadView(EndpointActionView):
    serializer_class = ReplayedSerializer
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="webhook_replay_dead",
        summary="Send again what was given up",
        description=f"The oldest {services.REPLAYED_AT_ONCE}; ask again for more.",
        request=None,
        responses={202: ReplayedSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, webhook_id):
        endpoint = self.get_object()
        with services_refuse():
            count = services.replay_dead(endpoint)
        return Response({"count": count}, status=202)


class TestView(EndpointActionView):
    __test__ = False  # pytest: not a test class
    serializer_class = DeliverySerializer
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="webhook_test",
        summary="Send a test event",
        description="Of the type `webhook.test`, tried once.",
        request=None,
        responses={202: DeliverySerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, webhook_id):
        with services_refuse():
            delivery = services.send_test(self.get_object())
        return Response(self.get_serializer(delivery).data, status=202)
