import json

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from telephony import transcripts
from telephony.end_reasons import WHAT_TO_DO
from telephony.samples import SID_PREFIX
from telephony.services import dialling, timelines

register = template.Library()

register.filter("number", transcripts.number_for_reading)
register.filter("other_party", transcripts.other_party)


@register.filter
def clock(seconds):
    return "–" if seconds is None else transcripts.clock(seconds)


@register.filter
def clock_ms(milliseconds):
    return transcripts.clock(milliseconds // 1000)


@register.filter
def seconds_ago(at):
    return max(0, int((timezone.now() - at).total_seconds()))


@register.filter
def age(at):
    """How long ago, in minutes and seconds."""
    return transcripts.clock(seconds_ago(at))


@register.filter
def seconds(call):
    return transcripts.seconds_so_far(call, timezone.now())


@register.filter
def duration(call):
    return transcripts.clock(seconds(call))


@register.filter
def wall(time):
    """A time of a recurring call by its own clocks: Mon 1 Mar 2027, 09:00 CET."""
    local = time.at.astimezone(time.zone)
    # The zone is left out by Django's formats in an hour that comes twice.
    return f"{date_format(local, 'D j M Y, H:i')} {local:%Z}"


@register.filter
def is_sample(call):
    """Whether the call was invented for the demo."""
    return bool(call.sid) and call.sid.startswith(SID_PREFIX)


@register.filter
def in_words(seconds):
    """A stretch of time by its two largest units: 16 h 50 min, 6 min 14 s, 45 s."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)d min %(seconds)d s") % {
            "minutes": minutes,
            "seconds": seconds,
        }
    return _("%(seconds)d s") % {"seconds": seconds}


@register.filter
def can_call_back(call):
    """Whether the other party told a number that can be dialled."""
    return not call.is_test and transcripts.other_party(call).startswith("+")


@register.filter
def person_url(number):
    """The page of whoever has this number; "" where it was withheld or is a name."""
    is_number = timelines.is_number(number)
    return reverse("telephony:person_detail", args=[number]) if is_number else ""


@register.filter
def zone_there(number, contact):
    """The time zone where the other party is, as far as anybody knows."""
    return dialling.zone_there(number, contact)


@register.filter
def of(key, values):
    """The value under this key; None without it."""
    return values.get(key)


@register.filter
def advice(call):
    return WHAT_TO_DO.get(call.end_reason, "")


@register.filter
def as_facts(extracted):
    """What was pulled out of a call as (name, words); its names may be any words."""
    if not isinstance(extracted, dict):
        return []
    return [(name, _words_of(value)) for name, value in extracted.items()]


def _words_of(value):
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, list) and not any(isinstance(v, (list, dict)) for v in value):
        return ", ".join(map(_words_of, value))
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


@register.filter
def money(amount, currency):
    """0.0112 USD: as exact as it is, but no zeros that say nothing."""
    if amount is None:
        return "–"
    return f"{amount.normalize() + 0:f} {currency}"
