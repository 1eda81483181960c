"""The API of what is kept."""

from django.db import transaction
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts.api_auth import WorkspacePermission
from accounts.api_base import (
    ListCreateView,
    OwnedSerializer,
    OwnedView,
    StrictSerializer,
    idempotent,
)
from accounts.permissions import Action
from privacy import api_examples as examples
from privacy import downloads, erasures, exports, retention
from privacy.models import FEWEST_DAYS, MOST_DAYS, Erasure, Export, Retention
from telephony.addresses import public_url
from telephony.services.carrier import InvalidNumber, e164
from voiceops.api import Conflict
from voiceops.api_schema import shown_as
from voiceops.paging import MOST_COUNTED

BOUNDS = f"{FEWEST_DAYS} to {MOST_DAYS} days; null: for ever."


@shown_as(request=examples.NEW_RETENTION, answer=examples.RETENTION)
class RetentionSerializer(OwnedSerializer):
    would_remove = serializers.DictField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="By kind, about how many calls or texts would lose something now; "
        f"counted up to {MOST_COUNTED + 1}. Kinds that are kept for ever are left out.",
    )

    class Meta:
        model = Retention
        fields = [*retention.FIELDS, "would_remove"]
        extra_kwargs = {name: {"help_text": BOUNDS} for name in retention.FIELDS}

    def update(self, kept, given) -> Retention:
        return retention.save(kept.owner, **given)

    def to_representation(self, kept):
        days = {name: getattr(kept, name) for name in retention.FIELDS}
        return days | {"would_remove": retention.preview(kept.owner, now(), **days)}


class RetentionView(OwnedView):
    model = Retention
    serializer_class = RetentionSerializer
    needed_action = Action.MANAGE_WORKSPACE

    def get_object(self):
        return retention.find(self.request.workspace)

    @extend_schema(
        operation_id="retention_get",
        summary="Read for how long what is kept",
        description="And about how much is older than that by now.",
    )
    def get(self, request):
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        operation_id="retention_replace",
        summary="Set for how long what is kept",
        description="What is left out is kept for ever. What is older is removed bit "
        "by bit, for ever; figures and the rows of calls and texts stay.",
    )
    def put(self, request):
        serializer = self.get_serializer(self.get_object(), data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)


# -- Forget this number ----------------------------------------------------------------


@shown_as(request=examples.NEW_ERASURE)
class NewErasureSerializer(StrictSerializer):
    number = serializers.CharField(max_length=30, help_text="E.164")

    def validate_number(self, number):
        try:
            return e164(number)
        except InvalidNumber as error:
            raise serializers.ValidationError(str(error)) from None


@shown_as(answer=examples.ERASURE)
class ErasureSerializer(serializers.ModelSerializer):
    """The receipt: it tells of nobody."""

    percent = serializers.IntegerField(help_text="Of the work here.")
    asked_at = serializers.DateTimeField()
    erased = serializers.DictField(
        child=serializers.IntegerField(), help_text="By kind, how many."
    )
    at_carrier = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Recordings, texts and media that the carrier was asked to delete.",
    )

    class Meta:
        model = Erasure
        fields = [
            "id",
            "status",
            "percent",
            "asked_at",
            "done_here_at",
            "done_at",
            "erased",
            "at_carrier",
            "keeps_refusal",
        ]
        extra_kwargs = {
            "status": {
                "help_text": "`waiting`: a call with it goes on; `running`; "
                "`at_carrier`: nothing is left here; `done`."
            },
            "keeps_refusal": {
                "help_text": "Whether the number is still not contacted, by its hash."
            },
        }

    def to_representation(self, erasure):
        return super().to_representation(_Told(erasure))


class _Told:
    """A receipt's values by attribute."""

    def __init__(self, erasure: Erasure):
        self.__dict__.update(erasures.receipt(erasure))


class ErasureListView(ListCreateView):
    model = Erasure
    serializer_class = ErasureSerializer
    needed_action = Action.ERASE
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="erasure_list",
        summary="List the receipts of forgotten numbers",
        description="Newest first. They tell of nobody: keep the `id` with the request "
        "that you were sent.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="erasure_create",
        summary="Forget a number",
        description="Erases what is kept of whoever has it, in the background; it "
        "cannot be undone. Asked for again while it is at work, the answer is the "
        "same receipt. `409`: it is a number of yours, or agents hand over to it.",
        request=NewErasureSerializer,
        responses={202: ErasureSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request):
        serializer = NewErasureSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        number = serializer.validated_data["number"]
        try:
            erasure = erasures.ask(request.workspace, number)
        except erasures.Refused as refusal:
            raise Conflict(str(refusal)) from refusal
        return Response(ErasureSerializer(erasure).data, status=202)


class ErasureView(OwnedView):
    model = Erasure
    serializer_class = ErasureSerializer
    lookup_url_kwarg = "erasure_id"

    @extend_schema(
        operation_id="erasure_get",
        summary="Read the receipt of a forgotten number",
        description="While it is at work, how far it has come.",
    )
    def get(self, request, erasure_id):
        return Response(self.get_serializer(self.get_object()).data)


# -- Everything as a file --------------------------------------------------------------


class MayExport(WorkspacePermission):
    """Reading it takes the right too: all that the workspace has is in it."""

    def has_permission(self, request, view):
        return (
            super().has_permission(request, view)
            and (request.membership.may[Action.EXPORT])
        )


@shown_as(answer=examples.EXPORT)
class ExportSerializer(serializers.ModelSerializer):
    file_url = serializers.SerializerMethodField(
        help_text="Where the file is; null while there is none."
    )

    class Meta:
        model = Export
        fields = [
            "id",
            "status",
            "percent",
            "size",
            "counts",
            "file_url",
            "done_at",
            "expires_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields
        extra_kwargs = {
            "status": {
                "help_text": "`running`; `done`: it can be fetched until `expires_at`; "
                "`failed`; `expired`: it was deleted."
            },
            "size": {"help_text": "Bytes."},
        }

    def get_file_url(self, export) -> str | None:
        path = f"/api/exports/{export.pk}/file"
        return public_url(path) if export.is_ready else None


class ExportBase(OwnedView):
    model = Export
    serializer_class = ExportSerializer
    permission_classes = [MayExport]
    needed_action = Action.EXPORT
    lookup_url_kwarg = "export_id"


class ExportListView(ExportBase, generics.ListAPIView):
    @extend_schema(
        operation_id="export_list",
        summary="List exports",
        description="Newest first. For the owner.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="export_create",
        summary="Export everything",
        description="Has everything in the workspace put into one ZIP file of JSON "
        "lines, in the background; ask for it by its `id`. While one is being made, "
        "the answer is that one. For the owner.",
        request=None,
        responses={202: ExportSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request):
        export = exports.ask(request.workspace, by=request.user)
        return Response(self.get_serializer(export).data, status=202)


class ExportView(ExportBase):
    @extend_schema(
        operation_id="export_get",
        summary="Read an export",
        description="How much of it is made, and where the file is. For the owner.",
    )
    def get(self, request, export_id):
        return Response(self.get_serializer(self.get_object()).data)


class ExportFileView(ExportBase):
    def get_queryset(self):
        return super().get_queryset().filter(status=Export.Status.DONE)

    @extend_schema(
        operation_id="export_file",
        summary="Fetch an export's file",
        description="404 while there is none, and after three days. For the owner.",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request, export_id):
        return downloads.file_of(self.get_object())
