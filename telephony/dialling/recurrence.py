"""When a call recurs, by the clock on a wall. Pure.

The arithmetic of calendars is dateutil's, which follows RFC 5545. So are the rules for
changed clocks (3.3.5 there): a time that the clocks skip is meant as if they had not
been put on yet, so 2:30 becomes 3:30; of a time that comes twice the first is meant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil import rrule
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.limits import DAY_NAMES, DAYS

LAST = -1  # as a day of the month, and as the number of a weekday in it
MOST_NTH = 4  # a fifth one is not in every month
# Nothing recurs for ever: a rule without an end would be looked through without one.
END_OF_TIME = date(2199, 12, 31)
DAY = timedelta(days=1)


class Frequency(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


UNITS = {
    Frequency.DAILY: rrule.DAILY,
    Frequency.WEEKLY: rrule.WEEKLY,
    Frequency.MONTHLY: rrule.MONTHLY,
}
WEEKDAYS = dict(
    zip(
        DAYS,
        (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU),
        strict=True,
    )
)


@dataclass(frozen=True)
class Occurrence:
    """One time of a rule: what the clocks should show, and the moment that it is."""

    wall: datetime
    at: datetime
    zone: ZoneInfo

    @property
    def is_moved(self) -> bool:
        """Whether the clocks skip this time, and show another one at that moment."""
        return self.at.astimezone(self.zone).replace(tzinfo=None) != self.wall


@dataclass(frozen=True)
class Rule:
    """Every so many days, weeks or months, at a time of the clocks of `zone`.

    A week begins on Monday. A month without the `month_day` is left out; LAST is its
    last day. `nth` is the how manieth of the one day in `days`, LAST the last.
    `count` is how often it happens in all, `ends_on` its last possible day.
    """

    frequency: Frequency
    time: time
    zone: ZoneInfo
    starts_on: date
    every: int = 1
    days: tuple[str, ...] = ()
    month_day: int | None = None
    nth: int | None = None
    ends_on: date | None = None
    count: int | None = None

    def occurrences(self, after: datetime | None = None) -> Iterator[Occurrence]:
        """Its times in their order; those later than `after`, if it is given."""
        latest = after
        for wall in self._walls(after):
            at = wall.replace(tzinfo=self.zone).astimezone(UTC)
            # Where a whole day is skipped, two walls are one moment.
            if latest is None or at > latest:
                latest = at
                yield Occurrence(wall, at, self.zone)

    def next(self, after: datetime) -> Occurrence | None:
        return next(self.occurrences(after), None)

    def _walls(self, after: datetime | None) -> Iterator[datetime]:
        calendar = rrule.rrule(
            UNITS[self.frequency],
            dtstart=datetime.combine(self.starts_on, self.time),
            interval=self.every,
            byweekday=self._weekdays or None,
            bymonthday=self.month_day,
            **self._end,
        )
        if after is None:
            return iter(calendar)
        # No clock is put on or back by more than a day.
        near = after.astimezone(self.zone).replace(tzinfo=None) - DAY
        return calendar.xafter(near, inc=True)

    @property
    def _weekdays(self) -> list:
        nth = self.nth if self.frequency == Frequency.MONTHLY else None
        return [WEEKDAYS[day](nth) if nth else WEEKDAYS[day] for day in self.days]

    @property
    def _end(self) -> dict:
        if self.count is not None:
            return {"count": self.count}
        return {"until": datetime.combine(self.ends_on or END_OF_TIME, time.max)}


def preview(rule: Rule, after: datetime, number: int) -> list[Occurrence]:
    return list(islice(rule.occurrences(after), number))


# -- In words --------------------------------------------------------------------------


def in_words(rule: Rule) -> str:
    """“Every 2 weeks on Monday and Friday at 09:00”."""
    told = {"every": _every(rule), "on": _on(rule), "time": f"{rule.time:%H:%M}"}
    if told["on"]:
        return _("%(every)s %(on)s at %(time)s") % told
    return _("%(every)s at %(time)s") % told


def end_in_words(rule: Rule) -> str:
    """Until when, "" without an end."""
    if rule.count is not None:
        told = {"count": rule.count}
        return ngettext("%(count)d time", "%(count)d times", rule.count) % told
    if rule.ends_on is not None:
        return _("until %(day)s") % {"day": date_format(rule.ends_on, "j M Y")}
    return ""


def _every(rule: Rule) -> str:
    if rule.frequency == Frequency.DAILY:
        words = ngettext("Every day", "Every %(every)d days", rule.every)
    elif rule.frequency == Frequency.WEEKLY:
        words = ngettext("Every week", "Every %(every)d weeks", rule.every)
    else:
        words = ngettext("Every month", "Every %(every)d months", rule.every)
    return words % {"every": rule.every} if rule.every > 1 else words


def _on(rule: Rule) -> str:
    if rule.frequency == Frequency.DAILY:
        return ""
    if rule.frequency == Frequency.MONTHLY:
        return month_on_in_words(rule.month_day, rule.nth, rule.days)
    names = [str(DAY_NAMES[day]) for day in DAYS if day in rule.days]
    return _("on %(days)s") % {"days": ", ".join(names)}


def month_on_in_words(
    month_day: int | None, nth: int | None, days: tuple[str, ...]
) -> str:
    if month_day == LAST:
        return _("on the last day")
    if month_day is not None:
        return _("on day %(day)d") % {"day": month_day}
    words = {
        1: _("on the first %(day)s"),
        2: _("on the second %(day)s"),
        3: _("on the third %(day)s"),
        4: _("on the fourth %(day)s"),
        LAST: _("on the last %(day)s"),
    }[nth or LAST]
    return words % {"day": "".join(str(DAY_NAMES[day]) for day in days)}
