"""The API of carrier accounts and numbers: the services that the pages call too."""

from contextlib import contextmanager, nullcontext

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from accounts.api_base import (
    ListCreateView,
    OwnedSerializer,
    OwnedView,
    RowView,
    StrictSerializer,
    idempotent,
)
from accounts.permissions import Action
from telephony import twilio
from telephony.api import examples
from telephony.models import CarrierAccount, Phone
from telephony.services import carrier
from voiceops.api import CarrierProblem, Conflict
from voiceops.api_schema import shown_as


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


@shown_as(request=examples.NEW_CARRIER_ACCOUNT, answer=examples.CARRIER_ACCOUNT)
class CarrierAccountSerializer(OwnedSerializer):
    auth_token = serializers.CharField(max_length=200, write_only=True)
    previous_token_until = serializers.DateTimeField(
        source="changes_token_until",
        read_only=True,
        allow_null=True,
        help_text="Until when webhooks signed with an earlier token are accepted too.",
    )

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
            "previous_token_until",
            "is_deleted",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["verified_at"]

    def create(self, given) -> CarrierAccount:
        with carrier_answers():
            return carrier.connect_account(owner=self._owner(), **given)


class CarrierAccountListView(ListCreateView):
    model = CarrierAccount
    needed_action = Action.MANAGE_CARRIER_ACCOUNTS
    serializer_class = CarrierAccountSerializer
    problem_codes = {"POST": ["409", "502"]}

    @extend_schema(operation_id="carrier_account_list", summary="List carrier accounts")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="carrier_account_create",
        summary="Connect a carrier account",
        description="The carrier is asked before the credentials are stored.",
    )
    @idempotent(within=nullcontext)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


@shown_as(request=examples.CARRIER_ACCOUNT_CHANGE)
class CarrierAccountChangeSerializer(CarrierAccountSerializer):
    """The account as it shall be; what cannot be read back may be left out."""

    account_sid = serializers.CharField(
        max_length=34,
        required=False,
        help_text="Cannot change: its numbers hang on it.",
    )
    auth_token = serializers.CharField(
        max_length=200, write_only=True, required=False, help_text="Left out: it stays."
    )

    def validate_account_sid(self, given):
        if given != self.instance.account_sid:
            raise ValidationError("It cannot change: connect the other account too.")
        return given

    def update(self, account, given) -> CarrierAccount:
        given.pop("account_sid", None)
        with carrier_answers():
            carrier.change_account(account, **given)
        return account


class CarrierAccountView(RowView):
    model = CarrierAccount
    needed_action = Action.MANAGE_CARRIER_ACCOUNTS
    serializer_class = CarrierAccountSerializer
    http_method_names = ["get", "put", "delete", "head", "options"]
    problem_codes = {"PUT": ["409", "502"], "DELETE": ["409"]}

    def get_serializer_class(self):
        is_change = self.request is not None and self.request.method == "PUT"
        return CarrierAccountChangeSerializer if is_change else self.serializer_class

    def _with_defaults(self, given):
        """The SID has no default: left out, it stays."""
        whole = super()._with_defaults(given)
        if "account_sid" not in given:
            whole.pop("account_sid", None)
        return whole

    @extend_schema(operation_id="carrier_account_get", summary="Read a carrier account")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="carrier_account_replace",
        summary="Change a carrier account",
        description="Limits that are left out get their defaults back. A new token is "
        "stored once the carrier accepts it; webhooks signed with the one before are "
        "accepted for 24 hours more.",
        request=CarrierAccountChangeSerializer,
        responses={200: CarrierAccountSerializer},
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

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


class EndTokenChangeView(OwnedView):
    model = CarrierAccount
    needed_action = Action.MANAGE_CARRIER_ACCOUNTS
    serializer_class = CarrierAccountSerializer

    @extend_schema(
        operation_id="carrier_account_end_token_change",
        summary="Refuse a carrier account's earlier tokens",
        description="After a new token was stored, webhooks signed with the one before "
        "are accepted for 24 hours; this ends that at once. Repeating is safe.",
        request=None,
        responses={200: CarrierAccountSerializer},
    )
    def post(self, request, pk):
        account = self.get_object()
        carrier.end_token_change(account)
        return Response(self.get_serializer(account).data)


@shown_as(request=examples.NEW_PHONE, answer=examples.PHONE)
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
            "is_deleted",
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


@shown_as(request=examples.RELABEL)
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
    )
    @idempotent(within=nullcontext)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class PhoneView(RowView):
    model = Phone
    lookup_url_kwarg = "phone_id"
    serializer_class = PhoneSerializer
    http_method_names = ["get", "put", "delete", "head", "options"]

    @extend_schema(operation_id="phone_get", summary="Read a phone number")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="phone_relabel",
        summary="Relabel a phone number",
        description="The label is all that can change; the number itself cannot.",
        request=RelabelSerializer,
        responses={200: PhoneSerializer},
    )
    def put(self, request, *args, **kwargs):
        phone = self.get_object()
        given = RelabelSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        carrier.relabel_phone(phone, given.validated_data["label"])
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
    number = serializers.CharField(help_text="E.164")
    carrier_account_id = serializers.UUIDField()


@shown_as(answer=examples.AVAILABLE_NUMBERS)
class AvailableNumbersSerializer(serializers.Serializer):
    """The shape of every list; the carrier tells them all at once."""

    results = AvailableNumberSerializer(many=True)
    next = serializers.URLField(allow_null=True, default=None)
    previous = serializers.URLField(allow_null=True, default=None)


class AvailablePhonesView(OwnedView):
    model = CarrierAccount
    serializer_class = AvailableNumbersSerializer
    pagination_class = None
    problem_codes = {"GET": ["400", "502"]}

    @extend_schema(
        operation_id="phone_available",
        summary="List numbers that can be registered",
        description="The numbers of the carrier accounts that nobody registered yet; "
        "all of them, on one page.",
    )
    def get(self, request):
        found = []
        for account in self.get_queryset().order_by("id"):
            with carrier_answers():
                numbers = carrier.available_numbers(account)
            found += [
                {"number": number.number, "carrier_account_id": account.pk}
                for number in numbers
            ]
        page = {"results": found, "next": None, "previous": None}
        return Response(self.get_serializer(page).data)
