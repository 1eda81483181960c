"""How fast an account's calls go to the carrier: in turn, across all workers."""

from datetime import datetime, timedelta

from django.db import transaction

from telephony.models import CarrierAccount
from telephony.patience import patient

# Whose turn is later than this asks again instead of waiting with it.
LONGEST_WAIT = patient(5)
# A turn further away than this was taken by a clock that was wrong.
FURTHEST_TURN = timedelta(minutes=1)


def take_turn(account: CarrierAccount, at: datetime) -> datetime | None:
    """When the account's next call may be asked for; None if that is too far away.

    Turns are `1 / calls_per_second` apart, whoever takes them.
    """
    with transaction.atomic():
        row = CarrierAccount.unscoped.select_for_update(no_key=True).get(pk=account.pk)
        turn = max(at, row.next_call_at or at)
        if turn - at > FURTHEST_TURN:
            turn = at
        if turn - at > LONGEST_WAIT:
            return None
        row.next_call_at = turn + timedelta(seconds=1) / row.calls_per_second
        row.save(update_fields=["next_call_at"])
    return turn
