import re
from datetime import timedelta

from django import forms
from django.db.models import F
from django.forms.models import ModelChoiceIterator
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from agents.models import VoiceAgent
from telephony.models import Call, Phone
from telephony.services import history
from voiceops.filters import FilterForm, any_of, midnight
from voiceops.paging import newest_first

# Calls outlive who answered them and where: both can still be chosen, at the end.
NOT_DELETED_FIRST = (F("deleted_at").asc(nulls_first=True), "-pk")
KINDS = [("real", _("Real calls")), ("test", _("Test calls"))]


class LoadedChoices(ModelChoiceIterator):
    def __iter__(self):
        yield "", self.field.empty_label
        yield from map(self.choice, self.field.rows.values())


class HistoryChoiceField(forms.ModelChoiceField):
    """A choice among rows of which some are deleted, and says which.

    The rows are loaded once, to offer them and to find the chosen one.
    """

    iterator = LoadedChoices

    @cached_property
    def rows(self):
        return {row.pk: row for row in self.queryset}

    def to_python(self, value):
        if value in self.empty_values:
            return None
        row = self.rows.get(self.queryset.model._meta.pk.to_python(value))
        if row is None:
            message = self.error_messages["invalid_choice"]
            raise forms.ValidationError(message, "invalid_choice", {"value": value})
        return row

    def label_from_instance(self, row):
        if row.is_deleted:
            return _("%(row)s (deleted)") % {"row": row}
        return super().label_from_instance(row)


class CallFilterForm(FilterForm):
    """What the list of calls can be narrowed to."""

    q = forms.CharField(
        label=_("In the transcript"),
        max_length=100,
        required=False,
        widget=forms.TextInput(
            attrs={"placeholder": _("Words said"), "data-search": ""}
        ),
    )
    number = forms.CharField(
        label=_("Number"),
        max_length=30,
        required=False,
        widget=forms.TextInput(
            attrs={"placeholder": _("Number"), "inputmode": "tel", "size": 14}
        ),
    )
    direction = forms.ChoiceField(
        label=_("Direction"),
        choices=any_of(_("Any direction"), Call.Direction.choices),
        required=False,
    )
    status = forms.ChoiceField(
        label=_("Status"),
        choices=any_of(_("Any status"), Call.Status.choices),
        required=False,
    )
    agent = HistoryChoiceField(
        label=_("Agent"),
        queryset=VoiceAgent.objects.all(),
        empty_label=_("Any agent"),
        required=False,
    )
    phone = HistoryChoiceField(
        label=_("Phone number"),
        queryset=Phone.objects.all(),
        empty_label=_("Any phone number"),
        required=False,
    )
    kind = forms.ChoiceField(
        label=_("Real or test"),
        choices=any_of(_("Real and test calls"), KINDS),
        required=False,
    )

    def __init__(self, data, *, owner):
        super().__init__(data)
        for name in ("agent", "phone"):
            field = self.fields[name]
            rows = field.queryset.for_owner(owner, with_deleted=True)
            field.queryset = rows.order_by(*NOT_DELETED_FIRST)

    def clean_number(self):
        number = self.cleaned_data["number"]
        digits = re.sub(r"[^0-9]", "", number)
        if number and not digits:
            raise forms.ValidationError(_("Type some digits of the number."))
        return digits

    def page_of(self, calls, size):
        """A page of the calls that match; `before` and `after` say which."""
        wanted = self.cleaned_data
        first, last = self._days()
        indexed = calls.by_index(
            agent=wanted["agent"], phone=wanted["phone"], since=first, until=last
        )
        asked = {name for name, value in wanted.items() if value}
        return newest_first(
            indexed,
            size=size,
            before=wanted["before"],
            after=wanted["after"],
            search=history.search_for(asked - {*self.POSITION}, self.apply),
        )

    def apply(self, calls):
        """The calls that match; days are days of the current time zone."""
        wanted = self.cleaned_data
        for name in ("direction", "status", "agent", "phone"):
            if wanted[name]:
                calls = calls.filter(**{name: wanted[name]})
        if wanted["kind"]:
            calls = calls.filter(is_test=wanted["kind"] == "test")
        if digits := wanted["number"]:
            calls = calls.with_number(digits)
        if wanted["q"]:
            calls = calls.saying(wanted["q"])
        first, last = self._days()
        if first:
            calls = calls.started_from(first)
        if last:
            calls = calls.started_before(last)
        return calls

    def _days(self):
        """The moments between which the call has started; None: no limit."""
        first, last = self.cleaned_data["first_day"], self.cleaned_data["last_day"]
        return (
            midnight(first) if first else None,
            midnight(last + timedelta(days=1)) if last else None,
        )
