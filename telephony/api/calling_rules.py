"""The API of the calling rules, and of why a number may be called or not."""

from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.api_base import OwnedSerializer, OwnedView, RowView
from accounts.models import validate_time_zone
from accounts.permissions import Action
from agents.api.base import Weekdays
from agents.models import VoiceAgent
from telephony.api import examples
from telephony.api.scheduled import MomentField
from telephony.dialling.rules import Verdict
from telephony.models import Call, CallingRules
from telephony.services import dialling
from telephony.services.carrier import InvalidNumber, e164
from voiceops.api_schema import shown_as

MOST_COUNTRIES = 300


@shown_as(request=examples.CALLING_RULES_CHANGE, answer=examples.CALLING_RULES)
class CallingRulesSerializer(OwnedSerializer):
    window_days = Weekdays("Days of the callee.", allow_empty=False)
    countries = serializers.ListField(
        child=serializers.CharField(max_length=3),
        required=False,
        max_length=MOST_COUNTRIES,
        help_text="ISO 3166; none: those of the workspace's own numbers.",
    )
    countries_in_force = serializers.ListField(
        child=serializers.CharField(), read_only=True
    )
    placed_today = serializers.IntegerField(read_only=True)
    placed_this_month = serializers.IntegerField(read_only=True)

    class Meta:
        model = CallingRules
        fields = [
            "window_start",
            "window_end",
            "window_days",
            "countries",
            "countries_in_force",
            "calls_a_day",
            "calls_a_month",
            "placed_today",
            "placed_this_month",
        ]
        # Set by those who run the installation.
        read_only_fields = ["calls_a_day", "calls_a_month"]
        extra_kwargs = {
            "window_start": {"help_text": "On the clock of the callee."},
            "window_end": {"help_text": "Earlier than the start: on the next day."},
        }

    def validate_countries(self, codes):
        return sorted({code.upper() for code in codes})

    def update(self, rules, given) -> CallingRules:
        for name, value in given.items():
            setattr(rules, name, value)
        dialling.save_rules(rules)
        return rules

    def to_representation(self, rules):
        shown = {
            **super().to_representation(rules),
            "countries_in_force": [],
            "placed_today": 0,
            "placed_this_month": 0,
        }
        if rules.owner_id is None:  # a blank one is looked at for its defaults
            return shown
        today, this_month = dialling.counts(rules.owner, rules, now())
        in_force = sorted(dialling.countries_of(rules.owner, rules))
        return shown | {
            "countries_in_force": in_force,
            "placed_today": today.placed,
            "placed_this_month": this_month.placed,
        }


class CallingRulesView(RowView):
    model = CallingRules
    serializer_class = CallingRulesSerializer
    needed_action = Action.MANAGE_WORKSPACE
    http_method_names = ["get", "put", "patch", "head", "options"]

    def get_object(self):
        return dialling.rules_of(self.request.workspace)

    @extend_schema(
        operation_id="calling_rules_get",
        summary="Read the calling rules",
        description="When and where the workspace may call, and how many calls it has "
        "placed of those that it may.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="calling_rules_replace",
        summary="Replace the calling rules",
        description="Fields that are left out get their defaults back. They hold at "
        "once, for calls that are scheduled too. How many calls may be placed is set "
        "by those who run the installation.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(
        operation_id="calling_rules_change", summary="Change some of the calling rules"
    )
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)


class CheckSerializer(OwnedSerializer):
    """What is asked for, as query parameters."""

    agent_id = serializers.PrimaryKeyRelatedField(
        source="agent",
        queryset=VoiceAgent.objects.select_related(
            "owner", "phone__carrier_account", "prompt", "prompt_version"
        ),
    )
    to = serializers.CharField(max_length=30, help_text="The number, as E.164.")
    at = MomentField(required=False, help_text="Left out: now.")
    timezone = serializers.CharField(
        required=False,
        max_length=64,
        validators=[validate_time_zone],
        help_text="IANA; of the callee, where the number does not tell it rightly.",
    )

    class Meta:
        model = Call
        fields = ["agent_id", "to", "at", "timezone"]

    def validate(self, attrs):
        """Nothing of it is stored."""
        return attrs

    def validate_to(self, number):
        try:
            return e164(number)
        except InvalidNumber:  # that it is none is for the rules to say
            return number


class FindingSerializer(serializers.Serializer):
    rule = serializers.CharField()
    verdict = serializers.ChoiceField(choices=[str(verdict) for verdict in Verdict])
    text = serializers.CharField()
    later = serializers.DateTimeField(allow_null=True, help_text="When it would pass.")


@shown_as(answer=examples.CALLING_RULES_CHECK)
class DecisionSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    verdict = serializers.SerializerMethodField()
    decided_by = serializers.CharField(source="rule", help_text="Empty if allowed.")
    reason = serializers.CharField(help_text="Empty if allowed.")
    later = serializers.DateTimeField(
        allow_null=True, help_text="When a deferred call may be tried."
    )
    findings = FindingSerializer(many=True)

    def get_verdict(self, decision) -> serializers.ChoiceField(
        choices=["allowed", "refused", "deferred"]
    ):
        if decision.is_allowed:
            return "allowed"
        return "refused" if decision.is_refused else "deferred"


class CallingRulesCheckView(OwnedView):
    model = CallingRules
    serializer_class = DecisionSerializer
    filters = frozenset({"agent_id", "to", "at", "timezone"})
    problem_codes = {"GET": ["400"]}

    @extend_schema(
        operation_id="calling_rules_check",
        summary="May this number be called?",
        description="The whole chain of rules that decides at the moment of dialling, "
        "for an agent, a number and a time. Nothing is placed or scheduled.",
        parameters=[CheckSerializer],
    )
    def get(self, request):
        asked = CheckSerializer(
            data=request.query_params.dict(), context=self.get_serializer_context()
        )
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        decision = dialling.decide_call(
            wanted["agent"],
            wanted["to"],
            wanted.get("at") or now(),
            dialling.Wishes(timezone=wanted.get("timezone", "")),
        )
        return Response(self.get_serializer(decision).data)
