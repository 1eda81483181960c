"""The API of campaigns: the services that the pages call too."""

import json
from contextlib import contextmanager

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from drf_spectacular.utils import extend_schema_field as shown_in_schema_as
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from accounts.api_base import (
    OwnedSerializer,
    OwnedView,
    RowView,
    StrictSerializer,
    idempotent,
)
from agents.api.base import WindowDays, WindowTime
from agents.models import VoiceAgent
from telephony.api import examples
from telephony.api.calls import PlacesCalls
from telephony.api.scheduled import ScheduledCallSerializer
from telephony.contacts import HEADINGS, suggested
from telephony.models import Campaign, CampaignEvent, RefusedRow, ScheduledCall
from telephony.services import campaign_results, campaigns
from telephony.tables import Unreadable, decode, table_of
from voiceops.api import Conflict, StrictJSONParser
from voiceops.api_schema import shown_as
from voiceops.spreadsheets import as_csv

REFUSED_SHOWN = 200
FIELDS_OF = {"to": "columns"}  # the services' names: the API's
CANNOT = {"POST": ["409"]}


@contextmanager
def refusals_as_errors():
    """What the service refuses, in the API's own errors."""
    try:
        yield
    except campaigns.Refused as error:
        if error.field is None:
            raise Conflict(str(error)) from error
        field = FIELDS_OF.get(error.field, error.field)
        raise ValidationError({field: [str(error)]}) from error


@shown_in_schema_as({"type": "string", "format": "binary"})
class TableField(serializers.Field):
    """A CSV file; in a body of JSON its text."""

    def to_internal_value(self, given):
        if not isinstance(given, str | UploadedFile):
            raise ValidationError("A CSV file, or its text.")
        is_text = isinstance(given, str)
        size = len(given.encode()) if is_text else given.size
        if size > campaigns.MOST_BYTES:
            raise ValidationError(f"More than {campaigns.MOST_BYTES:,} bytes.")
        try:
            text = given if is_text else decode(given.read())
            return ("list.csv" if is_text else given.name), table_of(text)
        except Unreadable as error:
            raise ValidationError(str(error)) from error


class ColumnsSerializer(StrictSerializer):
    """Which column means what, by the columns' names; in a form it is JSON text."""

    to = serializers.CharField(max_length=100, help_text="The telephone number.")
    timezone = serializers.CharField(
        max_length=100, required=False, allow_null=True, help_text="IANA."
    )
    scheduled_for = serializers.CharField(
        max_length=100,
        required=False,
        allow_null=True,
        help_text="Not before this time; without an offset on the zone's clock.",
    )
    variables = serializers.DictField(
        child=serializers.CharField(max_length=100),
        required=False,
        help_text="Columns by the placeholders that they fill in.",
    )

    def get_value(self, dictionary):
        return dictionary.get(self.field_name, serializers.empty)

    def to_internal_value(self, given):
        if isinstance(given, str):
            try:
                given = json.loads(given)
            except (ValueError, RecursionError):
                raise ValidationError("This is no JSON.") from None
        if not isinstance(given, dict):
            self.fail("invalid", datatype=type(given).__name__)
        return super().to_internal_value(given)

    def to_representation(self, campaign):
        """Of a campaign, as it stands."""
        names, mapping = campaign.columns, campaign.mapping
        if mapping.get("to") is None:
            return None
        found = {
            name: None if mapping.get(name) is None else names[mapping[name]]
            for name in HEADINGS
        }
        variables = mapping.get("variables", {})
        return found | {
            "variables": {name: names[place] for name, place in variables.items()}
        }


def mapping_of(headings, wanted, columns: dict) -> dict:
    """The columns' places. Raises ValidationError for a column that is not there."""

    def place(heading):
        if heading is None:
            return None
        if heading not in headings:
            raise ValidationError({"columns": [f"There is no column “{heading}”."]})
        return headings.index(heading)

    found = {name: place(columns.get(name)) for name in HEADINGS}
    if "variables" in columns:
        chosen = {n: place(heading) for n, heading in columns["variables"].items()}
    else:
        taken = {at for at in found.values() if at is not None}
        named = suggested(headings, wanted)["variables"]
        chosen = {name: at for name, at in named.items() if at not in taken}
    return {**found, "variables": chosen}


class RefusedRowShape(serializers.Serializer):
    line = serializers.IntegerField()
    text = serializers.CharField(help_text="What stands there.")
    reason = serializers.CharField()


