"""What people want of a call that is going on, for whoever has the call.

It is a row first (`taking_part`), then a bell is rung. Whoever has the call takes the
row and carries it out: never twice, never late, and always saying what became of it.
"""

from datetime import datetime

from django.db.models import Case, Value, When
from django.utils.timezone import now

from telephony import live
from telephony.models import Call, Intervention

Status = Intervention.Status


def take(call: Call) -> list[Intervention]:
    """What is to be carried out now, by the caller of this and nobody else."""
    waiting = Intervention.unscoped.filter(call=call, status=Status.WAITING)
    found = waiting.select_related("by").order_by("pk")
    taken = [wish for wish in found if wish.take(call.times_resumed, now())]
    for wish in taken:
        if wish.kind == Intervention.Kind.TRANSFER:
            call.transfer_to = wish.text
    return taken


def fulfil(call: Call, wish_id: str) -> None:
    """It is done, whatever was believed of it meanwhile."""
    wish = Intervention.unscoped.filter(pk=wish_id)
    wish.update(status=Status.DONE, updated_at=now())
    live.changed(call)


def give_back(call: Call) -> None:
    """What this session has taken and not carried out: another may, if in time."""
    left = Intervention.unscoped.filter(
        call=call,
        session=call.times_resumed,
        status__in=[Status.TAKEN, Status.LOST],
    )
    over = left.filter(call__ended_at__isnull=False)
    over.update(status=Status.TOO_LATE, updated_at=now())
    if left.update(status=Status.WAITING, session=None, updated_at=now()):
        live.changed(call)


def begin_session(call: Call) -> None:
    """What an earlier session has taken is done, or nobody knows."""
    earlier = Intervention.unscoped.under_way().filter(
        call=call, session__lt=call.times_resumed
    )
    earlier.update(status=Status.LOST, updated_at=now())


def end_call(call: Call, at: datetime) -> None:
    """The call is over: say so of what was not done."""
    end = Case(
        When(status=Status.TAKEN, then=Value(Status.LOST.value)),
        When(lapses_at__lte=at, then=Value(Status.NOT_REACHED.value)),
        default=Value(Status.TOO_LATE.value),
    )
    under_way = Intervention.unscoped.under_way().filter(call=call)
    under_way.update(status=end, updated_at=now())
