"""The API of the audit log: reading it."""

from datetime import UTC, datetime, time, timedelta

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers

from accounts import api_examples as examples
from accounts import audit
from accounts.api_base import OwnedView
from accounts.audit import Action, Source
from accounts.models import AuditEntry
from voiceops.api_schema import shown_as
from voiceops.filters import DAYS


def _people(request):
    return audit.people_of(request.workspace)


class AuditFilter(filters.FilterSet):
    """`from` and `to` are dates in UTC, both included."""

    user_id = filters.ModelChoiceFilter(field_name="user", queryset=_people)
    kind = filters.ChoiceFilter(
        choices=lambda: [(kind, kind) for kind in audit.audited_models()]
    )
    action = filters.ChoiceFilter(choices=Action.choices)
    source = filters.ChoiceFilter(choices=Source.choices)
    object_id = filters.UUIDFilter(method="about")
    to = filters.DateFilter(method="until", validators=DAYS)
    q = filters.CharFilter(method="called", max_length=100)

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    def about(self, entries, name, pk):
        return entries.filter(object_id=str(pk))

    def since(self, entries, name, day):
        return entries.made_from(_midnight(day))

    def until(self, entries, name, day):
        return entries.made_before(_midnight(day + timedelta(days=1)))

    def called(self, entries, name, text):
        return entries.called(text)


def _midnight(day):
    return datetime.combine(day, time.min, tzinfo=UTC)


# `from` is a word of Python's own.
AuditFilter.base_filters["from"] = filters.DateFilter(method="since", validators=DAYS)


class ActorSerializer(serializers.Serializer):
    user_id = serializers.SerializerMethodField()
    name = serializers.CharField(source="actor_name")
    email = serializers.CharField(source="actor_email")
    api_key_id = serializers.SerializerMethodField()
    api_key_name = serializers.CharField(source="token_name")
    api_key_prefix = serializers.CharField(source="token_prefix")

    def get_user_id(self, entry) -> str | None:
        """Null for VoiceOps itself, for operators, and once the person is deleted."""
        is_operator = entry.source == Source.OPERATOR
        return None if is_operator or entry.user_id is None else str(entry.user_id)

    def get_api_key_id(self, entry) -> str | None:
        is_key = entry.source == Source.API_KEY and entry.token_id is not None
        return str(entry.token_id) if is_key else None


class ObjectSerializer(serializers.Serializer):
    kind = serializers.CharField()
    id = serializers.CharField(source="object_id")
    name = serializers.CharField(source="label", help_text="As it was then.")


@shown_as(answer=examples.AUDIT_ENTRY)
class AuditEntrySerializer(serializers.ModelSerializer):
    actor = ActorSerializer(source="*")
    object = ObjectSerializer(source="*")
    changes = serializers.DictField(
        child=serializers.ListField(min_length=2, max_length=2),
        help_text="For each field what it was and what it became: secrets as dots, "
        "of long texts an excerpt.",
    )

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "action",
            "object",
            "changes",
            "actor",
            "source",
            "address",
            "request_id",
            "created_at",
            "updated_at",
        ]


class AuditLogView(OwnedView, generics.ListAPIView):
    model = AuditEntry
    serializer_class = AuditEntrySerializer
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = AuditFilter
    filters = frozenset(AuditFilter.base_filters)

    @extend_schema(
        operation_id="audit_log",
        summary="Read the audit log",
        description="Who changed what, when, from where, and what it was before. "
        "Entries are kept for ever, also those about what is deleted.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)
