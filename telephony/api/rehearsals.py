"""The API of test scripts and their runs."""

from contextlib import contextmanager

from django.db import transaction
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
from agents.models import VoiceAgent
from telephony.api import examples
from telephony.api.calls import NamedCallView
from telephony.models import Rehearsal, TestScript
from telephony.rehearsing.scripts import EndedBy, Kind
from telephony.services import rehearsals
from voiceops.api import Conflict
from voiceops.api_schema import shown_as

FIELDS_OF = {"agent": "agent_id"}  # our names: the API's


class JSONObject(serializers.DictField):
    """Any JSON object; what it may hold is the model's rule."""


class Answers(serializers.DictField):
    child = serializers.CharField(allow_blank=True, trim_whitespace=False)


@contextmanager
def refusals_as_errors():
    """What the service refuses: a field's error, or a conflict."""
    try:
        yield
    except rehearsals.Refused as refusal:
        if refusal.field is None:
            raise Conflict(str(refusal)) from refusal
        field = FIELDS_OF.get(refusal.field, refusal.field)
        raise ValidationError({field: [str(refusal)]}) from refusal


@shown_as(request=examples.NEW_TEST_SCRIPT, answer=examples.TEST_SCRIPT)
class TestScriptSerializer(OwnedSerializer):
    __test__ = False  # pytest: not a test class

    agent_id = serializers.PrimaryKeyRelatedField(
        source="agent", queryset=VoiceAgent.objects.all()
    )
    turns = serializers.ListField(
        child=JSONObject(),
        required=False,
        help_text="What the caller does, in order: each has one of `say`, `interrupt` "
        "(with `after_chars`), `press`, `break_off` (hangs up in the middle of these "
        "words), `silence_s` and `hang_up`. Only callers that do what they do anyway "
        "need none.",
    )
    expectations = serializers.ListField(
        child=JSONObject(),
        required=False,
        help_text=f"Each has a `kind`: {', '.join(Kind.values)}. `text` goes with the "
        "first three, and `turn`, which narrows them to what the agent says after the "
        "caller's words of this number, 0: before any. `matches` takes RE2's syntax. "
        "`tool` and `arguments` go with tools, `ms` with `replies_within_ms`, `reason` "
        f"with `ended_by`: {', '.join(EndedBy.values)}.",
    )
    tool_answers = Answers(
        required=False,
        help_text="What tools answer instead of being used, by their names.",
    )
    made_from_call_id = serializers.PrimaryKeyRelatedField(
        source="made_from", read_only=True, allow_null=True
    )

    class Meta:
        model = TestScript
        fields = [
            "id",
            "agent_id",
            "name",
            "caller",
            "turns",
            "expectations",
            "tool_answers",
            "made_from_call_id",
            "is_deleted",
            "created_at",
            "updated_at",
        ]

    def create(self, given) -> TestScript:
        return self._save(TestScript(owner=self._owner()), given)

    def update(self, script, given) -> TestScript:
        return self._save(script, given)

    def _save(self, script, given) -> TestScript:
        for name, value in given.items():
            setattr(script, name, value)
        with refusals_as_errors():
            return rehearsals.save_script(script)


