"""Why a text was not sent or delivered, in plain words, by the carrier's code.

Source: Twilio, "Error and warning dictionary".
"""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from telephony.opt_outs import STOPPED_AT_CARRIER

WORDS = {
    20003: gettext_lazy(
        "The carrier does not accept the account's token. Put the current one into the "
        "carrier account here."
    ),
    20429: gettext_lazy("Too much at once for the carrier. Send it again later."),
    21211: gettext_lazy("The carrier says that this is no telephone number."),
    21408: gettext_lazy(
        "The carrier account may not text this country yet: allow it in the carrier's "
        "console."
    ),
    STOPPED_AT_CARRIER: gettext_lazy(
        "They have texted STOP to this number: the carrier sends them nothing until "
        "they text START."
    ),
    21606: gettext_lazy("This number cannot send texts: look at it at the carrier."),
    21612: gettext_lazy("The carrier has no way from this number to theirs."),
    21614: gettext_lazy("This is no mobile number: it cannot get texts."),
    21617: gettext_lazy("The text is too long: 1,600 characters are the most."),
    21623: gettext_lazy("The carrier could not fetch a picture or file of it."),
    30003: gettext_lazy(
        "Their telephone could not be reached: switched off or out of range. Send it "
        "again later."
    ),
    30004: gettext_lazy("Their telephone or network blocks texts from this number."),
    30005: gettext_lazy("The number is not in use, or takes no texts."),
    30006: gettext_lazy("This is a landline, or its network takes no texts."),
    30007: gettext_lazy(
        "Their network took it for spam. Write it differently, and look at the "
        "registration of your number at the carrier."
    ),
    30008: gettext_lazy(
        "Their network did not say why it was not delivered. Send it again later."
    ),
    30019: gettext_lazy("A picture or file is too large for their network."),
    30034: gettext_lazy(
        "Texts to the United States need a registered number (A2P 10DLC): register it "
        "in the carrier's console."
    ),
    30410: gettext_lazy("Their network was too slow. Send it again later."),
    30450: gettext_lazy(
        "Their network got too many texts from this number. Send it again tomorrow."
    ),
    63007: gettext_lazy("This number is not set up for WhatsApp at the carrier."),
    63016: gettext_lazy(
        "On WhatsApp one may write freely for 24 hours after their last message only."
    ),
    63024: gettext_lazy("This number is not on WhatsApp."),
}


def in_words(code: int | None, detail: str = "") -> str:
    """What the code means and what to do about it; the carrier's own words for
    unknown ones.
    """
    if code in WORDS:
        return str(WORDS[code])
    if detail:
        return detail
    if code:
        return _("The carrier's error %(code)d.") % {"code": code}
    return ""
