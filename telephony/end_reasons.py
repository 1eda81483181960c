"""What to do about a call that ended badly, in plain words."""

from django.utils.translation import gettext_lazy as _

from telephony.models import Call

Reason = Call.EndReason

# The other reasons are how calls should end: nothing is to be done.
WHAT_TO_DO = {
    Reason.CALLER_SILENT: _(
        "If callers were cut off while they looked for something, give the agent a "
        "longer time of silence."
    ),
    Reason.TIME_UP: _(
        "If the conversation was not over, give the agent a longer call time."
    ),
    Reason.NO_ACTIVE_AGENT: _(
        "Activate a voice agent that answers calls on this number."
    ),
    Reason.NUMBER_REMOVED: _(
        "Register the number again, or point it elsewhere at the carrier."
    ),
    Reason.WRONG_NUMBER: _(
        "The carrier sent a call for another number to this one's address. Open the "
        "number that was called and point it here again."
    ),
    Reason.MODEL_FAILED: _(
        "Check the model's address, key and name in the settings of this "
        "installation, and the provider's status page."
    ),
    Reason.CONNECTION_FAILED: _(
        "The carrier must be able to open a WebSocket to the public address of this "
        "installation. Look at the number's checks; an agent that works turn by turn "
        "needs no WebSocket."
    ),
    Reason.CONNECTION_LOST: _(
        "If it happens often, look for restarts here, and for a proxy in front that "
        "closes connections early."
    ),
    Reason.NOT_REACHED: _(
        "Check the number. If it is right, look the call up in the carrier's console "
        "by its SID."
    ),
    Reason.REFUSED: _("The chain of rules below says which one decided, and why."),
    Reason.SUSPENDED: _(
        "Nothing is to be done here: ask whoever runs this installation of VoiceOps."
    ),
    Reason.REJECTED: _(
        "The detail below is the carrier's own explanation. Often the account may not "
        "call that country yet, or its credit is used up."
    ),
    Reason.NOT_PLACED: _("Nobody's telephone rang. It can be called again."),
    Reason.CARRIER_ENDED: _(
        "Look the call up in the carrier's console by its SID to see why."
    ),
    Reason.OUR_ERROR: _(
        "The log of this installation has the details under the call's id."
    ),
    Reason.NEVER_REPORTED: _(
        "Look at the number's checks: its status address may not point here, or the "
        "carrier account's token may have changed."
    ),
}
