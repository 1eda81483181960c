"""The API of calls: reading, placing and ending them."""

import re
import uuid
from contextlib import nullcontext
from datetime import UTC, date, datetime, time, timedelta

from django.core.validators import RegexValidator
from django.db import transaction
from django.http import Http404
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response

from accounts.api_base import (
    IndexedFilterBackend,
    OwnedSerializer,
    OwnedView,
    StrictSerializer,
    idempotent,
)
from accounts.models import AccessToken
from accounts.permissions import Action
from agents.api.base import Variables
from agents.models import VoiceAgent
from agents.outcomes import Outcome
from telephony import twilio
from telephony.addresses import public_url
from telephony.api import examples
from telephony.api.media_links import MediaLinkSerializer
from telephony.models import (
    AfterCall,
    Call,
    CallCost,
    CallEvent,
    CallFact,
    Intervention,
    Phone,
    Standing,
    Turn,
)
from telephony.services import (
    after_call,
    history,
    media_links,
    placing,
    recordings,
    taking_part,
)
from telephony.services import costs as pricing
from telephony.services.carrier import InvalidNumber, e164
from telephony.sound import sound_of
from voiceops.api import CarrierProblem, Conflict
from voiceops.api_schema import shown_as
from voiceops.filters import DAYS

CALL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _agents(request):
    return VoiceAgent.objects.for_owner(request.workspace, with_deleted=True)


def _phones(request):
    return Phone.objects.for_owner(request.workspace, with_deleted=True)


class CallFilter(filters.FilterSet):
    """`from` and `to` are dates in UTC, both included."""

    direction = filters.ChoiceFilter(choices=Call.Direction.choices)
    status = filters.ChoiceFilter(choices=Call.Status.choices)
    agent_id = filters.ModelChoiceFilter(field_name="agent", queryset=_agents)
    phone_id = filters.ModelChoiceFilter(field_name="phone", queryset=_phones)
    number = filters.CharFilter(
        method="with_number", max_length=20, validators=[RegexValidator(r"[0-9]")]
    )
    to = filters.DateFilter(method="until", validators=DAYS)
    q = filters.CharFilter(method="saying", max_length=100)

    class Meta:
        model = Call
        fields: list[str] = []

    def by_index(self, calls):
        """The fewest calls that an index finds and that have all the wanted ones."""
        wanted = self.form.cleaned_data
        until = wanted["to"] and wanted["to"] + timedelta(days=1)
        return calls.by_index(
            agent=wanted["agent_id"],
            phone=wanted["phone_id"],
            since=wanted["from"] and _midnight(wanted["from"]),
            until=until and _midnight(until),
        )

    @property
    def search(self):
        wanted = self.form.cleaned_data.items()
        asked = {name.removesuffix("_id") for name, value in wanted if value}
        return history.search_for(asked, self.filter_queryset)

    def with_number(self, calls, name, number):
        return calls.with_number(re.sub(r"[^0-9]", "", number))

    def since(self, calls, name, day):
        return calls.started_from(_midnight(day))

    def until(self, calls, name, day):
        return calls.started_before(_midnight(day + timedelta(days=1)))

    def saying(self, calls, name, words):
        return calls.saying(words)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


# `from` is a word of Python's own.
CallFilter.base_filters["from"] = filters.DateFilter(method="since", validators=DAYS)


class ToolUseSerializer(serializers.Serializer):
    """One use of a tool in the conversation; the turn's text is its answer."""

    name = serializers.CharField()
    arguments = serializers.CharField(help_text="JSON, as the model wrote it.")
    status = serializers.ChoiceField(
        Turn.ToolStatus.choices,
        help_text="`abandoned`: the call ended, or the caller spoke on, before it was "
        "done.",
    )
    elapsed_ms = serializers.IntegerField()


