"""The API of campaigns: the services that the pages call too."""

from django.db import transaction
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import generics
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from accounts.api_base import OwnedView, RowView, idempotent
from telephony.api import examples
from telephony.api.calls import PlacesCalls
from telephony.api.campaign_bodies import (
    CampaignChangeSerializer,
    CampaignDetailSerializer,
    CampaignEventSerializer,
    CampaignSerializer,
    NewCampaignSerializer,
    NewListSerializer,
    RedialSerializer,
    RefusedRowSerializer,
    read_list,
    refusals_as_errors,
)
from telephony.api.scheduled import ScheduledCallSerializer
from telephony.models import Campaign, CampaignEvent, RefusedRow, ScheduledCall
from telephony.services import campaign_results, campaigns
from voiceops.api import StrictJSONParser
from voiceops.spreadsheets import as_csv

CANNOT = {"POST": ["409"]}
RELATED = ("owner", "agent__owner", "agent__phone__carrier_account", "agent__prompt")
BY_FORM_OR_JSON = ("multipart/form-data", "application/json")


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
        request=dict.fromkeys(BY_FORM_OR_JSON, NewCampaignSerializer),
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
        request=dict.fromkeys(BY_FORM_OR_JSON, NewListSerializer),
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
