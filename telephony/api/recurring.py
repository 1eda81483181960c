"""The API of calls that recur."""

from django.db import transaction
from django.utils.timezone import now
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
from agents.api.base import Variables, Weekdays
from agents.models import VoiceAgent
from telephony.api import examples
from telephony.api.calls import PlacesCalls
from telephony.api.scheduled import refusals_as_errors
from telephony.dialling.recurrence import preview
from telephony.models import RecurringCall
from telephony.services import recurring
from telephony.services.carrier import InvalidNumber, e164
from voiceops.api_schema import shown_as

NEXT_TIMES = 5


@shown_as(request=examples.NEW_RECURRING_CALL, answer=examples.RECURRING_CALL)
class RecurringCallSerializer(OwnedSerializer):
    agent_id = serializers.PrimaryKeyRelatedField(
        source="agent",
        queryset=VoiceAgent.objects.select_related(
            "owner", "phone__carrier_account", "prompt", "prompt_version"
        ),
    )
    to = serializers.CharField(source="to_number", max_length=30, help_text="E.164")
    variables = Variables(required=False, help_text="For these calls alone.")
    their_timezone = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=64,
        help_text="IANA; of the callee, where the number does not tell it rightly.",
    )
    every = serializers.IntegerField(
        required=False, min_value=1, max_value=99, help_text="2: every second one."
    )
    days = Weekdays(
        "Of the week, for `weekly`. For `monthly` the one day that `nth` counts."
    )
    month_day = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=-1,
        max_value=31,
        help_text="For `monthly`: 1 to 31, or -1 for the last day. A month without "
        "this day is left out.",
    )
    nth = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=-1,
        max_value=4,
        help_text="For `monthly`: which of the month's `days`, 1 to 4, or -1 for the "
        "last.",
    )
    timezone = serializers.CharField(
        max_length=64,
        help_text="IANA; `time` stays the same on its clocks. A time that they skip is "
        "an hour later on that day; of one that comes twice the first counts.",
    )
    ends_on = serializers.DateField(required=False, allow_null=True)
    count = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=1000,
        help_text="Times in all, instead of `ends_on`.",
    )
    status = serializers.ChoiceField(choices=RecurringCall.Status, read_only=True)
    next_times = serializers.SerializerMethodField(
        help_text="The next five, without those that are not its own any more: none "
        "while it is paused."
    )

    class Meta:
        model = RecurringCall
        fields = [
            "id",
            "agent_id",
            "to",
            "variables",
            "their_timezone",
            "frequency",
            "every",
            "days",
            "month_day",
            "nth",
            "time",
            "timezone",
            "starts_on",
            "ends_on",
            "count",
            "max_attempts",
            "retry_delay_s",
            "retry_on_voicemail",
            "max_late_s",
            "status",
            "next_times",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["status"]

    def get_next_times(self, row) -> serializers.ListField(
        child=serializers.DateTimeField()
    ):
        # A blank one is looked at for its defaults.
        if row.is_paused or row.time is None:
            return []
        moment = serializers.DateTimeField()
        times = preview(row.rule, now(), NEXT_TIMES)
        return [moment.to_representation(time.at) for time in times]

    def validate_to(self, number):
        try:
            return e164(number)
        except InvalidNumber as error:
            raise ValidationError(str(error)) from error

    def create(self, given) -> RecurringCall:
        row = RecurringCall(owner=self._owner(), **given)
        with refusals_as_errors():
            return recurring.create(row, by=self.context["request"].user, at=now())

    def update(self, row, given) -> RecurringCall:
        with refusals_as_errors():
            return recurring.change(row, given, at=now())


class RecurringCallFilter(filters.FilterSet):
    status = filters.ChoiceFilter(
        choices=RecurringCall.Status.choices, method="with_status"
    )

    class Meta:
        model = RecurringCall
        fields: list[str] = []

    def with_status(self, rows, name, status):
        return rows.with_status(status)


class RecurringCallListView(PlacesCalls, ListCreateView):
    model = RecurringCall
    serializer_class = RecurringCallSerializer
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = RecurringCallFilter
    filters = frozenset(RecurringCallFilter.base_filters)

    @extend_schema(operation_id="recurring_call_list", summary="List recurring calls")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="recurring_call_create",
        summary="Let a call recur",
        description="Each time becomes a scheduled call two days ahead, with "
        "`recurring_call_id`. Takes the scope `calls:place`.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class RecurringCallView(PlacesCalls, RowView):
    model = RecurringCall
    lookup_url_kwarg = "recurring_call_id"
    serializer_class = RecurringCallSerializer
    http_method_names = ["get", "put", "delete", "head", "options"]

    @extend_schema(operation_id="recurring_call_get", summary="Read a recurring call")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="recurring_call_replace",
        summary="Change a recurring call",
        description="What is scheduled for it and not dialled yet is canceled and "
        "scheduled anew. Fields that are left out get their defaults back.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(
        operation_id="recurring_call_delete",
        summary="Delete a recurring call",
        description="What is scheduled for it is canceled; calls that were made stay.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, row):
        recurring.delete(row, at=now())


class RecurringCallActionView(PlacesCalls, OwnedView, generics.GenericAPIView):
    model = RecurringCall
    lookup_url_kwarg = "recurring_call_id"
    serializer_class = RecurringCallSerializer

    def act(self, service):
        row = service(self.get_object(), at=now())
        return Response(self.get_serializer(row).data)


class PauseRecurringCallView(RecurringCallActionView):
    @extend_schema(
        operation_id="recurring_call_pause",
        summary="Pause a recurring call",
        description="What is scheduled for it is canceled. Safe to repeat.",
        request=None,
    )
    def post(self, request, *args, **kwargs):
        return self.act(recurring.pause)


class ResumeRecurringCallView(RecurringCallActionView):
    @extend_schema(
        operation_id="recurring_call_resume",
        summary="Resume a recurring call",
        description="It goes on with its next time; those that passed while it was "
        "paused are not made up. Safe to repeat.",
        request=None,
    )
    def post(self, request, *args, **kwargs):
        return self.act(recurring.resume)