class TurnSerializer(serializers.ModelSerializer):
    tool = ToolUseSerializer(
        allow_null=True, help_text="What a tool was asked; null for speech."
    )

    class Meta:
        model = Turn
        fields = [
            "number",
            "speaker",
            "text",
            "at",
            "reply_ms",
            "interrupted",
            "tool",
            "by",
        ]
        extra_kwargs = {
            "speaker": {
                "help_text": "`instruction`: of the team to the agent, unheard by the "
                "caller."
            },
            "by": {"help_text": "Who of the team wanted this turn; empty: nobody did."},
        }


class CallCostSerializer(serializers.ModelSerializer):
    class Meta:
        model = CallCost
        fields = [
            "part",
            "amount",
            "currency",
            "is_estimate",
            "input_tokens",
            "output_tokens",
        ]
        extra_kwargs = {"amount": {"help_text": "null where it is unknown."}}


class CallEventSerializer(serializers.ModelSerializer):
    sequence = serializers.SerializerMethodField()

    class Meta:
        model = CallEvent
        fields = ["status", "at", "sequence"]

    def get_sequence(self, event) -> int | None:
        """The carrier's number of the event; null for events of our own."""
        return event.sequence if event.sequence >= 0 else None


@extend_schema_field({"type": "object", "additionalProperties": True})
class ExtractedField(serializers.JSONField):
    """What was pulled out of a call, as the model gave it and the schema allowed."""


class TextAfterCall(serializers.CharField):
    """A text of the call's `AfterCall`; empty for a call that has none yet."""

    def __init__(self, **kwargs):
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, call):
        return super().get_attribute(call) or ""


@shown_as(answer=examples.CALL)
class CallSerializer(serializers.ModelSerializer):
    phone_id = serializers.UUIDField(read_only=True, allow_null=True)
    agent_id = serializers.UUIDField(read_only=True, allow_null=True)
    analysis_status = serializers.ChoiceField(
        choices=AfterCall.Analysis.choices,
        source="after_call.analysis",
        allow_null=True,
        read_only=True,
        help_text="null until the call has ended.",
    )
    analysis_error = TextAfterCall(
        source="after_call.error", help_text="Why it failed, or what is missing."
    )
    outcome = TextAfterCall(
        source="after_call.outcome",
        help_text=f"Empty, or one of: {', '.join(Outcome.values)}.",
    )
    summary = TextAfterCall(source="after_call.summary")
    extracted = ExtractedField(
        source="after_call.extracted",
        allow_null=True,
        read_only=True,
        help_text="Valid by the agent's `extraction_schema`; null if there is none.",
    )

    recording_url = serializers.SerializerMethodField(
        help_text="Where the sound of the call is, with your token; null: nowhere."
    )

    class Meta:
        model = Call
        extra_kwargs = {
            "words_removed_at": {
                "help_text": "Since when its words (turns, summary, facts) are not "
                "kept any more; null: they are."
            },
            "events_removed_at": {"help_text": "Likewise of its events."},
        }
        fields = [
            "id",
            "sid",
            "direction",
            "status",
            "from_number",
            "to_number",
            "phone_id",
            "agent_id",
            "is_test",
            "started_at",
            "answered_at",
            "ended_at",
            "duration_s",
            "answered_by",
            "end_reason",
            "end_detail",
            "placement",
            "variables",
            "analysis_status",
            "analysis_error",
            "outcome",
            "summary",
            "extracted",
            "cost",
            "currency",
            "recording_url",
            "words_removed_at",
            "events_removed_at",
            "created_at",
            "updated_at",
        ]

    def get_recording_url(self, call) -> str | None:
        """A list has read all `sounds` at once."""
        sounds = getattr(call, "sounds", None)
        has_sound = recordings.to_hear(call) if sounds is None else sounds
        return public_url(f"/api/calls/{call.pk}/recording") if has_sound else None


