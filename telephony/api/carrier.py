"""The API of carrier accounts and numbers: the services that the pages call too."""

from contextlib import contextmanager

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from accounts.api_base import (
    ListCreateView,
    OwnedSerializer,
    OwnedView,
    RowView,
    StrictSerializer,
)
from telephony import twilio
from telephony.models import CarrierAccount, Phone
from telephony.services import carrier
from voiceops.api import CarrierProblem, Conflict


@contextmanager
def carrier_answers():
    """What the services and the carrier refuse, in the API's own errors."""
    try:
        yield
    except carrier.InvalidNumber as error:
        raise ValidationError({"number": [str(error)]}) from error
    except carrier.NumberNotHeld as error:
        raise ValidationError({"number": [str(error)]}) from error
    except carrier.Refused as error:
        raise Conflict(str(error)) from error
    except twilio.BadCredentials as error:
        raise ValidationError({"auth_token": [str(error)]}) from error
    except twilio.CarrierError as error:
        raise CarrierProblem(str(error)) from error


class CarrierAccountSerializer(OwnedSerializer):
    auth_token = serializers.CharField(max_length=200, write_only=True)

    class Meta:
        model = CarrierAccount
        fields = [
            "id",
            "label",
            "account_sid",
            "auth_token",
            "calls_per_second",
            "max_concurrent_calls",
            "verified_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["verified_at"]

    def create(self, given) -> CarrierAccount:
        with carrier_answers():
            return carrier.connect_account(owner=self._owner(), **given)


ACCOUNT_EXAMPLE = OpenApiExample(
    "A Twilio account",
    value={
        "label": "Main account",
        "account_sid": "AC00000000000000000000000000000001",
        "auth_token": "write-only",
    },
    request_only=True,
)


class CarrierAccountListView(ListCreateView):
    model = CarrierAccount
    serializer_class = CarrierAccountSerializer
    problem_codes = {"POST": ["409", "502"]}

    @extend_schema(operation_id="carrier_account_list", summary="List carrier accounts")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="carrier_account_create",
        summary="Connect a carrier account",
        description="The carrier is asked before the credentials are stored.",
        examples=[ACCOUNT_EXAMPLE],
    )
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class CarrierAccountView(OwnedView, generics.RetrieveDestroyAPIView):
    model = CarrierAccount
    serializer_class = CarrierAccountSerializer
    problem_codes = {"DELETE": ["409"]}

    @extend_schema(operation_id="carrier_account_get", summary="Read a carrier account")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="carrier_account_delete",
        summary="Remove a carrier account",
        description="Refused with 409 while numbers are registered through it.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, account):
        with carrier_answers():
            carrier.remove_account(account)


class PhoneSerializer(OwnedSerializer):
    number = serializers.CharField(max_length=20, help_text="E.164")
    carrier_account_id = serializers.PrimaryKeyRelatedField(
        source="carrier_account",
        queryset=CarrierAccount.objects.all(),
        required=False,
        help_text="The workspace's only account is the default.",
    )

    class Meta:
        model = Phone
        fields = [
            "id",
            "number",
            "label",
            "carrier_account_id",
            "created_at",
            "updated_at",
        ]

    def validate(self, attrs):
        """Leave the rules to the service: it asks the carrier as well."""
        if self.instance is None and "carrier_account" not in attrs:
            accounts = CarrierAccount.objects.for_owner(self._owner())[:2]
            if len(accounts) != 1:
                message = "Say which: there is not exactly one carrier account."
                raise ValidationError({"carrier_account_id": [message]})
            attrs["carrier_account"] = accounts[0]
        return attrs

    def create(self, given) -> Phone:
        try:
            with carrier_answers():
                return carrier.register_phone(
                    owner=self._owner(),
                    number=given["number"],
                    label=given.get("label", ""),
                    account=given["carrier_account"],
                )
        except carrier.NotPointed as error:
            raise CarrierProblem(str(error)) from error


class RelabelSerializer(StrictSerializer):
    label = serializers.CharField(max_length=100, allow_blank=True)


class PhoneListView(ListCreateView):
    model = Phone
    serializer_class = PhoneSerializer
    problem_codes = {"POST": ["409", "502"]}

    @extend_schema(operation_id="phone_list", summary="List phone numbers")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="phone_create",
        summary="Register a phone number",
        description="The carrier is asked whether the account holds the number; its "
        "webhooks are then pointed at this installation.",
        examples=[
            OpenApiExample(
                "The workspace's only account",
                value={"number": "+14155550100", "label": "Front desk"},
                request_only=True,
            )
        ],
    )
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class PhoneView(RowView):
    model = Phone
    serializer_class = PhoneSerializer
    http_method_names = ["get", "put", "delete", "head", "options"]

    @extend_schema(operation_id="phone_get", summary="Read a phone number")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="phone_relabel",
        summary="Relabel a phone number",
        request=RelabelSerializer,
        responses={200: PhoneSerializer},
        examples=[
            OpenApiExample("A label", value={"label": "Sales"}, request_only=True)
        ],
    )
    def put(self, request, *args, **kwargs):
        phone = self.get_object()
        given = RelabelSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        phone.label = given.validated_data["label"]
        phone.save(update_fields=["label"])
        return Response(self.get_serializer(phone).data)

    @extend_schema(
        operation_id="phone_delete",
        summary="Remove a phone number",
        description="Its agents are deactivated and its webhooks cleared at the "
        "carrier; its calls stay readable.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, phone):
        try:
            carrier.remove_phone(phone)
        except carrier.NotCleared:
            # It is removed here; the page of the number's account tells the rest.
            return


class AvailableNumberSerializer(serializers.Serializer):
    number = serializers.CharField()
    carrier_account_id = serializers.UUIDField()


class AvailablePhonesView(OwnedView):
    model = CarrierAccount
    serializer_class = AvailableNumberSerializer
    pagination_class = None
    problem_codes = {"GET": ["400", "502"]}

    @extend_schema(
        operation_id="phone_available",
        summary="Numbers that can be registered",
        description="The numbers of the carrier accounts that nobody registered yet.",
        responses=AvailableNumberSerializer(many=True),
    )
    def get(self, request):
        found = []
        for account in self.get_queryset().order_by("id"):
            with carrier_answers():
                numbers = carrier.available_numbers(account)
            found += [
                {
                    "number": number.number,
                    "carrier_account_id": account.pk,
                }
                for number in numbers
            ]
        return Response(self.get_serializer(found, many=True).data)
