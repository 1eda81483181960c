from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.zones import time_zone_choices
from agents.forms.fields import days_field, time_of_day
from agents.limits import DAY_NAMES
from telephony.dialling.recurrence import LAST, MOST_NTH, Frequency, month_on_in_words
from telephony.forms.scheduled import (
    MOST_ATTEMPTS,
    CallTermsForm,
    NumberFilter,
    their_zone_field,
)
from telephony.models import RecurringCall
from voiceops.filters import FilterForm, any_of, day_field


def month_choices():
    """Every day of a month and every weekday of one, as values and words."""
    days = [
        (str(day), month_on_in_words(day, None, ())) for day in (*range(1, 32), LAST)
    ]
    weekdays = [
        (f"{nth}-{day}", month_on_in_words(None, nth, (day,)))
        for nth in (*range(1, MOST_NTH + 1), LAST)
        for day in DAY_NAMES
    ]
    return [
        (_("Days"), [(value, capfirst(words)) for value, words in days]),
        (_("Weekdays"), [(value, capfirst(words)) for value, words in weekdays]),
    ]


class RecurringCallForm(CallTermsForm):
    """Whom to call again and again, by which rule and by whom."""

    RULE = (
        *("frequency", "every", "days", "month_on"),
        *("time", "timezone", "starts_on", "ends_on", "count"),
    )

    their_timezone = their_zone_field()
    frequency = forms.ChoiceField(
        label=_("Repeat"), choices=RecurringCall.FREQUENCIES, widget=forms.RadioSelect
    )
    days = days_field(
        label=_("On"), error_messages={"required": _("Choose days of the week.")}
    )
    month_on = forms.ChoiceField(
        label=_("In the month"),
        choices=month_choices,
        help_text=_("A month without this day is left out."),
    )
    timezone = forms.ChoiceField(
        label=_("By the clocks of"),
        choices=time_zone_choices,
        help_text=_("The time on the wall stays the same when clocks change."),
    )
    starts_on = day_field(_("From"))
    ends_on = day_field(_("Until"))

    class Meta:
        model = RecurringCall
        fields = [
            "agent",
            "to_number",
            "their_timezone",
            "frequency",
            "every",
            "days",
            "time",
            "timezone",
            "starts_on",
            "ends_on",
            "count",
            "max_attempts",
            "retry_on_voicemail",
        ]
        labels = {
            "every": _("Every"),
            "count": _("Times in all"),
            "time": _("Time"),
        }
        help_texts = {
            "every": _("1: every day, week or month; 2: every second."),
            "count": _("Instead of a last day. Empty: without an end."),
        }
        widgets = {"time": time_of_day(), "max_attempts": MOST_ATTEMPTS}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        row = self.instance
        self.fields["starts_on"].required = True
        zone = self.fields["timezone"]
        if not zone.valid_value(row.timezone):
            zone.choices = [(row.timezone, row.timezone), *zone.choices]
        if row.nth and row.days:
            self.initial["month_on"] = f"{row.nth}-{row.days[0]}"
            self.initial["days"] = []
        else:
            self.initial["month_on"] = str(row.month_day or 1)
        is_weekly = self["frequency"].value() == Frequency.WEEKLY
        self.fields["days"].required = is_weekly

    def clean(self):
        cleaned = super().clean()
        row, month_on = self.instance, cleaned.get("month_on", "")
        row.month_day = row.nth = None
        if cleaned.get("frequency") != Frequency.WEEKLY:
            cleaned["days"] = []
        if cleaned.get("frequency") == Frequency.MONTHLY and month_on:
            nth, _dash, day = month_on.rpartition("-")
            if nth:
                row.nth, cleaned["days"] = int(nth), [day]
            else:
                row.month_day = int(month_on)
        return cleaned

    @property
    def changes(self):
        row = self.instance
        return super().changes | {"month_day": row.month_day, "nth": row.nth}

    @property
    def rule(self):
        """The rule that is being written; None where something of it is wrong."""
        if self.is_bound and set(self.errors) & {*self.RULE, "__all__"}:
            return None
        return self.instance.rule

    @property
    def rule_errors(self):
        return [
            message
            for name in (*self.RULE, "__all__")
            for message in self.errors.get(name, [])
        ]


class RecurringCallFilterForm(FilterForm):
    """What the list can be narrowed to; every filter is a query parameter."""

    STATUSES = any_of(_("Any status"), RecurringCall.Status.choices)

    first_day = last_day = None
    q = NumberFilter()
    status = forms.ChoiceField(label=_("Status"), choices=STATUSES, required=False)

    def apply(self, rows):
        wanted = self.cleaned_data
        if wanted["status"]:
            rows = rows.with_status(wanted["status"])
        if wanted["q"]:
            rows = rows.filter(to_number__contains=wanted["q"])
        return rows