@shown_as(answer=examples.INTERVENTION)
class InterventionSerializer(serializers.ModelSerializer):
    status = serializers.ChoiceField(
        Intervention.Status.choices,
        source="standing",
        help_text="`waiting` and `taken` are on their way. `done`; `too_late`: the "
        "call had ended; `not_reached`: whoever has the call did not take it in time, "
        "and it will not be done; `lost`: the connection broke off meanwhile.",
    )
    by = serializers.CharField(source="by_name")

    class Meta:
        model = Intervention
        fields = ["id", "kind", "text", "status", "by", "created_at", "updated_at"]


class CallFactSerializer(serializers.ModelSerializer):
    noted_at = serializers.DateTimeField(source="updated_at")

    class Meta:
        model = CallFact
        fields = ["name", "value", "noted_at"]


@shown_as(answer=examples.CALL_DETAIL)
class CallDetailSerializer(CallSerializer):
    costs = serializers.SerializerMethodField()
    cost_standing = serializers.SerializerMethodField(
        help_text="`waiting`: the carrier's price or the model's is still to come; "
        "`incomplete`: a part has no price; `final`."
    )
    turns = serializers.SerializerMethodField()
    interventions = serializers.SerializerMethodField(
        help_text="What people wanted of the call while it went on."
    )
    facts = serializers.SerializerMethodField(
        help_text="What the agent wrote down during the call."
    )
    events = serializers.SerializerMethodField()

    class Meta(CallSerializer.Meta):
        fields = [
            *CallSerializer.Meta.fields,
            "costs",
            "cost_standing",
            "turns",
            "interventions",
            "facts",
            "events",
        ]

    def get_costs(self, call) -> CallCostSerializer(many=True):
        costs = call.costs.for_owner(call.owner_id)
        return CallCostSerializer(costs, many=True).data

    def get_cost_standing(self, call) -> serializers.ChoiceField(Standing.choices):
        parts = call.costs.for_owner(call.owner_id)
        return pricing.standing_of(call, parts)

    def get_turns(self, call) -> TurnSerializer(many=True):
        # Without their words they are figures alone.
        turns = [] if call.words_removed_at else call.turns.for_owner(call.owner_id)
        return TurnSerializer(turns, many=True).data

    def get_facts(self, call) -> CallFactSerializer(many=True):
        facts = call.facts.for_owner(call.owner_id)
        return CallFactSerializer(facts, many=True).data

    def get_interventions(self, call) -> InterventionSerializer(many=True):
        rows = call.interventions.for_owner(call.owner_id).select_related("by")
        return InterventionSerializer(rows, many=True).data

    def get_events(self, call) -> CallEventSerializer(many=True):
        events = call.events.for_owner(call.owner_id)
        return CallEventSerializer(events, many=True).data


@shown_as(request=examples.NEW_CALL)
class NewCallSerializer(OwnedSerializer):
    agent_id = serializers.PrimaryKeyRelatedField(
        source="agent",
        queryset=VoiceAgent.objects.select_related(
            "owner", "phone__carrier_account", "prompt", "prompt_version"
        ),
    )
    to = serializers.CharField(max_length=30, help_text="E.164")
    variables = Variables(
        required=False, help_text="Values for placeholders, for this call alone."
    )

    class Meta:
        model = Call
        fields = ["agent_id", "to", "variables"]

    def validate(self, attrs):
        """Leave the rules to the service."""
        return attrs

    def validate_to(self, number):
        try:
            return e164(number)
        except InvalidNumber as error:
            raise serializers.ValidationError(str(error)) from error


class PlacesCalls:
    """Whoever writes here makes telephones ring, or silences them."""

    needed_action = Action.PLACE_CALLS

    @property
    def needed_scope(self):
        reads = self.request.method in SAFE_METHODS
        return None if reads else AccessToken.Scope.PLACE_CALLS