@shown_as(answer=examples.CAMPAIGN)
class CampaignSerializer(OwnedSerializer):
    agent_id = serializers.PrimaryKeyRelatedField(
        source="agent",
        queryset=VoiceAgent.objects.select_related(
            "owner", "phone__carrier_account", "prompt", "prompt_version"
        ),
    )
    window_start = WindowTime("When its contacts may be dialled")
    window_end = WindowTime("Until when its contacts may be dialled")
    window_days = WindowDays()
    columns = ColumnsSerializer(source="*", read_only=True, allow_null=True)
    redials_id = serializers.UUIDField(
        read_only=True,
        allow_null=True,
        help_text="The campaign whose contacts it calls again.",
    )
    contacts = serializers.IntegerField(
        read_only=True, help_text="Rows that were read and not refused."
    )

    class Meta:
        model = Campaign
        fields = [
            "id",
            "name",
            "agent_id",
            "default_country",
            "window_start",
            "window_end",
            "window_days",
            "max_attempts",
            "retry_delay_s",
            "retry_on_voicemail",
            "columns",
            "status",
            "pause_reason",
            "redials_id",
            "rows",
            "rows_read",
            "rows_refused",
            "contacts",
            "started_at",
            "ended_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = [
            "status",
            "pause_reason",
            "rows",
            "rows_read",
            "rows_refused",
            "started_at",
            "ended_at",
        ]


