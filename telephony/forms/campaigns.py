from decimal import Decimal

from django import forms
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from accounts.forms import OwnedForm
from agents.forms.fields import VARIABLE, days_field, time_of_day
from telephony.callees import HEADINGS, with_the_others
from telephony.dialling import numbers
from telephony.forms.scheduled import MOST_ATTEMPTS, NumberFilter, RetriesForm
from telephony.models import Campaign, ScheduledCall
from telephony.services.campaigns import (
    MOST_BYTES,
    MOST_ROWS,
    USUALLY_REDIALLED,
    WORTH_REDIALLING,
)
from telephony.tables import Unreadable, decode, table_of

HUNDRED = Decimal(100)
SETTINGS = [
    "name",
    "agent",
    "default_country",
    "max_attempts",
    "retry_on_voicemail",
    "window_start",
    "window_end",
    "window_days",
]


class TableField(forms.FileField):
    """A CSV file, as (its name, the table in it)."""

    widget = forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv,text/plain"})

    def clean(self, data, initial=None):
        file = super().clean(data, initial)
        if not file:
            return None
        if file.size > MOST_BYTES:
            words = _("The file is larger than %(size)d MB.")
            told = {"size": MOST_BYTES // 1_000_000}
            raise forms.ValidationError(words, params=told)
        try:
            return file.name, table_of(decode(file.read()))
        except Unreadable as error:
            raise forms.ValidationError(str(error)) from error


class CampaignForm(RetriesForm):
    """Who calls and how; the list is a file."""

    default_country = forms.ChoiceField(
        label=_("Country of numbers without a country code"),
        required=False,
        choices=[
            ("", _("None: such rows are refused")),
            *((code, code) for code in sorted(SUPPORTED_REGIONS)),
        ],
    )
    window_days = days_field(label=_("On"), required=False)
    file = TableField(
        label=_("List"),
        help_text=_(
            "A CSV file of at most %(rows)s rows, separated by commas, semicolons or "
            "tabs. A column has the numbers; others can fill in placeholders."
        )
        % {"rows": f"{MOST_ROWS:,}"},
    )

    class Meta:
        model = Campaign
        fields = SETTINGS
        widgets = {
            "window_start": time_of_day(),
            "window_end": time_of_day(),
            "max_attempts": MOST_ATTEMPTS,
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["file"].required = False
            self.fields["file"].label = _("Another list")
        else:
            self.initial["default_country"] = self._country_of_the_agents_number()

    def _country_of_the_agents_number(self):
        agent = self.fields["agent"].queryset.first()
        number = agent.phone.number if agent and agent.phone_id else ""
        parsed = numbers.parse(number)
        return numbers.country_of(parsed) if parsed else ""

    @property
    def changes(self):
        """What a campaign is to become, beside its list."""
        names = [*SETTINGS, "retry_delay_s"]
        stored = Campaign.objects.for_owner(self.owner).get(pk=self.instance.pk)
        given = {name: getattr(self.instance, name) for name in names}
        return {n: value for n, value in given.items() if value != getattr(stored, n)}


class CampaignNameForm(OwnedForm):
    """All that can be changed once it was started."""

    class Meta:
        model = Campaign
        fields = ["name"]

    @property
    def changes(self):
        return {"name": self.instance.name}


class ColumnsForm(forms.Form):
    """What the columns of a list mean."""

    to = forms.ChoiceField(label=_("Telephone number"))
    timezone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_("Such as Europe/Berlin. Without a column: as the number tells."),
    )
    scheduled_for = forms.ChoiceField(
        label=_("Not before"),
        required=False,
        help_text=_("Such as 2026-03-01 14:30, on the clock of the contact's zone."),
    )

    def __init__(self, data, *, campaign, samples):
        super().__init__(data)
        self.campaign = campaign
        self.wanted = campaign.agent.wanted_variables
        usual = campaign.agent.variables
        columns = [
            (str(place), _column(name, [cells[place] for cells in samples if
                                        place < len(cells)]))
            for place, name in enumerate(campaign.columns)
        ]  # fmt: skip
        for name in HEADINGS:
            field = self.fields[name]
            empty = _("Choose a column") if field.required else _("No column")
            field.choices = [("", empty), *columns]
            self.initial[name] = _place(campaign.mapping.get(name))
        chosen = campaign.mapping.get("variables", {})
        for name in self.wanted:
            words = _("No column: “%(value)s”") if usual.get(name) else _("No column")
            self.fields[VARIABLE + name] = forms.ChoiceField(
                label=name,
                required=False,
                choices=[("", words % {"value": usual.get(name, "")}), *columns],
                initial=_place(chosen.get(name)),
            )

    @property
    def variable_fields(self):
        return [self[VARIABLE + name] for name in self.wanted]

    @property
    def mapping(self):
        found = {name: _number(self.cleaned_data[name]) for name in HEADINGS}
        chosen = {
            name: _number(self.cleaned_data[VARIABLE + name]) for name in self.wanted
        }
        variables = with_the_others(self.campaign.columns, found, chosen)
        return {**found, "variables": variables}


def _column(name, values):
    """The column's name with its first value: a heading alone often tells little."""
    told = next(filter(None, values), "")
    return Truncator(f"{name}: {told}" if told else name).chars(40)


def _place(number):
    return "" if number is None else str(number)


def _number(place):
    return int(place) if place else None


class TemplateForm(forms.Form):
    """Whose placeholders a list to fill in has."""

    agent = forms.UUIDField(required=False)


class EstimateForm(forms.Form):
    """What somebody knows better than the calls of before."""

    minutes = forms.DecimalField(
        label=_("Minutes a call"), min_value=Decimal("0.1"), max_value=120
    )
    percent = forms.IntegerField(
        label=_("Answered, in percent"), min_value=1, max_value=100
    )
    price = forms.DecimalField(
        label=_("Price of a minute"), min_value=0, max_value=1_000, max_digits=10
    )

    def __init__(self, data, **options):
        super().__init__(data, auto_id="estimate-%s", **options)
        for field in self.fields.values():
            field.required = False

    @property
    def assumed(self):
        """The valid ones, as `campaign_estimates.estimate` takes them."""
        self.is_valid()
        given = getattr(self, "cleaned_data", {})
        percent = given.get("percent")
        return {
            "minutes": given.get("minutes"),
            "share": percent and percent / HUNDRED,
            "price": given.get("price"),
        }


class RedialForm(forms.Form):
    """Whom another campaign is to call."""

    statuses = forms.MultipleChoiceField(
        label=_("Contacts that ended as"), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data, *, counts):
        super().__init__(data, initial={"statuses": list(USUALLY_REDIALLED)})
        self.fields["statuses"].choices = [
            (status.value, f"{status.label}: {counts[status]}")
            for status in WORTH_REDIALLING
            if counts.get(status)
        ]

    @property
    def has_any(self):
        return bool(self.fields["statuses"].choices)


class CampaignFilterForm(forms.Form):
    """What the list of campaigns can be narrowed to."""

    STATUSES = [("", _("Any status")), *Campaign.Status.choices]

    status = forms.ChoiceField(label=_("Status"), choices=STATUSES, required=False)
    q = forms.CharField(max_length=100, required=False)
    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)

    def __init__(self, data):
        super().__init__(data, auto_id="filter-%s", use_required_attribute=False)

    def apply(self, rows):
        wanted = self.cleaned_data
        if wanted["status"]:
            rows = rows.filter(status=wanted["status"])
        if wanted["q"]:
            rows = rows.filter(name__icontains=wanted["q"])
        return rows


class ContactFilterForm(forms.Form):
    """What the contacts can be narrowed to, and a place among them: a line."""

    IN_FLIGHT = "in-flight"
    STATUSES = [
        ("", _("Any status")),
        (IN_FLIGHT, _("On the telephone")),
        *ScheduledCall.Status.choices,
    ]

    status = forms.ChoiceField(label=_("Status"), choices=STATUSES, required=False)
    q = NumberFilter()
    before = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    after = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)

    def __init__(self, data):
        super().__init__(data, auto_id="filter-%s", use_required_attribute=False)

    def apply(self, rows):
        wanted = self.cleaned_data
        if wanted["status"] == self.IN_FLIGHT:
            rows = rows.in_flight()
        elif wanted["status"]:
            rows = rows.filter(status=wanted["status"])
        if wanted["q"]:
            rows = rows.filter(to_number__contains=wanted["q"])
        return rows


class LineForm(forms.Form):
    """A place among the rows that were refused."""

    before = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    after = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
