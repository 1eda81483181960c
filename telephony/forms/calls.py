import re
from datetime import date, timedelta

from django import forms
from django.db.models import F
from django.forms.models import ModelChoiceIterator
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from accounts.zones import zone_names
from agents.models import VoiceAgent
from agents.outcomes import Outcome
from telephony.models import Call, Phone
from telephony.services import history
from voiceops.filters import MOMENTS, FilterForm, any_of, midnight
from voiceops.paging import newest_first

# Calls outlive who answered them and where: both can still be chosen, at the end.
NOT_DELETED_FIRST = (F("deleted_at").asc(nulls_first=True), "-pk")
COUNTED = "counted"
KINDS = [
    ("real", _("Real calls")),
    (COUNTED, _("Real calls that have ended")),
    ("test", _("Test calls")),
]
NOT_ANALYZED = "none"


EMPTY = ("", None)
NO_SEARCH = {"before", "after", "timezone"}


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


class OfCallsForm(FilterForm):
    """Calls of a direction, an agent, a number: also of what is deleted by now."""

    direction = forms.ChoiceField(
        label=_("Direction"),
        choices=any_of(_("Any direction"), Call.Direction.choices),
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

    def __init__(self, data, *, owner):
        super().__init__(data)
        for name in ("agent", "phone"):
            field = self.fields[name]
            rows = field.queryset.for_owner(owner, with_deleted=True)
            field.queryset = rows.order_by(*NOT_DELETED_FIRST)


def moment_field():
    return forms.DateTimeField(
        required=False, validators=MOMENTS, widget=forms.HiddenInput
    )


class CallFilterForm(OfCallsForm):
    """What the list of calls can be narrowed to."""

    field_order = ("first_day", "last_day", "before", "after", "q", "number")

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
    status = forms.ChoiceField(
        label=_("Status"),
        choices=any_of(_("Any status"), Call.Status.choices),
        required=False,
    )
    kind = forms.ChoiceField(
        label=_("Real or test"),
        choices=any_of(_("Real and test calls"), KINDS),
        required=False,
    )

    outcome = forms.ChoiceField(
        label=_("Outcome"),
        choices=any_of(
            _("Any outcome"), [*Outcome.choices, (NOT_ANALYZED, _("Not analyzed"))]
        ),
        required=False,
    )
    reason = forms.ChoiceField(
        label=_("How it ended"),
        choices=any_of(_("However it ended"), Call.EndReason.choices),
        required=False,
    )
    # What links of figures say besides; the page tells them in words.
    answered = forms.ChoiceField(
        choices=[("yes", _("answered"))], required=False, widget=forms.HiddenInput
    )
    nobody = forms.ChoiceField(
        choices=[("yes", _("that no agent took"))],
        required=False,
        widget=forms.HiddenInput,
    )
    weekday = forms.IntegerField(
        min_value=1, max_value=7, required=False, widget=forms.HiddenInput
    )
    hour = forms.IntegerField(
        min_value=0, max_value=23, required=False, widget=forms.HiddenInput
    )
    timezone = forms.CharField(max_length=60, required=False, widget=forms.HiddenInput)
    since = moment_field()
    until = moment_field()

    def clean_number(self):
        number = self.cleaned_data["number"]
        digits = re.sub(r"[^0-9]", "", number)
        if number and not digits:
            raise forms.ValidationError(_("Type some digits of the number."))
        return digits

    def clean_timezone(self):
        name = self.cleaned_data["timezone"]
        if name and name not in zone_names():
            raise forms.ValidationError(_("There is no such time zone."))
        return name

    def page_of(self, calls, size):
        """A page of the calls that match; `before` and `after` say which."""
        wanted = self.cleaned_data
        first, last = self._days()
        indexed = calls.by_index(
            agent=wanted["agent"], phone=wanted["phone"], since=first, until=last
        )
        asked = {name for name, value in wanted.items() if value not in EMPTY}
        return newest_first(
            indexed,
            size=size,
            before=wanted["before"],
            after=wanted["after"],
            search=history.search_for(asked - NO_SEARCH, self.apply),
        )

    def apply(self, calls):
        """The calls that match; days are days of the current time zone."""
        wanted = self.cleaned_data
        for name in ("direction", "status", "agent", "phone"):
            if wanted[name]:
                calls = calls.filter(**{name: wanted[name]})
        if wanted["kind"]:
            calls = calls.filter(is_test=wanted["kind"] == "test")
        if wanted["kind"] == COUNTED:
            calls = calls.filter(ended_at__isnull=False)
        if wanted["answered"]:
            calls = calls.filter(answered_at__isnull=False)
        if wanted["nobody"]:
            calls = calls.filter(agent=None)
        if wanted["reason"]:
            calls = calls.filter(end_reason=wanted["reason"])
        if wanted["outcome"]:
            is_known = wanted["outcome"] != NOT_ANALYZED
            calls = calls.with_outcome(wanted["outcome"] if is_known else "")
        if wanted["weekday"]:
            calls = calls.filter(started_at__iso_week_day=wanted["weekday"])
        if wanted["hour"] is not None:
            calls = calls.filter(started_at__hour=wanted["hour"])
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

    @property
    def told_besides(self):
        """In words what is asked and has no control of its own."""
        wanted, told = self.cleaned_data, []
        if wanted["answered"]:
            told.append(_("answered"))
        if wanted["nobody"]:
            told.append(_("that no agent took"))
        if wanted["weekday"]:
            monday = date(2024, 1, 1)
            told.append(date_format(monday + timedelta(wanted["weekday"] - 1), "l"))
        if wanted["hour"] is not None:
            told.append("{0:02}:00–{0:02}:59".format(wanted["hour"]))
        for name, words in (("since", _("since %(at)s")), ("until", _("until %(at)s"))):
            if wanted[name]:
                at = date_format(localtime(wanted[name]), "j M Y, H:i")
                told.append(words % {"at": at})
        return told

    def _days(self):
        """The moments between which the call has started; None: no limit."""
        wanted = self.cleaned_data
        first, last = wanted["first_day"], wanted["last_day"]
        begins = [midnight(first) if first else None, wanted["since"]]
        ends = [midnight(last + timedelta(days=1)) if last else None, wanted["until"]]
        return (
            max(filter(None, begins), default=None),
            min(filter(None, ends), default=None),
        )
