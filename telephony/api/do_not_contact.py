"""The API of the do-not-contact list."""

from django.db import transaction
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError

from accounts.api_base import ListCreateView, OwnedSerializer, OwnedView, idempotent
from accounts.permissions import Action
from telephony.api import examples
from telephony.models import DoNotContact
from telephony.services import do_not_contact
from telephony.services.carrier import InvalidNumber, e164
from voiceops.api import Conflict
from voiceops.api_schema import shown_as


class DoNotContactFilter(filters.FilterSet):
    number = filters.CharFilter(method="of_number", max_length=30)

    class Meta:
        model = DoNotContact
        fields: list[str] = []

    def of_number(self, rows, name, number):
        try:
            return rows.filter(number=e164(number))
        except InvalidNumber as error:
            raise ValidationError({"number": [str(error)]}) from error


@shown_as(request=examples.NEW_DO_NOT_CONTACT, answer=examples.DO_NOT_CONTACT)
class DoNotContactSerializer(OwnedSerializer):
    number = serializers.CharField(max_length=30, help_text="E.164")

    class Meta:
        model = DoNotContact
        fields = [
            "id",
            "number",
            "reason",
            "source",
            "is_deleted",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["source"]

    def validate(self, attrs):
        """Leave the rules to the service."""
        return attrs

    def create(self, given) -> DoNotContact:
        try:
            return do_not_contact.add(
                owner=self._owner(), by=self.context["request"].user, **given
            )
        except InvalidNumber as error:
            raise ValidationError({"number": [str(error)]}) from error
        except do_not_contact.OnTheList as error:
            raise Conflict(str(error)) from error


class DoNotContactListView(ListCreateView):
    model = DoNotContact
    serializer_class = DoNotContactSerializer
    needed_action = Action.PLACE_CALLS
    problem_codes = {"POST": ["409"]}
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = DoNotContactFilter
    filters = frozenset(DoNotContactFilter.base_filters)

    @extend_schema(
        operation_id="do_not_contact_list", summary="List numbers not to contact"
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="do_not_contact_add",
        summary="Stop calling and texting a number",
        description="Holds at once, for calls that are scheduled too. A number that is "
        "on the list already is a 409.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class DoNotContactView(OwnedView, generics.DestroyAPIView):
    model = DoNotContact
    serializer_class = DoNotContactSerializer
    needed_action = Action.PLACE_CALLS

    @extend_schema(
        operation_id="do_not_contact_remove",
        summary="Allow a number to be contacted again",
        description="Calls that were blocked for it stay blocked: schedule them anew.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, row):
        do_not_contact.remove(row, by=self.request.user, reason="API")
