"""The API of scheduled calls."""

from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta

from django.db import transaction
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.api_base import ListCreateView, OwnedSerializer, RowView, idempotent
from agents.api.base import Variables, WindowDays, WindowTime
from agents.models import VoiceAgent
from telephony.api import examples
from telephony.api.calls import CallSerializer, PlacesCalls
from telephony.models import Call, Campaign, ScheduledCall
from telephony.services import scheduled
from telephony.services.carrier import InvalidNumber, e164
from voiceops.api import Conflict
from voiceops.api_schema import shown_as
from voiceops.filters import DAYS, MOMENTS

FIELDS_OF = {"to_number": "to"}  # our names: the API's


class MomentField(serializers.DateTimeField):
    """RFC 3339: a time without an offset could be anybody's."""

    default_validators = MOMENTS

    def to_internal_value(self, given):
        if isinstance(given, str):
            try:
                has_offset = datetime.fromisoformat(given.strip()).tzinfo is not None
            except ValueError:
                has_offset = True  # the base says what is wrong with it
            if not has_offset:
                raise ValidationError("Give the offset, for example Z or +01:00.")
        return super().to_internal_value(given)


@contextmanager
def refusals_as_errors():
    """What the service refuses, in the API's own errors."""
    try:
        yield
    except scheduled.Refused as error:
        field = FIELDS_OF.get(error.field, error.field or "non_field_errors")
        raise ValidationError({field: [str(error)]}) from error
    except scheduled.NotPending as error:
        raise Conflict(str(error)) from error


@shown_as(request=examples.NEW_SCHEDULED_CALL, answer=examples.SCHEDULED_CALL)
class ScheduledCallSerializer(OwnedSerializer):
    agent_id = serializers.PrimaryKeyRelatedField(
        source="agent",
        queryset=VoiceAgent.objects.select_related(
            "owner", "phone__carrier_account", "prompt", "prompt_version"
        ),
    )
    to = serializers.CharField(source="to_number", max_length=30, help_text="E.164")
    scheduled_for = MomentField(help_text="In the future.")
    timezone = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=64,
        help_text="IANA; of the callee, where the number does not tell it rightly.",
    )
    variables = Variables(required=False, help_text="For this call alone.")
    window_start = WindowTime("When it may be dialled")
    window_end = WindowTime("Until when it may be dialled")
    window_days = WindowDays()
    recurring_call_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="What it was made for, if it recurs."
    )
    campaign_id = serializers.UUIDField(read_only=True, allow_null=True)
    line = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="Of the campaign's list."
    )

    class Meta:
        model = ScheduledCall
        fields = [
            "id",
            "campaign_id",
            "line",
            "agent_id",
            "to",
            "scheduled_for",
            "timezone",
            "variables",
            "max_attempts",
            "retry_delay_s",
            "retry_on_voicemail",
            "max_late_s",
            "window_start",
            "window_end",
            "window_days",
            "recurring_call_id",
            "status",
            "detail",
            "attempts_made",
            "next_attempt_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = [
            "recurring_call_id",
            "status",
            "detail",
            "attempts_made",
            "next_attempt_at",
        ]

    def validate_to(self, number):
        try:
            return e164(number)
        except InvalidNumber as error:
            raise ValidationError(str(error)) from error

    def create(self, given) -> ScheduledCall:
        row = ScheduledCall(owner=self._owner(), **given)
        with refusals_as_errors():
            return scheduled.schedule(row, by=self.context["request"].user, at=now())

    def update(self, row, given) -> ScheduledCall:
        with refusals_as_errors():
            return scheduled.change(row, given, at=now())


@shown_as(answer=examples.SCHEDULED_CALL_DETAIL)
class ScheduledCallDetailSerializer(ScheduledCallSerializer):
    attempts = serializers.SerializerMethodField()

    class Meta(ScheduledCallSerializer.Meta):
        fields = [*ScheduledCallSerializer.Meta.fields, "attempts"]

    def get_attempts(self, row) -> CallSerializer(many=True):
        calls = Call.objects.for_owner(row.owner_id).filter(scheduled_call=row)
        related = calls.select_related("after_call").order_by("attempt")
        return CallSerializer(related, many=True).data


def _campaigns(request):
    return Campaign.objects.for_owner(request.workspace, with_deleted=True)


class ScheduledCallFilter(filters.FilterSet):
    """`from` and `to` are dates in UTC, both included, of `scheduled_for`."""

    status = filters.ChoiceFilter(choices=ScheduledCall.Status.choices)
    recurring_call_id = filters.UUIDFilter()
    campaign_id = filters.ModelChoiceFilter(field_name="campaign", queryset=_campaigns)
    to = filters.DateFilter(method="until", validators=DAYS)

    class Meta:
        model = ScheduledCall
        fields: list[str] = []

    def since(self, rows, name, day):
        return rows.filter(scheduled_for__gte=_midnight(day))

    def until(self, rows, name, day):
        return rows.filter(scheduled_for__lt=_midnight(day + timedelta(days=1)))


def _midnight(day) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


# `from` is a word of Python's own.
ScheduledCallFilter.base_filters["from"] = filters.DateFilter(
    method="since", validators=DAYS
)


class ScheduledCallListView(PlacesCalls, ListCreateView):
    model = ScheduledCall
    serializer_class = ScheduledCallSerializer
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = ScheduledCallFilter
    filters = frozenset(ScheduledCallFilter.base_filters)

    @extend_schema(operation_id="scheduled_call_list", summary="List scheduled calls")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="scheduled_call_create",
        summary="Schedule a call",
        description="Outside of the hours for calls it waits for their next beginning: "
        "`next_attempt_at` says when it will be tried. The calling rules decide again "
        "at that moment. Takes the scope `calls:place`.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class ScheduledCallView(PlacesCalls, RowView):
    model = ScheduledCall
    lookup_url_kwarg = "call_id"
    serializer_class = ScheduledCallDetailSerializer
    http_method_names = ["get", "put", "delete", "head", "options"]
    problem_codes = {"PUT": ["409"], "DELETE": ["409"]}

    @extend_schema(
        operation_id="scheduled_call_get",
        summary="Read a scheduled call",
        description="With every attempt, a call each.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="scheduled_call_replace",
        summary="Change a scheduled call",
        description="Only while it is `pending`, else 409. Fields that are left out "
        "get their defaults back.",
        request=ScheduledCallSerializer,
        responses={200: ScheduledCallDetailSerializer},
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(
        operation_id="scheduled_call_cancel",
        summary="Cancel a scheduled call",
        description="Only while it is `pending`, else 409. It stays in the list as "
        "`canceled`.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, row):
        with refusals_as_errors():
            scheduled.cancel(row, by=self.request.user)
