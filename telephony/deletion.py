"""What bringing carrier accounts and numbers back means."""

from django.utils.translation import gettext_lazy as _

from accounts import deleted
from accounts.deleted import Kind, register
from accounts.permissions import Action
from telephony.models import (
    Campaign,
    CannedReply,
    CarrierAccount,
    Contact,
    DoNotContact,
    Label,
    Phone,
    RecurringCall,
    TestScript,
)


def restore_phone(phone: Phone) -> Phone:
    """`carrier.restore_phone`, with its refusals as those of any kind of row."""
    # Here: the SDK takes a quarter of a second, and every command reads this module.
    from telephony import twilio
    from telephony.services import carrier

    try:
        return carrier.restore_phone(phone)
    except carrier.NotPointed as problem:
        raise deleted.RestoredIncompletely(problem.phone, str(problem)) from problem
    except carrier.Refused as refusal:
        raise deleted.Refused(str(refusal)) from refusal
    except twilio.CarrierError as error:
        raise deleted.CouldNotAsk(str(error)) from error


register(
    Kind(
        CarrierAccount,
        means=_("It comes back with its credentials; its numbers are restored apart."),
        right=Action.MANAGE_CARRIER_ACCOUNTS,
    )
)
register(
    Kind(
        Phone,
        means=_("Its calls are sent here again; its agents stay inactive."),
        named="number",
        restore=restore_phone,
    )
)
register(
    Kind(
        Campaign,
        means=_("It comes back canceled, or as it had ended: nobody is called again."),
        right=Action.PLACE_CALLS,
    )
)
register(
    Kind(
        Contact,
        means=_("What was known of the person is back; calls and texts were kept."),
        named="number",
        right=Action.PLACE_CALLS,
    )
)
register(
    Kind(
        DoNotContact,
        means=_("The number is on the list again: neither called nor texted."),
        named="number",
    )
)
register(
    Kind(
        RecurringCall,
        means=_("It comes back paused: resume it to let it be made again."),
        named="to_number",
        right=Action.PLACE_CALLS,
    )
)
register(
    Kind(
        TestScript,
        means=_("It can be run again; its runs were kept."),
        needs=("agent",),
        parts=("rehearsals",),
    )
)
register(
    Kind(
        Label,
        means=_("It is back on the conversations that had it."),
        right=Action.SEND_TEXTS,
    )
)
register(
    Kind(
        CannedReply,
        means=_("It is offered below replies again."),
        right=Action.SEND_TEXTS,
    )
)
