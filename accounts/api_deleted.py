"""The API of what was deleted lately, and of bringing it back."""

from collections.abc import Callable
from functools import partial

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.pagination import Cursor
from rest_framework.response import Response

from accounts import api_examples as examples
from accounts import deleted
from accounts.api_base import OwnedView, StrictSerializer
from accounts.deleted.listing import Place
from voiceops.api import CarrierProblem, Conflict, NewestFirst
from voiceops.api_schema import shown_as
from voiceops.paging import Page


class NotRestored(Conflict):
    """It stays deleted; `reason` says why to programs."""

    def __init__(self, refusal: deleted.Refused):
        super().__init__(str(refusal), code=refusal.reason)
        self.extra = {"reason": refusal.reason}
        if isinstance(refusal, deleted.NameTaken):
            self.extra["suggested_name"] = refusal.suggestion
        if isinstance(refusal, deleted.NeedsAnother):
            self.extra["needed_id"] = str(refusal.row.pk)
            self.extra["needed_kind"] = refusal.kind.key


class LastDeletedFirst(NewestFirst):
    """Pages of a list that several tables make up, by the moment of the deletion."""

    def paginate_queryset(self, page_of: Callable[..., Page], request, view=None):
        self.request, self.base_url = request, request.build_absolute_uri()
        size, cursor = self.get_page_size(request), self.decode_cursor(request)
        place = Place.parse(cursor.position) if cursor and cursor.position else None
        side = "after" if place and cursor.reverse else "before"
        self.page = page_of(size=size, **{side: place})
        return self.page.rows

    def read_position(self, position):
        Place.parse(position)

    def get_next_link(self):
        older = self.page.older
        return self.encode_cursor(Cursor(0, False, older)) if older else None

    def get_previous_link(self):
        newer = self.page.newer
        return self.encode_cursor(Cursor(0, True, newer)) if newer else None


def kind_choices() -> list[tuple[str, str]]:
    return [(kind.key, kind.title) for kind in deleted.kinds()]


@shown_as(answer=examples.DELETED)
class DeletedSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.CharField(source="kind.key", help_text="As the filter says it.")
    name = serializers.CharField(help_text="Its name or label; of a phone, the number.")
    deleted_at = serializers.DateTimeField()
    deleted_by_id = serializers.UUIDField(
        source="entry.user_id", default=None, allow_null=True, help_text="A user's id."
    )
    restorable_until = serializers.DateTimeField()


class DeletedListView(OwnedView, generics.ListAPIView):
    serializer_class = DeletedSerializer
    pagination_class = LastDeletedFirst
    filter_backends: list = []
    filters = frozenset({"kind"})

    def get_queryset(self):
        """How pages of it are had: no one table holds it."""
        return partial(deleted.newest_first, self.request.workspace, self._kinds())

    def _kinds(self) -> list[deleted.Kind]:
        key = self.request.query_params.get("kind")
        if key is None:
            return deleted.kinds()
        if key not in dict(kind_choices()):
            raise ValidationError({"kind": ["There is no such kind."]})
        return [deleted.kind_named(key)]

    @extend_schema(
        operation_id="deleted_list",
        summary="List what was deleted lately",
        description="Everything that can still be restored, the last deleted first: "
        "for 30 days after it was deleted.",
        parameters=[
            OpenApiParameter(
                "kind",
                enum=[kind.key for kind in deleted.kinds()],
                description="Only rows of this kind.",
            )
        ],
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


@shown_as(request=examples.RESTORE)
class RestoreSerializer(StrictSerializer):
    name = serializers.CharField(
        max_length=100,
        required=False,
        help_text="Another name to come back under, where its own is taken.",
    )


@shown_as(answer=examples.RESTORED)
class RestoredSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField()


class RestoreView(OwnedView):
    serializer_class = RestoreSerializer
    problem_codes = {"POST": ["404", "409", "502"]}

    @extend_schema(
        operation_id="deleted_restore",
        summary="Restore what was deleted",
        description="What acts by itself comes back inactive; a number's calls are "
        "pointed here again at the carrier. Refused with 409 and a `reason`: "
        "`name_taken` (a `suggested_name` is free), `needs_another` (restore "
        "`needed_id`, of `needed_kind`, first), `taken` (a number is registered, an "
        "account connected meanwhile). 404 after 30 days, or when somebody else "
        "restored it. 502: the carrier could not be asked, or the number is restored "
        "and the carrier still sends its calls elsewhere; `detail` says which.",
        responses={200: RestoredSerializer},
    )
    def post(self, request, pk):
        found = deleted.find(request.workspace, pk)
        if found is None:
            raise NotFound
        row, kind = found
        if not request.membership.may[kind.right]:
            raise PermissionDenied
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        restored = _restore(row, kind, given.validated_data.get("name", ""))
        name = str(getattr(restored, kind.name_field))
        told = {"id": restored.pk, "kind": kind.key, "name": name}
        return Response(RestoredSerializer(told).data)


def _restore(row, kind: deleted.Kind, name: str):
    """Restore it, with what is refused in the API's own errors."""
    try:
        return deleted.restore(row, kind, name=name)
    except deleted.Gone:
        raise NotFound from None
    except deleted.BadName as refusal:
        raise ValidationError({"name": [str(refusal)]}) from refusal
    except (deleted.CouldNotAsk, deleted.RestoredIncompletely) as problem:
        raise CarrierProblem(str(problem)) from problem
    except deleted.Refused as refusal:
        raise NotRestored(refusal) from refusal
