import re
from datetime import timedelta
from urllib.parse import urlencode

from django import forms
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from accounts.zones import time_zone_choices
from agents.forms.fields import days_field, time_of_day
from telephony.forms.dialling import NumberField
from telephony.forms.outgoing import AgentVariables
from telephony.models import ScheduledCall
from telephony.periods import Month, Week
from voiceops.filters import FilterForm, any_of, midnight

MINUTE_S = 60
DAY = timedelta(days=1)
MOST_ATTEMPTS = forms.NumberInput(attrs={"min": 1, "max": 10})


class RetriesForm(AgentVariables, OwnedForm):
    """Who calls and how often to try."""

    retry_delay_minutes = forms.IntegerField(
        label=_("Minutes between attempts"),
        required=False,
        min_value=1,
        max_value=3 * 24 * 60,
        help_text=_("Empty: 30, then 60, then 120."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        row = self.instance
        if row.retry_delay_s:
            self.initial["retry_delay_minutes"] = row.retry_delay_s // MINUTE_S
        self.offer_agents(also=row.agent_id)

    def clean(self):
        cleaned = super().clean()
        minutes = cleaned.get("retry_delay_minutes")
        self.instance.retry_delay_s = minutes and minutes * MINUTE_S
        return cleaned


class CallTermsForm(RetriesForm):
    """Whom to call, by whom and how often to try."""

    to_number = NumberField(label=_("Number to call"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.add_variables(self.instance.variables)

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("agent"):
            self.instance.variables = self.variables
        return cleaned

    @property
    def changes(self):
        """What the row should become, for the service to decide."""
        names = [*self._meta.fields, "retry_delay_s", "variables"]
        return {name: getattr(self.instance, name) for name in names}


def their_zone_field():
    return forms.ChoiceField(
        label=_("Their time zone"),
        required=False,
        choices=lambda: [("", _("As the number tells")), *time_zone_choices()],
    )


class ScheduledCallForm(CallTermsForm):
    """Whom to call, when and by whom; the rest has defaults."""

    scheduled_for = forms.DateTimeField(
        label=_("Time"),
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}
        ),
        help_text=_(
            "In your time zone. Outside of the hours for calls it waits for them."
        ),
    )
    timezone = their_zone_field()
    window_days = days_field(label=_("On"), required=False)

    class Meta:
        model = ScheduledCall
        fields = [
            "agent",
            "to_number",
            "scheduled_for",
            "timezone",
            "max_attempts",
            "retry_on_voicemail",
            "window_start",
            "window_end",
            "window_days",
        ]
        widgets = {
            "window_start": time_of_day(),
            "window_end": time_of_day(),
            "max_attempts": MOST_ATTEMPTS,
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["scheduled_for"] = localtime(self.instance.scheduled_for)


class NumberFilter(forms.CharField):
    """Digits of a telephone number, however they are written."""

    def __init__(self, **options):
        attrs = {
            "placeholder": _("Number"),
            "inputmode": "tel",
            "size": 14,
            "data-search": "",
        }
        super().__init__(
            label=_("Number"),
            max_length=30,
            required=False,
            widget=forms.TextInput(attrs=attrs),
            **options,
        )

    def clean(self, value):
        number = super().clean(value)
        digits = re.sub(r"[^0-9]", "", number)
        if number and not digits:
            raise forms.ValidationError(_("Type some digits of the number."))
        return digits


class ScheduledCallFilterForm(FilterForm):
    """What the list can be narrowed to; every filter is a query parameter.

    Days are days of the current time zone, on which calls are meant to be made.
    """

    STATUSES = any_of(_("Any status"), ScheduledCall.Status.choices)

    q = NumberFilter()
    status = forms.ChoiceField(label=_("Status"), choices=STATUSES, required=False)

    def in_calendar(self, **period):
        """The query string of a week or month with the filters that it has too."""
        names = ("q", "status")
        given = [(name, self[name].data) for name in names if self[name].data]
        return urlencode([*given, *period.items()])

    def apply(self, rows):
        wanted = self.cleaned_data
        if wanted["status"]:
            rows = rows.filter(status=wanted["status"])
        if wanted["q"]:
            rows = rows.filter(to_number__contains=wanted["q"])
        if first := wanted.get("first_day"):
            rows = rows.filter(scheduled_for__gte=midnight(first))
        if last := wanted.get("last_day"):
            rows = rows.filter(scheduled_for__lt=midnight(last + DAY))
        return rows


class PeriodField(forms.CharField):
    """A week or a month of a calendar, as its address names it."""

    widget = forms.HiddenInput

    def __init__(self, kind):
        super().__init__(required=False, max_length=8)
        self._kind = kind

    def clean(self, value):
        text = super().clean(value)
        try:
            return self._kind.parse(text) if text else None
        except ValueError:
            message = _("A week is written as 2026-W48, a month as 2026-11.")
            raise forms.ValidationError(message) from None


class CalendarForm(ScheduledCallFilterForm):
    """Which week or month is shown, and the list's filters besides its days."""

    POSITION = ("week", "month")

    first_day = last_day = before = after = None
    week = PeriodField(Week)
    month = PeriodField(Month)

    @property
    def period(self):
        """The week, else the month that is asked for, else the current month."""
        wanted = self.cleaned_data
        return wanted["week"] or wanted["month"] or Month.of(localdate())
