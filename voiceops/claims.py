"""Rows that are due, taken by one worker at a time, and in turn between groups.

Such a row has `next_try_at` (None: nothing is due) and `claimed_until`: whoever wrote
that moment works on the row until then. A worker that dies lets its claim run out, one
that was too slow finds another moment there and writes nothing.
"""

from collections import Counter
from datetime import datetime, timedelta

from django.db.models import Count, F, Model, Q, QuerySet, Window
from django.db.models.functions import RowNumber


def claim(
    rows: QuerySet,
    *,
    at: datetime,
    room: int,
    lease_s: int,
    group: str,
    most_of_a_group: int,
) -> list[Model]:
    """Take up to `room` due rows, oldest first, of each group at most so many at once.

    A group whose rows wait for somebody slow leaves the room to the others.
    """
    busy = rows.filter(claimed_until__gt=at).values_list(group)
    at_work = Counter(dict(busy.annotate(Count("pk")).order_by()))
    full = [key for key, count in at_work.items() if count >= most_of_a_group]
    free = Q(claimed_until=None) | Q(claimed_until__lte=at)
    due = rows.filter(free, next_try_at__lte=at).exclude(**{f"{group}__in": full})
    place = Window(RowNumber(), partition_by=F(group), order_by=F("next_try_at").asc())
    in_turn = due.annotate(place=place).filter(place__lte=most_of_a_group)
    taken, until = [], at + timedelta(seconds=lease_s)
    for pk, key in in_turn.order_by("place", "next_try_at").values_list("pk", group):
        if len(taken) == room:
            break
        if at_work[key] < most_of_a_group and due.filter(pk=pk).update(
            claimed_until=until
        ):
            at_work[key] += 1
            taken.append(pk)
    return list(rows.filter(pk__in=taken))


def finish(row: Model, **changes) -> bool:
    """Write what became of a claimed row and let it go; False if it was taken over."""
    rows = type(row)._base_manager.filter(pk=row.pk, claimed_until=row.claimed_until)
    return bool(rows.update(claimed_until=None, **changes))