class CallListView(PlacesCalls, OwnedView, generics.ListAPIView):
    model = Call
    serializer_class = CallSerializer
    problem_codes = {"POST": ["409"]}
    filter_backends = [IndexedFilterBackend]
    filterset_class = CallFilter
    filters = frozenset(CallFilter.base_filters)

    def get_queryset(self):
        calls = super().get_queryset().select_related("after_call")
        return recordings.with_sounds(calls)

    @extend_schema(
        operation_id="call_list",
        summary="List calls",
        description=(
            "With other filters than one of `agent_id` and `phone_id`, a page looks"
            f" through {history.SEARCHED_CALLS:,} calls (with `q` through"
            f" {history.SEARCHED_TRANSCRIPTS:,} transcripts) and no further: it may"
            " have fewer rows than `page_size`, or none, and a `next` that leads on."
            " The list has ended when `next` is null."
        ),
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="call_place",
        summary="Place a call",
        description="The calling rules decide first: what they do not allow now is a "
        "409 that says why, and when it would be allowed. The call is placed in a "
        "moment: its `placement` says how far it has got. Takes the scope "
        "`calls:place`.",
        request=NewCallSerializer,
        responses={202: CallSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        given = NewCallSerializer(
            data=request.data, context=self.get_serializer_context()
        )
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        call = placing.call_now(
            agent=wanted["agent"],
            number=wanted["to"],
            variables=wanted.get("variables", {}),
            by=request.user,
            at=now(),
        )
        if call.has_ended:
            # Answered, not raised: the refusal is written down with the call.
            return self.handle_exception(Conflict(call.end_detail))
        return Response(self.get_serializer(call).data, status=202)


class ActiveCallListView(OwnedView, generics.ListAPIView):
    model = Call
    serializer_class = CallSerializer

    def get_queryset(self):
        calls = super().get_queryset().in_progress().select_related("after_call")
        return recordings.with_sounds(calls)

    @extend_schema(
        operation_id="call_active",
        summary="List calls that are going on",
        description="Queued, initiated, ringing or in progress now.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class NamedCallView(OwnedView):
    """A view of one call, by our id or by the carrier's SID."""

    model = Call

    def get_object(self):
        given = self.kwargs["call_sid"]
        if not CALL_NAME.fullmatch(given):
            raise Http404
        calls = self.get_queryset()
        call = (
            calls.filter(sid=given).first() or calls.filter(pk=_as_uuid(given)).first()
        )
        if call is None:
            raise Http404
        return call


class CallView(NamedCallView, generics.RetrieveAPIView):
    serializer_class = CallDetailSerializer

    @extend_schema(
        operation_id="call_get",
        summary="Read a call",
        description="By our id or by the carrier's SID, with its turns and events.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class CallRecordingView(NamedCallView):
    problem_codes = {"GET": ["502"]}

    def get_queryset(self):
        return super().get_queryset().select_related("carrier_account")

    @extend_schema(
        operation_id="call_recording",
        summary="Hear a call",
        description="The sound of the call as the carrier keeps it, a WAV file of two "
        "channels: the other party, the agent. 404 where nothing was recorded.",
        responses={(200, "audio/wav"): OpenApiTypes.BINARY},
    )
    def get(self, request, call_sid):
        try:
            return sound_of(self.get_object())
        except twilio.CarrierError as error:
            raise CarrierProblem(str(error)) from error


class CallRecordingLinkView(NamedCallView):
    serializer_class = MediaLinkSerializer

    @extend_schema(
        operation_id="call_recording_link",
        summary="Get an address at which a call can be heard",
        description="It opens the recording without any log-in, for one to two hours: "
        "give it to a player, not to the public. 404 where nothing was recorded.",
    )
    def get(self, request, call_sid):
        call = self.get_object()
        if recordings.to_hear(call) is None:
            raise Http404
        link = media_links.to_recording(call, at=now())
        return Response(self.get_serializer(link).data)


class CallAnalyzeView(NamedCallView):
    serializer_class = CallDetailSerializer
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="call_analyze",
        summary="Analyze a call again",
        description="For a call that has ended: after a failure, or when the agent's "
        "`extraction_schema` has changed. The model is asked in the background; "
        "`call.analyzed` is sent again when it is done.",
        request=None,
        responses={202: CallDetailSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, call_sid):
        call = self.get_object()
        if not call.has_ended:
            raise Conflict("The call has not ended.")
        if not after_call.analyze_again(call):
            raise Conflict("The call is being analyzed.")
        return Response(self.get_serializer(self.get_object()).data, status=202)


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


@shown_as(request=examples.HANG_UP)
class HangUpSerializer(StrictSerializer):
    goodbye = serializers.BooleanField(
        default=False, help_text="Have the agent say its last words first."
    )


class CallHangUpView(PlacesCalls, NamedCallView):
    serializer_class = CallSerializer
    problem_codes = {"POST": ["409", "502"]}

    @extend_schema(
        operation_id="call_hang_up",
        summary="End a call",
        description="Whoever is speaking. One that was not placed yet is not placed; "
        "one that is over is a 409. With `goodbye` it is the agent that ends it.",
        request=HangUpSerializer,
        responses={202: CallSerializer},
    )
    @idempotent(within=nullcontext)
    def post(self, request, call_sid):
        call = self.get_object()
        given = HangUpSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            if given.validated_data["goodbye"]:
                kind = Intervention.Kind.END
                taking_part.ask(call, kind=kind, by=request.user, at=now())
            else:
                placing.hang_up(call, by=request.user)
        except (placing.CannotHangUp, taking_part.CannotTakePart) as error:
            raise Conflict(str(error)) from error
        except twilio.CarrierError as error:
            raise CarrierProblem(str(error)) from error
        call.refresh_from_db()
        return Response(self.get_serializer(call).data, status=202)


@shown_as(request=examples.WORDS)
class WordsSerializer(StrictSerializer):
    text = serializers.CharField(max_length=500)


@shown_as(request=examples.HAND_OVER)
class HandOverSerializer(StrictSerializer):
    to = serializers.CharField(
        max_length=30,
        required=False,
        default="",
        help_text="E.164; without it, the agent's `transfer_number`.",
    )


class TakePartView(PlacesCalls, NamedCallView):
    """Something that a person wants of a call that is going on."""

    problem_codes = {"POST": ["409"]}

    def get_queryset(self):
        return super().get_queryset().select_related("agent", "owner")

    def ask(self, request, kind, words):
        """`words` is the name of the body's field that has them."""
        given = self.get_serializer(data=request.data)
        call = self.get_object()
        given.is_valid(raise_exception=True)
        text = given.validated_data[words]
        try:
            wish = taking_part.ask(
                call, kind=kind, text=text, by=request.user, at=now()
            )
        except taking_part.CannotTakePart as error:
            raise Conflict(str(error)) from error
        except InvalidNumber as error:
            raise serializers.ValidationError({words: [str(error)]}) from error
        return Response(InterventionSerializer(wish).data, status=202)


class CallSayView(TakePartView):
    serializer_class = WordsSerializer

    @extend_schema(
        operation_id="call_say",
        summary="Have the agent say something",
        description="The agent says it next, behind a reply that it is making. What "
        "came of it stands in the call's `interventions`. 409 if the agent is not "
        "talking to anybody. Takes the scope `calls:place`.",
        responses={202: InterventionSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, call_sid):
        return self.ask(request, Intervention.Kind.SAY, "text")


class CallWhisperView(TakePartView):
    serializer_class = WordsSerializer

    @extend_schema(
        operation_id="call_whisper",
        summary="Tell the agent something",
        description="The caller does not hear it; the agent follows it from its next "
        "reply on. Otherwise like saying something.",
        responses={202: InterventionSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, call_sid):
        return self.ask(request, Intervention.Kind.WHISPER, "text")


class CallTransferView(TakePartView):
    serializer_class = HandOverSerializer

    @extend_schema(
        operation_id="call_transfer",
        summary="Hand a call over",
        description="To a person, as the agent would do it: if nobody answers there, "
        "the agent has the caller back. What the calling rules forbid is a 409.",
        responses={202: InterventionSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, call_sid):
        return self.ask(request, Intervention.Kind.TRANSFER, "to")
