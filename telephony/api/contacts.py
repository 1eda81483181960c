"""The API of contacts: what is known of people, by their number."""

from django.core.validators import validate_email
from django.db import transaction
from django.http import Http404
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.api_base import (
    IndexedFilterBackend,
    ListCreateView,
    OwnedSerializer,
    RowView,
    idempotent,
)
from accounts.permissions import Action
from agents.api.base import Variables
from telephony.api import examples
from telephony.forms.dialling import digits_in
from telephony.models import Contact
from telephony.models.contacts import check_facts
from telephony.services import contacts, do_not_contact
from telephony.services.carrier import InvalidNumber, e164
from voiceops.api import Conflict
from voiceops.api_schema import shown_as
from voiceops.filters import MOMENTS
from voiceops.paging import Search

SINCE = "Left out: from now on."
SEARCHED = 10_000  # contacts looked through for a page of those that no index finds


class ContactListSerializer(serializers.ListSerializer):
    """Many at once: the do-not-contact list is read once for all."""

    def to_representation(self, rows):
        numbers = [contact.number for contact in rows]
        owner = self.context["request"].workspace
        self.child.context["listed"] = do_not_contact.find_all(owner, numbers)
        return super().to_representation(rows)


def an_address(text):
    """Not named as a format in the schema: an empty one would be of two kinds."""
    validate_email(text)


@shown_as(request=examples.NEW_CONTACT, answer=examples.CONTACT)
class ContactSerializer(OwnedSerializer):
    number = serializers.CharField(
        max_length=30, help_text="E.164. It stays: make another contact for another."
    )
    email = serializers.CharField(
        max_length=254, allow_blank=True, required=False, validators=[an_address]
    )
    variables = Variables(
        required=False,
        help_text="Values, each a line, for the placeholders of agents with "
        "`knows_contact`.",
    )
    do_not_contact = serializers.SerializerMethodField(
        help_text="Whether the number is on the do-not-contact list."
    )

    class Meta:
        model = Contact
        list_serializer_class = ContactListSerializer
        fields = [
            "id",
            "number",
            "name",
            "email",
            "notes",
            "variables",
            "timezone",
            "call_consent",
            "call_consent_at",
            "call_consent_note",
            "text_consent",
            "text_consent_at",
            "text_consent_note",
            "do_not_contact",
            "is_deleted",
            "created_at",
            "updated_at",
        ]
        extra_kwargs = {
            "timezone": {
                "help_text": "IANA, for the hours in which they may be called; empty: "
                "as the number tells."
            },
            "call_consent": {
                "help_text": "`refused`: nobody calls them, whatever is scheduled."
            },
            "call_consent_at": {"help_text": SINCE, "validators": MOMENTS},
            "text_consent": {"help_text": "`refused`: nobody texts them."},
            "text_consent_at": {"help_text": SINCE, "validators": MOMENTS},
        }

    def get_do_not_contact(self, contact) -> bool:
        listed = self.context.get("listed")
        if listed is None:  # one row; a blank one is looked at for its defaults
            listed = contact.number and do_not_contact.find_all(
                contact.owner_id, [contact.number]
            )
        return contact.number in listed

    def validate_number(self, number):
        try:
            number = e164(number)
        except InvalidNumber as error:
            raise ValidationError(str(error)) from error
        if self.instance is not None and number != self.instance.number:
            raise ValidationError("A contact keeps its number: make another one.")
        return number

    def validate_variables(self, variables):
        check_facts(variables)
        return variables

    def validate(self, attrs):
        """Leave to the service whether the number is free: that is a conflict."""
        return attrs

    def create(self, given) -> Contact:
        return self._saved(Contact(owner=self._owner(), **given))

    def update(self, contact, given) -> Contact:
        for name, value in given.items():
            setattr(contact, name, value)
        return self._saved(contact)

    def _saved(self, contact) -> Contact:
        try:
            return contacts.save(contact, at=now())
        except contacts.Known as error:
            raise Conflict(str(error)) from error
        except contacts.Gone:
            raise Http404 from None


class ContactFilter(filters.FilterSet):
    q = filters.CharFilter(method="found_by", max_length=100)
    number = filters.CharFilter(method="of_number", max_length=30)
    call_consent = filters.ChoiceFilter(choices=Contact.Consent.choices)
    text_consent = filters.ChoiceFilter(choices=Contact.Consent.choices)
    updated_after = filters.IsoDateTimeFilter(
        field_name="updated_at", lookup_expr="gt", validators=MOMENTS
    )

    class Meta:
        model = Contact
        fields: list[str] = []

    @property
    def search(self):
        wanted = {name for name, value in self.form.cleaned_data.items() if value}
        return Search(self.filter_queryset, SEARCHED) if wanted - {"number"} else None

    def by_index(self, rows):
        """The fewest contacts that an index finds and that have all the wanted ones."""
        number = self.form.cleaned_data["number"]
        return self.of_number(rows, "number", number) if number else rows

    def found_by(self, rows, name, words):
        digits = digits_in(words)
        wanted = {"number__contains": digits} if digits else {"name__icontains": words}
        return rows.filter(**wanted)

    def of_number(self, rows, name, number):
        try:
            return rows.filter(number=e164(number))
        except InvalidNumber as error:
            raise ValidationError({"number": [str(error)]}) from error


class ContactListView(ListCreateView):
    model = Contact
    serializer_class = ContactSerializer
    needed_action = Action.PLACE_CALLS
    problem_codes = {"POST": ["409"]}
    filter_backends = [IndexedFilterBackend]
    filterset_class = ContactFilter
    filters = frozenset(ContactFilter.base_filters)

    @extend_schema(
        operation_id="contact_list",
        summary="List contacts",
        description=(
            "`q` is a part of the name, or digits of the number. With other filters"
            f" than `number` a page looks through {SEARCHED:,} contacts and no further:"
            " it may have fewer rows than `page_size`, or none, and a `next` that leads"
            " on."
        ),
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="contact_create",
        summary="Note who has a number",
        description="A number that has a contact is a 409. A refusal holds at once: "
        "what is scheduled or waits to be sent is blocked.",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class ContactView(RowView):
    model = Contact
    lookup_url_kwarg = "contact_id"
    serializer_class = ContactSerializer
    needed_action = Action.PLACE_CALLS
    problem_codes = {"DELETE": ["409"]}

    @extend_schema(operation_id="contact_get", summary="Read a contact")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="contact_replace",
        summary="Replace what is noted of a contact",
        description="Fields that are left out get their defaults back: a refusal too.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(operation_id="contact_change", summary="Change a contact")
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)

    @extend_schema(
        operation_id="contact_delete",
        summary="Delete a contact",
        description="Calls and texts stay. One that refuses calls or texts is a 409: "
        "the refusal would be forgotten.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, contact):
        try:
            contacts.delete(contact)
        except contacts.RefusalKept as error:
            raise Conflict(str(error)) from error
        except contacts.Gone:
            raise Http404 from None
