"""Forms that narrow a list: every filter is a query parameter of its page."""

from datetime import UTC, date, datetime, time
from urllib.parse import urlencode

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.timezone import make_aware
from django.utils.translation import gettext_lazy as _

DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31))]
# Beyond them some zone has no calendar: the moment could be stored and never shown.
MOMENTS = [
    MinValueValidator(datetime(2000, 1, 1, tzinfo=UTC)),
    MaxValueValidator(datetime(2199, 12, 31, tzinfo=UTC)),
]


def day_field(label):
    return forms.DateField(
        label=label,
        required=False,
        validators=DAYS,
        widget=forms.DateInput(attrs={"type": "date"}),
    )


def any_of(words, choices):
    return [("", words), *choices]


def query_of(**parameters):
    """The query string of what has a value; "?" leads to the page without any."""
    return "?" + urlencode({name: value for name, value in parameters.items() if value})


def midnight(day):
    """The beginning of the day in the current time zone."""
    return make_aware(datetime.combine(day, time.min))


class FilterForm(forms.Form):
    """Filters, and a place in the list that they leave: `before` or `after` a row."""

    PARAMETERS = {"first_day": "from", "last_day": "to"}
    POSITION = ("before", "after")

    first_day = day_field(_("From"))
    last_day = day_field(_("To"))
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, data):
        super().__init__(data, auto_id="filter-%s", use_required_attribute=False)

    def add_prefix(self, field_name):
        return self.PARAMETERS.get(field_name, field_name)

    def clean(self):
        first, last = (self.cleaned_data.get(day) for day in ("first_day", "last_day"))
        if first and last and last < first:
            self.add_error("last_day", _("This is before the first day."))
        return self.cleaned_data

    @property
    def is_narrowed(self):
        """Whether anything but a position in the list was asked for."""
        return bool(self._parameters())

    def _parameters(self):
        names = [name for name in self.fields if name not in self.POSITION]
        given = [(self.add_prefix(name), self[name].data) for name in names]
        return [(name, value) for name, value in given if value]

    def query(self, **position):
        """The shortest query string for these filters, at `before=` or `after=`."""
        return urlencode([*self._parameters(), *position.items()])
