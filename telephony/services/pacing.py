"""How fast an account's calls go to the carrier: in turn, across all workers."""

from datetime import datetime, timedelta

from django.db import transaction

from telephony.models import CarrierAccount
from telephony.patience import patient

# Whose turn is later than this asks again instead of waiting for it.
LONGEST_WAIT = patient(5)
# A turn further away than this was taken by a clock that was wrong.
FURTHEST_TURN = timedelta(minutes=1)


def take_turns(account: CarrierAccount, count: int, at: datetime) -> list[datetime]:
    """When the account's next calls may be asked for, of `count` those that come soon.

    Turns are `1 / calls_per_second` apart, whoever takes them.
    """
    with transaction.atomic():
        row = CarrierAccount.unscoped.select_for_update(no_key=True).get(pk=account.pk)
        apart = timedelta(seconds=1) / row.calls_per_second
        first = max(at, row.next_call_at or at)
        if first - at > FURTHEST_TURN:
            first = at
        coming = (first + number * apart for number in range(count))
        turns = [turn for turn in coming if turn - at <= LONGEST_WAIT]
        if turns:
            row.next_call_at = turns[-1] + apart
            row.save(update_fields=["next_call_at"])
    return turns
