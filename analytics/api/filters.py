"""What the figures may be asked for: of which days, and of which calls and texts."""

from datetime import timedelta

from django.utils.timezone import now
from rest_framework import serializers

from accounts.zones import zone_names
from agents.models import MessageAgent, VoiceAgent
from analytics.periods import DAY, FIRST_DAY, LAST_DAY, MOST_DAYS, Period, today
from telephony.models import Call, Phone

USUAL_DAYS = 30


class RowOfOurs(serializers.PrimaryKeyRelatedField):
    """The id of a row of the workspace, also of a deleted one: its past is counted."""

    default_error_messages = {
        "does_not_exist": "There is no such row.",
        "incorrect_type": "Not an id.",
    }

    def get_queryset(self):
        owner = self.context["request"].workspace
        return super().get_queryset().for_owner(owner, with_deleted=True)


class Filters(serializers.Serializer):
    to = serializers.DateField(
        required=False, help_text="The last day, included; today where it is left out."
    )
    timezone = serializers.CharField(
        required=False,
        help_text="Whose days and hours: an IANA name. The workspace's by default.",
    )
    phone_id = RowOfOurs(queryset=Phone.objects, required=False)
    direction = serializers.ChoiceField(
        Call.Direction.choices, required=False, help_text="Both if it is left out."
    )

    def get_fields(self):
        """`from` is a word of Python's own."""
        first = serializers.DateField(
            required=False,
            help_text="The first day, included; the 30 days up to `to` if it is left "
            "out.",
        )
        return {"from": first} | super().get_fields()

    def validate_timezone(self, name):
        if name not in zone_names():
            raise serializers.ValidationError("Unknown time zone.")
        return name

    def validate(self, attrs):
        attrs["period"] = self._period(attrs)
        return attrs

    def _period(self, attrs) -> Period:
        zone = attrs.get("timezone") or self.context["request"].workspace.timezone
        last = attrs.get("to") or max(today(zone, now()), attrs.get("from", FIRST_DAY))
        first = attrs.get("from") or last - DAY * (USUAL_DAYS - 1)
        for name, day in (("from", first), ("to", last)):
            if not FIRST_DAY <= day <= LAST_DAY:
                wanted = f"A day from {FIRST_DAY} to {LAST_DAY}."
                raise serializers.ValidationError({name: [wanted]})
        if last < first:
            raise serializers.ValidationError({"to": ["This is before the first day."]})
        if last - first >= timedelta(days=MOST_DAYS):
            most = f"At most {MOST_DAYS:,} days at once."
            raise serializers.ValidationError({"to": [most]})
        return Period(first, last, zone)


class CallFilters(Filters):
    agent_id = RowOfOurs(
        queryset=VoiceAgent.objects, required=False, help_text="A voice agent."
    )


class TextFilters(Filters):
    agent_id = RowOfOurs(
        queryset=MessageAgent.objects, required=False, help_text="A message agent."
    )