@shown_as(answer=examples.CAMPAIGN_DETAIL)
class CampaignDetailSerializer(CampaignSerializer):
    contacts_by_status = serializers.SerializerMethodField()
    refused_rows = serializers.SerializerMethodField(
        help_text=f"The first {REFUSED_SHOWN}."
    )

    class Meta(CampaignSerializer.Meta):
        fields = [
            *CampaignSerializer.Meta.fields,
            "contacts_by_status",
            "refused_rows",
        ]

    @shown_in_schema_as({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_contacts_by_status(self, campaign):
        return campaigns.counts(campaign)

    def get_refused_rows(self, campaign) -> RefusedRowShape(many=True):
        rows = RefusedRow.objects.for_owner(campaign.owner_id)
        first = rows.filter(campaign=campaign).order_by("line")[:REFUSED_SHOWN]
        return RefusedRowShape(first, many=True).data


@shown_as(request=examples.CHANGED_CAMPAIGN)
class CampaignChangeSerializer(CampaignSerializer):
    """Everything is optional: what is left out stays."""

    columns = ColumnsSerializer(required=False)

    class Meta(CampaignSerializer.Meta):
        fields = CampaignSerializer.Meta.fields[1:11]  # those that can be written
        read_only_fields: list[str] = []

    def update(self, campaign, given):
        columns = given.pop("columns", None)
        changes = {n: v for n, v in given.items() if v != getattr(campaign, n)}
        with refusals_as_errors(), transaction.atomic():
            if changes:
                campaign = campaigns.change(campaign, changes)
            if columns is not None:
                wanted = campaign.agent.wanted_variables
                mapping = mapping_of(campaign.columns, wanted, columns)
                campaign = campaigns.map_columns(campaign, mapping)
        return campaign


@shown_as(request=examples.NEW_CAMPAIGN)
class NewCampaignSerializer(CampaignChangeSerializer):
    file = TableField(
        help_text=f"CSV of at most {campaigns.MOST_ROWS:,} rows and "
        f"{campaigns.MOST_BYTES // 1_000_000} MB; in a body of JSON its text."
    )

    class Meta(CampaignChangeSerializer.Meta):
        fields = [*CampaignChangeSerializer.Meta.fields, "file"]

    def create(self, given):
        name, table = given.pop("file")
        columns = given.pop("columns", None)
        campaign = Campaign(owner=self._owner(), **given)
        by = self.context["request"].user
        with refusals_as_errors(), transaction.atomic():
            campaigns.create(campaign, file_name=name, table=table, by=by)
            return read_list(campaign, columns)


def read_list(campaign: Campaign, columns: dict | None) -> Campaign:
    """Have the list read; without a column of numbers it stays a draft."""
    mapping = campaign.mapping
    if columns is not None:
        wanted = campaign.agent.wanted_variables
        mapping = mapping_of(campaign.columns, wanted, columns)
    if mapping.get("to") is None:
        return campaign
    return campaigns.map_columns(campaign, mapping)


@shown_as(request=examples.NEW_LIST)
class NewListSerializer(StrictSerializer):
    file = TableField(help_text="CSV; in a body of JSON its text.")
    columns = ColumnsSerializer(required=False)


@shown_as(request=examples.REDIAL)
class RedialSerializer(StrictSerializer):
    statuses = serializers.MultipleChoiceField(
        choices=[status.value for status in campaigns.WORTH_REDIALLING],
        allow_empty=False,
        required=False,
        help_text="Of contacts that are called again; by default "
        + ", ".join(f"`{status}`" for status in campaigns.USUALLY_REDIALLED)
        + ". Of `unknown` ones nobody knows whether the telephone rang.",
    )


class CampaignFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Campaign.Status.choices)

    class Meta:
        model = Campaign
        fields: list[str] = []


class OfCampaigns(PlacesCalls, OwnedView):
    """A view of one campaign, or of what belongs to it."""

    model = Campaign
    lookup_url_kwarg = "campaign_id"
    serializer_class = CampaignDetailSerializer

    def get_queryset(self):
        return super().get_queryset().select_related(*RELATED)

    def answer(self, campaign, status=200):
        shown = CampaignDetailSerializer(
            campaign, context=self.get_serializer_context()
        )
        return Response(shown.data, status=status)


RELATED = ("owner", "agent__owner", "agent__phone__carrier_account", "agent__prompt")
TAKES = {
    "multipart/form-data": NewCampaignSerializer,
    "application/json": NewCampaignSerializer,
}


class CampaignListView(PlacesCalls, OwnedView, generics.ListAPIView):
    model = Campaign
    serializer_class = CampaignSerializer
    parser_classes = [StrictJSONParser, MultiPartParser]
    problem_codes = CANNOT
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = CampaignFilter
    filters = frozenset(CampaignFilter.base_filters)

    @extend_schema(operation_id="campaign_list", summary="List campaigns")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="campaign_create",
        summary="Make a campaign",
        description="From a CSV: a column `to` (or `phone`, `number`, …) has the "
        "numbers, `timezone` and `scheduled_for` may say when, every other column "
        "fills in the placeholder of its name. A short list has been read by the "
        "time of the answer; a long one is `checking` until it is `ready`. Without a "
        "column of numbers it is a `draft`: give `columns` by PATCH. Nobody is called "
        "before it is started. Takes the scope `calls:place`.",
        request=TAKES,
        responses={201: CampaignDetailSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        context = self.get_serializer_context()
        given = NewCampaignSerializer(data=request.data, context=context)
        given.is_valid(raise_exception=True)
        shown = CampaignDetailSerializer(given.save(), context=context)
        return Response(shown.data, status=201)


class CampaignView(OfCampaigns, RowView):
    http_method_names = ["get", "patch", "delete", "head", "options"]
    problem_codes = {"PATCH": ["409"]}

    @extend_schema(
        operation_id="campaign_get",
        summary="Read a campaign",
        description="With how many contacts are in each status, and the first of the "
        "rows that were refused.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="campaign_change",
        summary="Change a campaign",
        description="Its name at any time, all else until it is started. The list is "
        "read again.",
        request=CampaignChangeSerializer,
        responses={200: CampaignDetailSerializer},
    )
    def patch(self, request, *args, **kwargs):
        given = CampaignChangeSerializer(
            self.get_object(),
            data=request.data,
            partial=True,
            context=self.get_serializer_context(),
        )
        given.is_valid(raise_exception=True)
        return self.answer(given.save())

    @extend_schema(
        operation_id="campaign_delete",
        summary="Delete a campaign",
        description="It is canceled, if it is not over. Its calls stay.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, campaign):
        campaigns.delete(campaign, by=self.request.user)


class CampaignFileView(OfCampaigns):
    parser_classes = [StrictJSONParser, MultiPartParser]
    problem_codes = CANNOT

    @extend_schema(
        operation_id="campaign_file",
        summary="Give a campaign another list",
        description="Until it is started. The list is read as a new campaign's is.",
        request={
            "multipart/form-data": NewListSerializer,
            "application/json": NewListSerializer,
        },
        responses={200: CampaignDetailSerializer},
    )
    def post(self, request, campaign_id):
        campaign = self.get_object()
        given = NewListSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        name, table = given.validated_data["file"]
        with refusals_as_errors(), transaction.atomic():
            campaign = campaigns.replace_file(
                campaign, file_name=name, table=table, by=request.user
            )
            campaign = read_list(campaign, given.validated_data.get("columns"))
        return self.answer(campaign)


class CampaignVerbView(OfCampaigns):
    """A POST that lets a campaign do something; 409 where it cannot."""

    problem_codes = CANNOT

    def do(self, verb):
        with refusals_as_errors():
            return self.answer(verb(self.get_object(), by=self.request.user))


class StartView(CampaignVerbView):
    @extend_schema(
        operation_id="campaign_start",
        summary="Start a campaign",
        description="One that is `ready`. Its contacts are called from now on, within "
        "the hours for calls where the telephone rings.",
        request=None,
        responses={200: CampaignDetailSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, campaign_id):
        return self.do(campaigns.start)


class PauseView(CampaignVerbView):
    @extend_schema(
        operation_id="campaign_pause",
        summary="Pause a campaign",
        description="No call of it is placed any more once this is answered; calls "
        "that are going on go on.",
        request=None,
        responses={200: CampaignDetailSerializer},
    )
    def post(self, request, campaign_id):
        return self.do(campaigns.pause)


class ResumeView(CampaignVerbView):
    @extend_schema(
        operation_id="campaign_resume",
        summary="Resume a campaign",
        description="One that is `paused`, by somebody or by itself (`pause_reason`).",
        request=None,
        responses={200: CampaignDetailSerializer},
    )
    def post(self, request, campaign_id):
        return self.do(campaigns.resume)


class CancelView(CampaignVerbView):
    @extend_schema(
        operation_id="campaign_cancel",
        summary="Cancel a campaign",
        description="Whoever has not been called is not called any more; calls that "
        "are going on go on. It cannot be resumed.",
        request=None,
        responses={200: CampaignDetailSerializer},
    )
    def post(self, request, campaign_id):
        return self.do(campaigns.cancel)


class RedialView(OfCampaigns):
    problem_codes = CANNOT

    @extend_schema(
        operation_id="campaign_redial",
        summary="Make a campaign that calls contacts again",
        description="Those that ended in one of `statuses`, but for numbers that are "
        "on the do-not-contact list by now. It is not started.",
        request=RedialSerializer,
        responses={201: CampaignDetailSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, campaign_id):
        campaign = self.get_object()
        given = RedialSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        statuses = given.validated_data.get("statuses", campaigns.USUALLY_REDIALLED)
        with refusals_as_errors():
            again = campaigns.redial(
                campaign, statuses=statuses, by=request.user, at=now()
            )
        return self.answer(again, status=201)


# -- What belongs to one ---------------------------------------------------------------


class PartsView(OfCampaigns, generics.ListAPIView):
    """A list of rows of `part` that belong to a campaign."""

    part = None

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.part.objects.none()
        theirs = Campaign.objects.for_owner(self.request.workspace)
        campaign = generics.get_object_or_404(theirs, pk=self.kwargs["campaign_id"])
        rows = self.part.objects.for_owner(self.request.workspace)
        return rows.filter(campaign=campaign)


class ContactFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=ScheduledCall.Status.choices)

    class Meta:
        model = ScheduledCall
        fields: list[str] = []


class ContactListView(PartsView):
    part = ScheduledCall
    serializer_class = ScheduledCallSerializer
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = ContactFilter
    filters = frozenset(ContactFilter.base_filters)

    @extend_schema(
        operation_id="campaign_contacts",
        summary="List a campaign's contacts",
        description="Scheduled calls: `line` is the line of the list; the last line "
        "comes first.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


@shown_as(answer=examples.REFUSED_ROW)
class RefusedRowSerializer(serializers.ModelSerializer):
    class Meta:
        model = RefusedRow
        fields = ["id", "line", "kind", "text", "reason", "created_at", "updated_at"]


class RefusedRowListView(PartsView):
    part = RefusedRow
    serializer_class = RefusedRowSerializer

    @extend_schema(
        operation_id="campaign_refused_rows",
        summary="List the rows of a campaign that were refused",
        description="Each with its line and why; the last line comes first.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


@shown_as(answer=examples.CAMPAIGN_EVENT)
class CampaignEventSerializer(serializers.ModelSerializer):
    sentence = serializers.CharField(read_only=True, help_text="For people.")

    class Meta:
        model = CampaignEvent
        fields = ["id", "kind", "sentence", "created_at", "updated_at"]


class CampaignLogView(PartsView):
    part = CampaignEvent
    serializer_class = CampaignEventSerializer

    def get_queryset(self):
        return super().get_queryset().select_related("by")

    @extend_schema(
        operation_id="campaign_log",
        summary="Read a campaign's log",
        description="What happened to it, and who did it.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class ResultsView(OfCampaigns):
    @extend_schema(
        operation_id="campaign_results",
        summary="Read a campaign's results",
        description="A CSV of all contacts in the order of the list: status, reason, "
        "attempts, the last call with its outcome and extracted data, and the other "
        "columns of the list. Cells that a spreadsheet would take for formulas begin "
        "with an apostrophe. Times are in UTC.",
        responses={
            (200, "text/csv"): OpenApiResponse(
                OpenApiTypes.STR,
                examples=[OpenApiExample("Results", value=examples.RESULTS)],
            )
        },
    )
    def get(self, request, campaign_id):
        return as_csv(campaign_results.rows(self.get_object()), "results.csv")
