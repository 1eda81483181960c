from django import template
from django.utils import timezone

from telephony import transcripts
from telephony.end_reasons import WHAT_TO_DO

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
def age(at):
    """How long ago, in minutes and seconds."""
    elapsed_s = (timezone.now() - at).total_seconds()
    return transcripts.clock(max(0, int(elapsed_s)))


@register.filter
def duration(call):
    return transcripts.clock(transcripts.seconds_so_far(call, timezone.now()))


@register.filter
def advice(call):
    return WHAT_TO_DO.get(call.end_reason, "")
