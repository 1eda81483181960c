"""Counting rows: what happened in a stretch of time, by quarter of an hour and pair.

A tally is made of numbers that are added (none of them is 0), texts of which the
greatest is kept, and tallies. Money is in millionths, whole: adding is exact in any
order.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import Least

from analytics.histogram import added_up, bucket_of
from analytics.models import TOTAL, Pair, Series
from analytics.sql import IdText, Joined, Millionths, QuarterOf
from telephony.models import Call, CallCost, Message, Turn
from telephony.services import text_costs

Tally = dict[str, Any]
Counted = dict[Pair | None, dict[str, Tally]]
"""For every pair, and for all, a tally by direction for each quarter of the day."""

MILLIONTHS = 1_000_000
OTHER_PART = "other"  # of a cost that came without its parts


def merge(into: Tally, more: Tally) -> Tally:
    for key, value in more.items():
        kind = type(value)
        if kind is int:
            into[key] = into.get(key, 0) + value
        elif kind is dict:
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = max(into.get(key, ""), value)
    return into


def merged(tallies: Iterable[Tally]) -> Tally:
    found: Tally = {}
    for tally in tallies:
        merge(found, tally)
    return found


class GreatestIsGone(Exception):
    """Which text is the greatest now, only all the parts together tell."""


def swap(tally: Tally, before: Tally, now: Tally) -> Tally:
    """Put `now` into `tally` in the place of `before`, which is a part of it.

    Raises GreatestIsGone.
    """
    for key in before.keys() | now.keys():
        old, new = before.get(key), now.get(key)
        kind = type(new if old is None else old)
        if kind is dict:
            value = swap(tally.get(key, {}), old or {}, new or {})
        elif kind is str:
            value = max(tally.get(key, ""), new or "")
            if value == old != new:
                raise GreatestIsGone
        else:
            value = tally.get(key, 0) + (new or 0) - (old or 0)
        if value:
            tally[key] = value
        else:
            tally.pop(key, None)
    return tally


# -- What the rows say -----------------------------------------------------------------

Row = tuple[int, str | None, str | None, str, Tally]
"""A quarter of the day, an agent, a number, a direction, and a part of their tally."""


def count(series: str, owner_id: UUID, start: datetime, end: datetime) -> Counted:
    """What the rows say of the time from `start` to before `end`, within one day."""
    found: dict[Any, dict[str, Tally]] = defaultdict(dict)
    for quarter, agent, phone, direction, tally in COUNT[Series(series)](
        owner_id, start, end
    ):
        of_quarter = found[agent, phone].setdefault(str(quarter), {})
        _put(of_quarter, direction, tally)
    counted: Counted = {
        Pair(*(UUID(name) if name else None for name in pair)): found[pair]
        for pair in found
    }
    if found:
        counted[TOTAL] = _of_all(found.values())
    return counted


def _put(into: Tally, key: str, tally: Tally) -> None:
    """Add a tally that nobody else holds."""
    if key in into:
        merge(into[key], tally)
    else:
        into[key] = tally


def _of_all(counted: Iterable[dict[str, Tally]]) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for quarters in counted:
        for quarter, tally in quarters.items():
            of_quarter = found.setdefault(quarter, {})
            for direction, one in tally.items():
                merge(of_quarter.setdefault(direction, {}), _without_version(one))
    return found


def _without_version(tally: Tally) -> Tally:
    """Versions of several agents' prompts have nothing in common."""
    known = {name: tally[name] for name in tally if name != "versions"}
    if "replies" in known:
        known["replies"] = {"": merged(known["replies"].values())}
    return known


def _known(**numbers: int | None) -> Tally:
    """Those that are something."""
    return {name: int(number) for name, number in numbers.items() if number}


# -- Calls -----------------------------------------------------------------------------


def _calls(owner_id: UUID, start: datetime, end: datetime) -> Iterator[Row]:
    """Real calls that have ended; each counts at its start."""
    wanted = {
        "owner_id": owner_id,
        "started_at__gte": start,
        "started_at__lt": end,
        "ended_at__isnull": False,
        "is_test": False,
    }
    of_call = {f"call__{name}": value for name, value in wanted.items()}
    calls = Call.unscoped.filter(**wanted)
    yield from _ends(calls)
    parts = CallCost.unscoped.filter(**of_call, amount__isnull=False)
    yield from _spend(parts, "call__", "amount", F("part"))
    known = CallCost.unscoped.filter(call=OuterRef("pk"), amount__isnull=False)
    yield from _spend(
        calls.filter(~Exists(known), cost__isnull=False), "", "cost", Value(OTHER_PART)
    )
    yield from _replies(Turn.unscoped.filter(**of_call, reply_ms__isnull=False))


