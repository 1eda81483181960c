"""The shared base of serializers and views: one workspace's rows, told plainly."""

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import generics, serializers
from rest_framework.response import Response

from voiceops.api import refuse_unknown_filters


class StrictSerializer(serializers.Serializer):
    """A body with a field that we do not know is refused: it would be lost silently."""

    def to_internal_value(self, data):
        unknown = set(data) - set(self.fields)
        if unknown:
            raise serializers.ValidationError(
                {name: ["Unknown field."] for name in sorted(unknown)}
            )
        return super().to_internal_value(data)


class OwnedSerializer(StrictSerializer, serializers.ModelSerializer):
    """Rows of one workspace. An id of another's row is worded as an unknown id."""

    def get_fields(self):
        fields = super().get_fields()
        for field in fields.values():
            if getattr(field, "queryset", None) is not None:
                field.queryset = field.queryset.for_owner(self._owner())
        return fields

    def get_validators(self):
        """None of the automatic ones: they would ask without an owner."""
        return []

    def _owner(self):
        return getattr(self.context.get("request"), "workspace", None)

    def validate(self, attrs):
        """Hold the row as it would become against the model's own rules."""
        model = self.Meta.model
        row = model(owner=self._owner())
        if self.instance is not None:
            names = [field.attname for field in model._meta.concrete_fields]
            row = model(**{name: getattr(self.instance, name) for name in names})
            row._state.adding = False
        own = {field.name for field in model._meta.fields}
        for name, value in attrs.items():
            if name in own:
                setattr(row, name, value)
        try:
            row.clean_fields(exclude=own - set(attrs))
            row.validate_constraints()
        except DjangoValidationError as error:
            raise serializers.ValidationError(self._by_field(error)) from None
        return attrs

    def _by_field(self, error: DjangoValidationError) -> dict:
        names = {field.source: name for name, field in self.fields.items()}
        return {
            "non_field_errors" if name == NON_FIELD_ERRORS else names.get(name, name): m
            for name, m in error.message_dict.items()
        }


class OwnedView(generics.GenericAPIView):
    """A view over `model`'s rows of the workspace in use, filtered as the URL says."""

    model = None
    filters: frozenset[str] = frozenset()

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.model.objects.none()
        return self.model.objects.for_owner(self.request.workspace)

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if request.method == "GET":
            refuse_unknown_filters(request, set(self.filters))


class ListCreateView(OwnedView, generics.ListCreateAPIView):
    """The list, newest first, and making one more."""


class RowView(OwnedView, generics.RetrieveUpdateDestroyAPIView):
    """One row: read, replaced (what is left out gets its default), changed, deleted."""

    def put(self, request, *args, **kwargs):
        row = self.get_object()
        serializer = self.get_serializer(row, data=self._with_defaults(request.data))
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def _with_defaults(self, given) -> dict:
        """The body, and the default of each field that it leaves out."""
        blank = self.get_serializer(self.model()).data
        writable = self.get_serializer().fields.items()
        left_out = {
            name: blank[name]
            for name, field in writable
            if name in blank and not field.read_only and not field.required
        }
        return left_out | given
