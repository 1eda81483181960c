"""The shared base of serializers and views: one workspace's rows, told plainly."""

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers
from rest_framework.generics import GenericAPIView

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


class OwnedView(GenericAPIView):
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