def _places(prefix: str = "") -> tuple[QuarterOf, IdText, IdText, F]:
    """The beginning of each row."""
    agent, phone = IdText(f"{prefix}agent_id"), IdText(f"{prefix}phone_id")
    return QuarterOf(f"{prefix}started_at"), agent, phone, F(f"{prefix}direction")


def _ends(calls: QuerySet[Call]) -> Iterator[Row]:
    rows = calls.order_by().values_list(*_places(), "prompt_version")
    for row in rows.annotate(
        total=Count("pk"),
        answered=Count("answered_at"),
        talk_s=Sum("duration_s", filter=Q(answered_at__isnull=False)),
        last=Max("started_at"),
        statuses=Joined("status"),
        reasons=Joined("end_reason"),
        outcomes=Joined("after_call__outcome"),
    ):
        place, (version, total, answered, talk_s, last) = row[:4], row[4:9]
        statuses, reasons, outcomes = map(_kinds, row[9:])
        failed = statuses.get(Call.Status.FAILED)
        tally = _known(total=total, answered=answered, talk_s=talk_s, failed=failed)
        tally["versions"] = {_named(version): _known(total=total, answered=answered)}
        tally["last"] = last.isoformat(timespec="microseconds")
        kinds = {"statuses": statuses, "reasons": reasons, "outcomes": outcomes}
        yield *place, tally | {name: kinds[name] for name in kinds if kinds[name]}


def _kinds(joined: str | None) -> dict[str, int]:
    """How many there are of each."""
    return added_up(filter(None, (joined or "").split(",")))


def _spend(rows: QuerySet, prefix: str, amount: str, part: F | Value) -> Iterator[Row]:
    """What is known of the costs, by part and currency; and by version."""
    kinds = (f"{prefix}prompt_version", "currency", part)
    found = rows.order_by().values_list(*_places(prefix), *kinds)
    for *place, version, currency, part_name, cost in found.annotate(
        cost=Sum(Millionths(amount))
    ):
        if costs := _known(**{currency: cost}):
            of_version = {_named(version): {"cost": {**costs}}}
            of_part = {part_name: {**costs}}
            yield *place, {"spend": of_part, "cost": costs, "versions": of_version}


def _replies(turns: QuerySet[Turn]) -> Iterator[Row]:
    """How many replies took how long, by version of the prompt."""
    rows = turns.order_by().values_list(*_places("call__"), "call__prompt_version")
    for *place, version, joined in rows.annotate(times=Joined("reply_ms")):
        times = added_up(map(bucket_of, map(int, joined.split(","))))
        yield *place, {"replies": {_named(version): times}}


def _named(version: int | None) -> str:
    return str(version or "")


# -- Texts -----------------------------------------------------------------------------


def _texts(owner_id: UUID, start: datetime, end: datetime) -> Iterator[Row]:
    """All texts; each counts when it came in or was written."""
    texts = Message.unscoped.filter(
        owner_id=owner_id, created_at__gte=start, created_at__lt=end
    ).order_by()
    agent, phone = IdText("agent_id"), IdText("conversation__phone_id")
    place = QuarterOf("created_at"), agent, phone, "direction"
    rows = texts.values_list(*place, "status")
    for *of, status, total, segments in rows.annotate(
        total=Count("pk"), segments=Sum("segments")
    ):
        delivered = total if status in Message.ARRIVED else 0
        failed = total if status in Message.NOT_SENT else 0
        tally = _known(
            total=total, segments=segments, delivered=delivered, failed=failed
        )
        yield *of, tally | {"statuses": {status: total}}
    yield from _costs_of_texts(texts.filter(cost__isnull=False), place)


def _costs_of_texts(priced: QuerySet[Message], place: tuple) -> Iterator[Row]:
    """The carrier's price, and the model's tokens of those that are answers."""
    of_model: dict[tuple, int] = defaultdict(int)
    for texts, amount in text_costs.with_model(priced):
        tokens = Least(Millionths("cost"), Millionths(amount))
        sums = texts.values_list(*place, "currency").annotate(tokens=Sum(tokens))
        for *key, used in sums:
            of_model[tuple(key)] += used
    rows = priced.values_list(*place, "currency")
    for *of, currency, cost in rows.annotate(total=Sum(Millionths("cost"))):
        if costs := _known(**{currency: cost}):
            used = of_model[*of, currency]
            parts = _known(carrier=cost - used, model=used)
            spend = {part: {currency: parts[part]} for part in parts}
            yield *of, {"cost": costs, "spend": spend}


COUNT: dict[Series, Callable[[UUID, datetime, datetime], Iterator[Row]]] = {
    Series.CALLS: _calls,
    Series.TEXTS: _texts,
}
