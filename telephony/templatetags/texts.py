from zlib import crc32

from django import template
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext_lazy as _

from telephony import text_errors
from telephony.models import Conversation, Message
from telephony.services import inbox

register = template.Library()

TINTS = 6
Status = Message.Status
ICONS = {
    Status.WAITING: "clock",
    Status.ASKING: "clock",
    Status.UNKNOWN: "triangle-alert",
    Status.DELIVERED: "check-check",
    Status.READ: "check-check",
    Status.SENT: "check",
}
Need = Conversation.Need
# Where there is no room for the sentence.
NEEDS = {
    Need.TAKEN_OVER: _("Taken over"),
    Need.ASKED_FOR: _("Asked for a person"),
    Need.NO_AGENT: _("No agent"),
    Need.MODEL_FAILED: _("No answer of the model"),
    Need.CUT_OFF: _("Answer cut off"),
    Need.LOOP: _("Two machines?"),
    Need.IN_A_ROW: _("Many answers"),
}


@register.filter
def need_word(need):
    return NEEDS.get(need, _("Needs human"))


@register.filter
def status_icon(text):
    if text.status in Message.NOT_SENT:
        return "circle-alert"
    return ICONS.get(text.status, "clock")


@register.filter
def has_failed(text):
    """Canceled is what somebody has wanted."""
    return text.status in Message.NOT_SENT - {Status.CANCELED}


@register.filter
def is_unknown(text):
    return text.status == Status.UNKNOWN


@register.filter
def why(text):
    """What went wrong and what to do about it, in plain words."""
    return text_errors.in_words(text.error_code, text.error_detail)


@register.filter
def can_repeat(text):
    """Whether it may be sent again, if need be after a warning."""
    may = text.status in inbox.MAY_BE_REPEATED and not text.is_repeated
    return may and not text.is_incoming


@register.filter
def kind_of_medium(medium):
    """What a page shows it as: image, audio, video, or "" for a link."""
    kind = medium.get("content_type", "").partition("/")[0]
    return kind if kind in {"image", "audio", "video"} else ""


@register.filter
def tint(name):
    """Always the same of the same name: "1" to "6"."""
    return str(crc32(name.encode()) % TINTS + 1)


@register.filter
def is_today(at):
    return localtime(at).date() == localdate()


@register.filter
def bounded(count, most):
    """12, or 1,000+ where it was counted no further."""
    return f"{most:,}+" if count > most else f"{count:,}"
