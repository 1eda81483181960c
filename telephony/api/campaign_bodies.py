"""What the API of campaigns takes and gives."""

import json
from contextlib import contextmanager

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from drf_spectacular.utils import extend_schema_field as shown_in_schema_as
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.api_base import OwnedSerializer, StrictSerializer
from agents.api.base import WindowDays, WindowTime
from agents.models import VoiceAgent
from telephony.api import examples
from telephony.callees import HEADINGS, suggested
from telephony.models import Campaign, CampaignEvent, RefusedRow
from telephony.services import campaigns
from telephony.tables import Unreadable, decode, table_of
from voiceops.api import Conflict
from voiceops.api_schema import shown_as

REFUSED_SHOWN = 200
FIELDS_OF = {"to": "columns"}  # the services' names: the API's


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


@shown_as(answer=examples.REFUSED_ROW)
class RefusedRowSerializer(serializers.ModelSerializer):
    class Meta:
        model = RefusedRow
        fields = ["id", "line", "kind", "text", "reason", "created_at", "updated_at"]


@shown_as(answer=examples.CAMPAIGN_EVENT)
class CampaignEventSerializer(serializers.ModelSerializer):
    sentence = serializers.CharField(read_only=True, help_text="For people.")

    class Meta:
        model = CampaignEvent
        fields = ["id", "kind", "sentence", "created_at", "updated_at"]
