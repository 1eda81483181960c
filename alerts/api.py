"""The API of alerts: the services that the pages call too."""

from contextlib import contextmanager

from django.db import transaction
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
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
from agents.api.message_agents import BusinessHoursField
from agents.models import VoiceAgent
from alerts import api_examples as examples
from alerts import services
from alerts.metrics import Metric, unit_of
from alerts.models import WINDOWS, Alert, Episode
from voiceops.api import Conflict
from voiceops.api_schema import shown_as
from voiceops.filters import MOMENTS


@contextmanager
def services_refuse():
    """What the services refuse, in the API's own errors."""
    try:
        yield
    except services.Refused as refusal:
        if refusal.field:
            raise ValidationError({refusal.field: [str(refusal)]}) from refusal
        raise Conflict(str(refusal)) from refusal


@extend_schema_field({"type": "integer", "enum": [minutes for minutes, _ in WINDOWS]})
class WindowField(serializers.IntegerField):
    """One of a few lengths; the model knows which."""


@shown_as(request=examples.NEW_ALERT, answer=examples.ALERT)
class AlertSerializer(OwnedSerializer):
    agent_id = serializers.PrimaryKeyRelatedField(
        source="agent",
        queryset=VoiceAgent.objects,
        required=False,
        allow_null=True,
        help_text="Only its calls; null for all.",
    )
    threshold = serializers.DecimalField(
        max_digits=18,
        decimal_places=6,
        required=False,
        allow_null=True,
        help_text="In `unit`: an answer rate below it is bad, anything else above it. "
        "`no_calls` has none.",
    )
    unit = serializers.SerializerMethodField(
        help_text="`percent`, `ms`, a currency, or nothing."
    )
    window_minutes = WindowField(
        required=False,
        help_text="The time that ends now; it begins on a quarter of an hour, so it is "
        "up to 15 minutes longer. For `no_calls` exactly so much working time.",
    )
    working_hours = BusinessHoursField(
        required=False,
        help_text="For `no_calls`: pairs of times for each day, by the clock of the "
        "zone. `{}` means at any time.",
    )
    mail_to = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        max_length=200,
        help_text="Ids of members, and `admins` for the owner and the admins. Nobody "
        "gets an e-mail if it is empty.",
    )

    class Meta:
        model = Alert
        fields = [
            "id",
            "name",
            "metric",
            "agent_id",
            "direction",
            "threshold",
            "currency",
            "unit",
            "window_minutes",
            "minimum_calls",
            "working_hours",
            "mail_to",
            "tells_webhooks",
            "is_active",
            "muted_until",
            "state",
            "value",
            "calls",
            "checked_at",
            "is_deleted",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["state", "value", "calls", "checked_at"]
        extra_kwargs = {
            "minimum_calls": {
                "help_text": "For rates and reply times: with fewer, nobody can tell."
            },
            "currency": {"help_text": "For `spend`, three capital letters."},
            "metric": {"help_text": "It stays as it was made."},
            "muted_until": {
                "validators": MOMENTS,
                "help_text": "Nobody is told until then of what begins; what goes on "
                "then is told then.",
            },
            "value": {"help_text": "What was found when it was last looked at."},
        }

    def get_unit(self, alert) -> str:
        return unit_of(alert.metric, alert.currency) if alert.metric else ""

    def create(self, given) -> Alert:
        is_active = given.pop("is_active", True)
        alert = Alert(owner=self._owner(), is_active=is_active, **given)
        with services_refuse():
            return services.save(alert)

    def update(self, alert, given) -> Alert:
        was_active = alert.is_active
        is_active = given.pop("is_active", was_active)
        for name, value in given.items():
            setattr(alert, name, value)
        with services_refuse(), transaction.atomic():
            services.save(alert)
            if is_active and not was_active:
                services.activate(alert)
            elif was_active and not is_active:
                services.deactivate(alert)
        return alert


class AlertFilter(filters.FilterSet):
    metric = filters.ChoiceFilter(choices=Metric.choices)
    state = filters.ChoiceFilter(choices=Alert.State.choices)

    class Meta:
        model = Alert
        fields: list[str] = []


class AlertListView(ListCreateView):
    model = Alert
    needed_action = Action.MANAGE_ALERTS
    serializer_class = AlertSerializer
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = AlertFilter
    filters = frozenset(AlertFilter.base_filters)
    problem_codes = {"POST": ["409"]}

    @extend_schema(operation_id="alert_list", summary="List alerts")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="alert_create",
        summary="Make an alert",
        description="Fields that its metric does not use keep their defaults.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class AlertView(RowView):
    model = Alert
    lookup_url_kwarg = "alert_id"
    needed_action = Action.MANAGE_ALERTS
    serializer_class = AlertSerializer

    @extend_schema(operation_id="alert_get", summary="Read an alert")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="alert_replace",
        summary="Replace an alert",
        description="Fields that are left out get their defaults back.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(
        operation_id="alert_change",
        summary="Change an alert",
        description="`is_active` false ends what it fires for: programs are told so, "
        "nobody gets an e-mail.",
    )
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)

    @extend_schema(operation_id="alert_delete", summary="Delete an alert")
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, alert):
        services.delete(alert)


@shown_as(answer=examples.TESTED)
class TestedSerializer(serializers.Serializer):
    mails = serializers.IntegerField(help_text="How many people get an e-mail.")


class AlertTestView(OwnedView):
    __test__ = False  # pytest: not a test class
    model = Alert
    lookup_url_kwarg = "alert_id"
    needed_action = Action.MANAGE_ALERTS
    serializer_class = TestedSerializer

    @extend_schema(
        operation_id="alert_test",
        summary="Send a test of an alert",
        description="To everybody whom it would tell; webhooks get an `alert.started` "
        "with `is_test` true.",
        request=None,
        responses={202: TestedSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, alert_id):
        return Response({"mails": services.send_test(self.get_object())}, status=202)


@shown_as(answer=examples.EPISODE)
class EpisodeSerializer(serializers.ModelSerializer):
    alert_id = serializers.UUIDField(read_only=True)
    end_reason = serializers.ChoiceField(
        choices=Episode.EndReason,
        allow_blank=True,
        read_only=True,
        help_text="Empty while it goes on.",
    )
    worst_value = serializers.DecimalField(
        source="worst", max_digits=18, decimal_places=6, read_only=True
    )

    class Meta:
        model = Episode
        fields = [
            "id",
            "alert_id",
            "threshold",
            "window_minutes",
            "started_at",
            "ended_at",
            "end_reason",
            "value",
            "worst_value",
            "end_value",
            "calls",
            "end_calls",
            "told_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields
        extra_kwargs = {
            "threshold": {"help_text": "What the alert was set to when it began."},
            "told_at": {"help_text": "Null while it is held back by a mute."},
        }


class EpisodeListView(OwnedView, generics.ListAPIView):
    model = Episode
    needed_action = Action.MANAGE_ALERTS
    serializer_class = EpisodeSerializer

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return Episode.objects.none()
        alerts = Alert.objects.for_owner(self.request.workspace)
        alert = generics.get_object_or_404(alerts, pk=self.kwargs["alert_id"])
        return super().get_queryset().filter(alert=alert)

    @extend_schema(
        operation_id="alert_episodes",
        summary="List when an alert fired",
        description="Each time from its beginning to its end, newest first.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)
