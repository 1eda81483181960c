"""How a call is told to a person: its moments in order, times, typical replies."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median_low

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from telephony.dialling.numbers import number_for_reading
from telephony.models import Call, CallEvent

ICONS = {
    "queued": "clock",
    "initiated": "clock",
    "ringing": "bell-ring",
    "in-progress": "phone-call",
    "completed": "phone-off",
    "busy": "phone-off",
    "no-answer": "phone-missed",
    "failed": "circle-x",
    "canceled": "circle-slash",
    "transfer-started": "phone-forwarded",
    "transfer-answered": "users",
    "transfer-failed": "phone-missed",
}


# What our own events say; the carrier's are the statuses of a call.
SESSION_WORDS = {
    "voicemail": _lazy("A voicemail was noticed"),
    "voicemail-told": _lazy("The voicemail was told the message, or hung up on"),
    "session-started": _lazy("Live session opened"),
    "session-ended": _lazy("Live session ended by us"),
    "session-completed": _lazy("Live session ended by the caller"),
    "session-failed": _lazy("Live session failed"),
    "transfer-started": _lazy("Calling a person to hand over to"),
    "transfer-answered": _lazy("The person answered"),
    "transfer-failed": _lazy("Nobody took over: back with the agent"),
    "other-model": _lazy("Another model answered: the first one failed"),
    "fallback": _lazy("The carrier got no answer and asked elsewhere"),
}


@dataclass(frozen=True)
class Moment:
    """One line of a call's timeline; `offset_s` counts from the call's start."""

    at: datetime
    offset_s: int
    title: str
    detail: str
    icon: str
    kind: str = "neutral"


def timeline(call: Call, events: Iterable[CallEvent]) -> list[Moment]:
    """The call's own milestones and what the carrier and the session told, in order."""
    moments = [_started(call), *(_told(call, event) for event in events)]
    if call.answered_at:
        moments.append(_answered(call))
    if call.ended_at:
        moments.append(_ended(call))
    return sorted(moments, key=lambda moment: moment.at)


def _started(call: Call) -> Moment:
    title = _("Call came in") if _is_incoming(call) else _("Call asked for")
    detail = number_for_reading(call.to_number)
    icon = "phone-incoming" if _is_incoming(call) else "phone-outgoing"
    return _moment(call, call.started_at, title, detail, icon)


def _told(call: Call, event: CallEvent) -> Moment:
    word = dict(Call.Status.choices).get(event.status)
    if word:
        title = _("Carrier: %(status)s") % {"status": word}
    else:
        title = SESSION_WORDS.get(event.status, event.status)
    kind = "error" if event.status.endswith("failed") else "neutral"
    icon = ICONS.get(event.status, "radio")
    return _moment(call, event.at, title, event.detail, icon, kind)


def _answered(call: Call) -> Moment:
    who = call.agent.name if call.agent and _is_incoming(call) else ""
    return _moment(call, call.answered_at, _("Answered"), who, "phone-call", "success")


def _ended(call: Call) -> Moment:
    kind = "error" if call.status == Call.Status.FAILED else "neutral"
    reason = call.get_end_reason_display()
    return _moment(call, call.ended_at, _("Ended"), reason, "phone-off", kind)


def _moment(
    call: Call, at: datetime, title: str, detail: str, icon: str, kind: str = "neutral"
) -> Moment:
    offset_s = max(0, int((at - call.started_at).total_seconds()))
    return Moment(at, offset_s, str(title), detail, icon, kind)


def _is_incoming(call: Call) -> bool:
    return call.direction == Call.Direction.INCOMING


def other_party(call: Call) -> str:
    """The number at the other end; empty if the carrier kept it to itself."""
    return call.from_number if _is_incoming(call) else call.to_number


def our_number(call: Call) -> str:
    """The number at this end."""
    return call.to_number if _is_incoming(call) else call.from_number


def seconds_so_far(call: Call, now: datetime) -> int:
    """How long the call takes or took, in seconds, from when it was answered."""
    if call.duration_s is not None:
        return call.duration_s
    since = call.answered_at or call.started_at
    return max(0, int(((call.ended_at or now) - since).total_seconds()))


def clock(seconds: int) -> str:
    """61 as "1:01", 3661 as "1:01:01"."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"


def typical_ms(replies: Iterable[int]) -> int | None:
    """The median, a time that was really measured; None if there is none."""
    replies = list(replies)
    return median_low(replies) if replies else None
