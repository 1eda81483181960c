from django import forms
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm, time_zone_choices
from agents.forms.fields import days_field, time_of_day
from telephony.forms.dialling import NumberField
from telephony.forms.outgoing import AgentVariables
from telephony.models import ScheduledCall

MINUTE_S = 60


class ScheduledCallForm(AgentVariables, OwnedForm):
    """Whom to call, when and by whom; the rest has defaults."""

    to_number = NumberField(label=_("Number to call"))
    scheduled_for = forms.DateTimeField(
        label=_("Time"),
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}
        ),
        help_text=_(
            "In your time zone. Outside of the hours for calls it waits for them."
        ),
    )
    timezone = forms.ChoiceField(
        label=_("Their time zone"),
        required=False,
        choices=lambda: [("", _("As the number tells")), *time_zone_choices()],
    )
    retry_delay_minutes = forms.IntegerField(
        label=_("Minutes between attempts"),
        required=False,
        min_value=1,
        max_value=3 * 24 * 60,
        help_text=_("Empty: 30, then 60, then 120."),
    )
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
            "max_attempts": forms.NumberInput(attrs={"min": 1, "max": 10}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        row = self.instance
        if not row._state.adding:
            self.initial["scheduled_for"] = localtime(row.scheduled_for)
        if row.retry_delay_s:
            self.initial["retry_delay_minutes"] = row.retry_delay_s // MINUTE_S
        self.offer_agents(also=row.agent_id)
        self.add_variables(row.variables)

    def clean(self):
        cleaned = super().clean()
        minutes = cleaned.get("retry_delay_minutes")
        self.instance.retry_delay_s = minutes and minutes * MINUTE_S
        if cleaned.get("agent"):
            self.instance.variables = self.variables
        return cleaned

    @property
    def changes(self):
        """What the row should become, for the service to decide."""
        names = [*self._meta.fields, "retry_delay_s", "variables"]
        return {name: getattr(self.instance, name) for name in names}


class ScheduledCallFilterForm(forms.Form):
    """What the list can be narrowed to; every filter is a query parameter."""

    STATUSES = [("", _("Any status")), *ScheduledCall.Status.choices]

    status = forms.ChoiceField(label=_("Status"), choices=STATUSES, required=False)
    q = forms.CharField(max_length=30, required=False)
    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)

    def __init__(self, data):
        super().__init__(data, auto_id="filter-%s", use_required_attribute=False)

    def apply(self, rows):
        wanted = self.cleaned_data
        if wanted["status"]:
            rows = rows.filter(status=wanted["status"])
        if digits := "".join(filter(str.isdigit, wanted["q"])):
            rows = rows.filter(to_number__contains=digits)
        return rows
