"""What the dashboard is asked for; every answer has an address of its own."""

from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import urlencode

from django import forms
from django.utils.timezone import get_current_timezone_name, now
from django.utils.translation import gettext_lazy as _

from accounts.zones import time_zone_choices, zone_names
from analytics.figures import Question
from analytics.periods import DAY, FIRST_DAY, LAST_DAY, MOST_DAYS, Period, today
from telephony.forms.calls import OfCallsForm
from telephony.models import Call

DAYS_OF = {"today": 1, "7d": 7, "30d": 30, "90d": 90, "12m": 365}
USUAL = "30d"
PERIODS = [
    ("today", _("Today")),
    ("7d", _("7 days")),
    ("30d", _("30 days")),
    ("90d", _("90 days")),
    ("12m", _("12 months")),
]
NO_DAYS = {"from": "", "to": ""}
A_YEAR = timedelta(weeks=52)  # weekdays meet weekdays
COMPARISONS = [
    ("", _("The period before")),
    ("year", _("52 weeks before")),
    ("none", _("No comparison")),
]


def zone_choices(*usual):
    """All zones by region, the usual ones first."""
    names = dict.fromkeys(usual)
    return [
        (_("Often used"), [(name, name.replace("_", " ")) for name in names]),
        *[group for group in time_zone_choices() if group[0] not in names],
    ]


class DashboardForm(OfCallsForm):
    """A period that ends today, or from one day to another; and of which calls."""

    POSITION = ()
    before = after = None
    field_order = ("first_day", "last_day", "period")

    period = forms.ChoiceField(
        choices=PERIODS, required=False, widget=forms.HiddenInput
    )
    timezone = forms.CharField(
        label=_("Time zone"), max_length=60, required=False, widget=forms.Select
    )
    compare = forms.ChoiceField(
        label=_("Compare with"), choices=COMPARISONS, required=False
    )

    def __init__(self, data, *, owner):
        super().__init__(data, owner=owner)
        self.owner = owner
        zones = self.fields["timezone"].widget
        zones.choices = zone_choices(owner.timezone, get_current_timezone_name())

    def clean_timezone(self):
        name = self.cleaned_data["timezone"] or self.owner.timezone
        if name not in zone_names():
            raise forms.ValidationError(_("There is no such time zone."))
        return name

    def clean(self):
        super().clean()
        if not self.errors:
            self._take_period()
        return self.cleaned_data

    def _take_period(self):
        wanted = self.cleaned_data
        zone, first = wanted["timezone"], wanted["first_day"]
        last = wanted["last_day"] or max(today(zone, now()), first or FIRST_DAY)
        length = DAYS_OF[wanted["period"] or USUAL]
        first = first or last - DAY * (length - 1)
        if first < FIRST_DAY:
            self.add_error("first_day", _("Figures begin in 2012."))
        elif last > LAST_DAY or last - first >= DAY * MOST_DAYS:
            self.add_error("last_day", _("At most ten years can be told at once."))
        else:
            wanted["days"] = Period(first, last, zone)

    # -- What was asked ----------------------------------------------------------------

    @property
    def question(self):
        wanted = self.cleaned_data
        agent, phone = wanted["agent"], wanted["phone"]
        return Question(
            owner=self.owner,
            period=wanted["days"],
            agent_id=agent and agent.pk,
            phone_id=phone and phone.pk,
            direction=wanted["direction"],
        )

    @property
    def told(self):
        """In words of which calls; of all of them there is nothing to say."""
        wanted = self.cleaned_data
        told = [
            self.fields[name].label_from_instance(wanted[name])
            for name in ("agent", "phone")
            if wanted[name]
        ]
        if direction := wanted["direction"]:
            told.append(Call.Direction(direction).label)
        return told

    @property
    def compared(self):
        """The question whose answer is held against it; None where none is wanted."""
        question, wanted = self.question, self.cleaned_data["compare"]
        if wanted == "none":
            return None
        days = question.period
        # Of more than a year, the weeks before would be partly the same ones.
        if wanted != "year" or days.last - days.first >= A_YEAR:
            return question.before
        before = Period(days.first - A_YEAR, days.last - A_YEAR, days.zone)
        return replace(question, period=before)

    # -- Addresses ---------------------------------------------------------------------

    @property
    def current_period(self):
        """The one of `PERIODS`; "" for days that were chosen one by one."""
        if self["first_day"].data or self["last_day"].data:
            return ""
        return self["period"].data or USUAL

    def periods(self):
        """Words and address of each, and whether it is the current one."""
        return [
            (words, self.address(period=key, **NO_DAYS), key == self.current_period)
            for key, words in PERIODS
        ]

    def address(self, **changes):
        """The shortest query of the same page with some of it changed."""
        asked = dict(self._parameters()) | changes
        if asked.get("from") or asked.get("to"):
            asked.pop("period", None)
        return "?" + urlencode({name: asked[name] for name in asked if asked[name]})

    def of_agent(self, agent_id):
        return self.address(agent=agent_id)

    def of_days(self, first: date, last: date):
        return self.address(**{"from": first, "to": last, "period": ""})


class CostsForm(DashboardForm):
    """Likewise; and in which currency, for several are never added."""

    currency = forms.RegexField("^[A-Z]{3}$", required=False, widget=forms.HiddenInput)

    def of_currency(self, currency):
        return self.address(currency=currency)

    def of_phone(self, phone_id):
        return self.address(phone=phone_id)
