"""Weekly hours as inputs: for each day a few pairs of times, and the zone of all."""

from dataclasses import dataclass

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.zones import time_zone_choices
from agents.forms.fields import time_of_day
from agents.hours import DAYS
from agents.limits import DAY_NAMES, MAX_RANGES_A_DAY, check_ranges

PAIRS_OFFERED = 2


@dataclass(frozen=True)
class Day:
    """A day's inputs for the template: pairs of bound fields, and those to mend."""

    name: str
    pairs: list[tuple[forms.BoundField, forms.BoundField]]

    @property
    def wrong(self):
        return [field for pair in self.pairs for field in pair if field.errors]


class HoursForm(forms.Form):
    """The hours of `business_hours`; left empty they are those of "always open"."""

    timezone = forms.ChoiceField(label=_("Time zone"), choices=time_zone_choices)

    def __init__(self, data=None, *, business_hours, timezone):
        super().__init__(data, prefix="hours", use_required_attribute=False)
        days = business_hours.get("days", {})
        self._offer_zone(business_hours.get("timezone", timezone))
        self._pairs = {day: _pairs_offered(days.get(day, [])) for day in DAYS}
        for day in DAYS:
            self._add_day(day, days.get(day, []))

    def _offer_zone(self, timezone):
        field = self.fields["timezone"]
        field.initial = timezone
        if not field.valid_value(timezone):
            field.choices = [(timezone, timezone), *field.choices]

    def _add_day(self, day, ranges):
        for number in range(self._pairs[day]):
            times = ranges[number] if number < len(ranges) else ("", "")
            for end, label, time in zip(ENDS, LABELS, times, strict=True):
                self.fields[f"{day}-{number}-{end}"] = _time_field(
                    label % {"day": DAY_NAMES[day]}, time.replace("24:00", "00:00")
                )

    @property
    def days(self):
        return [Day(DAY_NAMES[day], self._pairs_of(day)) for day in DAYS]

    def _pairs_of(self, day):
        return [
            tuple(self[f"{day}-{number}-{end}"] for end in ENDS)
            for number in range(self._pairs[day])
        ]

    def clean(self):
        cleaned = super().clean()
        for day in DAYS:
            try:
                check_ranges(self._ranges(day))
            except ValidationError as error:
                self.add_error(f"{day}-0-from", error)
        return cleaned

    def _ranges(self, day):
        """The day's pairs of times; a pair that is half filled in has an empty one."""
        pairs = [
            [self.cleaned_data.get(f"{day}-{number}-{end}") for end in ENDS]
            for number in range(self._pairs[day])
        ]
        return [
            [time.strftime("%H:%M") if time else "" for time in pair]
            for pair in pairs
            if any(time is not None for time in pair)
        ]

    @property
    def business_hours(self):
        """What was filled in, once it is valid."""
        days = {day: ranges for day in DAYS if (ranges := self._ranges(day))}
        if not days:
            return {}
        return {"timezone": self.cleaned_data["timezone"], "days": days}


def _pairs_offered(ranges):
    """One pair more than the day has, so that there is room."""
    return min(max(PAIRS_OFFERED, len(ranges) + 1), MAX_RANGES_A_DAY)


ENDS = ("from", "to")
LABELS = (_("%(day)s, from"), _("%(day)s, to"))


def _time_field(label, initial):
    return forms.TimeField(
        label=label,
        initial=initial,
        required=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=time_of_day(),
    )