@shown_as(answer=examples.REHEARSAL)
class RehearsalSerializer(serializers.ModelSerializer):
    script_id = serializers.UUIDField(read_only=True)
    agent_id = serializers.UUIDField(read_only=True)
    call_id = serializers.UUIDField(read_only=True, allow_null=True)
    way = serializers.ChoiceField(
        Rehearsal.Way.choices,
        help_text="`line`: the simulator called the agent; `text`: turn by turn, where "
        "no simulator runs. Empty while it waits.",
    )
    results = serializers.ListField(
        child=JSONObject(),
        help_text="Every expectation, with `passed` and what was `seen`.",
    )
    version = serializers.CharField(
        help_text="The same for two runs if the agent was the same: a hash of all "
        "that decides how it talks."
    )
    error = serializers.CharField(
        help_text="Why the run could not be finished, or how the call broke."
    )

    class Meta:
        model = Rehearsal
        fields = [
            "id",
            "script_id",
            "agent_id",
            "status",
            "way",
            "call_id",
            "results",
            "error",
            "version",
            "prompt_version",
            "model_label",
            "started_at",
            "ended_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


@shown_as(answer={"results": [examples.REHEARSAL]})
class StartedRehearsalsSerializer(serializers.Serializer):
    results = RehearsalSerializer(many=True)


def _agents(request):
    return VoiceAgent.objects.for_owner(request.workspace)


def _scripts(request):
    return TestScript.objects.for_owner(request.workspace)


class TestScriptFilter(filters.FilterSet):
    __test__ = False  # pytest: not a test class

    agent_id = filters.ModelChoiceFilter(field_name="agent", queryset=_agents)

    class Meta:
        model = TestScript
        fields: list[str] = []


class TestScriptListView(ListCreateView):
    model = TestScript
    serializer_class = TestScriptSerializer
    problem_codes = {"POST": ["409"]}
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = TestScriptFilter
    filters = frozenset(TestScriptFilter.base_filters)

    @extend_schema(operation_id="test_script_list", summary="List tests of agents")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="test_script_create",
        summary="Write a test of an agent",
        description="What a caller does in a call with the agent, and what is expected "
        "of it. `caller` says in which manner it is done.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class TestScriptView(RowView):
    model = TestScript
    lookup_url_kwarg = "script_id"
    serializer_class = TestScriptSerializer
    problem_codes = {"PUT": ["409"], "PATCH": ["409"]}

    @extend_schema(operation_id="test_script_get", summary="Read a test")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="test_script_replace",
        summary="Replace a test",
        description="Fields that are left out get their defaults back.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(operation_id="test_script_change", summary="Change a test")
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)

    @extend_schema(
        operation_id="test_script_delete",
        summary="Delete a test",
        description="Its runs stay.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, script):
        rehearsals.delete_script(script)


class RunView(OwnedView):
    model = TestScript
    lookup_url_kwarg = "script_id"
    serializer_class = RehearsalSerializer
    problem_codes = {"POST": ["409"]}

    def get_queryset(self):
        return super().get_queryset().select_related("agent", "owner")

    @extend_schema(
        operation_id="test_script_run",
        summary="Run a test",
        description="With the agent as it is saved now. Read the run by its id until "
        "its `status` is `passed`, `failed` or `interrupted`. While one is under way, "
        "that one is the answer.",
        request=None,
        responses={202: RehearsalSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, script_id):
        with refusals_as_errors():
            run = rehearsals.run(self.get_object(), by=request.user)
        return Response(self.get_serializer(run).data, status=202)


class RehearseAgentView(OwnedView):
    model = VoiceAgent
    lookup_url_kwarg = "agent_id"
    serializer_class = RehearsalSerializer
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="agent_rehearse",
        summary="Run all tests of an agent",
        description="In the order of their names. An agent without tests is a 409.",
        request=None,
        responses={202: StartedRehearsalsSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, agent_id):
        with refusals_as_errors():
            runs = rehearsals.run_all(self.get_object(), by=request.user)
        results = self.get_serializer(runs, many=True).data
        return Response({"results": results}, status=202)


class RehearsalFilter(filters.FilterSet):
    agent_id = filters.ModelChoiceFilter(field_name="agent", queryset=_agents)
    script_id = filters.ModelChoiceFilter(field_name="script", queryset=_scripts)
    status = filters.ChoiceFilter(choices=Rehearsal.Status.choices)
    version = filters.CharFilter(max_length=12)

    class Meta:
        model = Rehearsal
        fields: list[str] = []


class RehearsalListView(OwnedView, generics.ListAPIView):
    model = Rehearsal
    serializer_class = RehearsalSerializer
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = RehearsalFilter
    filters = frozenset(RehearsalFilter.base_filters)

    @extend_schema(operation_id="rehearsal_list", summary="List runs of tests")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class RehearsalView(OwnedView, generics.RetrieveAPIView):
    model = Rehearsal
    lookup_url_kwarg = "rehearsal_id"
    serializer_class = RehearsalSerializer

    @extend_schema(operation_id="rehearsal_get", summary="Read a run of a test")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class CallTestScriptView(NamedCallView):
    serializer_class = TestScriptSerializer
    problem_codes = {"POST": ["409"]}

    def get_queryset(self):
        return super().get_queryset().select_related("agent", "owner")

    @extend_schema(
        operation_id="call_make_test",
        summary="Make a test of a call",
        description="The caller does what the caller of this call did, and the "
        "workspace's own tools answer as they answered then. What is expected is a "
        "suggestion: change it. A call in which the caller said nothing is a 409.",
        request=None,
        responses={201: TestScriptSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, call_sid):
        with refusals_as_errors():
            script = rehearsals.script_of(self.get_object())
        return Response(self.get_serializer(script).data, status=201)
