"""Counting rows: what happened in a stretch of time, by quarter of an hour and pair.

A tally is made of numbers that are added, texts of which the greatest is kept, and
tallies. Money is in millionths, whole: adding is exact in any order.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from analytics.histogram import bucket_of
from analytics.models import TOTAL, Pair, Series
from analytics.quarters import OF_A_DAY, QUARTER_S
from telephony.models import Call, CallCost, Message, Turn

Tally = dict[str, Any]
Counted = dict[Pair | None, dict[str, Tally]]
"""For every pair, and for all, a tally by direction for each quarter of the day."""

MILLIONTHS = 1_000_000
OTHER_PART = "other"  # of a cost that came without its parts


def merge(into: Tally, more: Tally) -> Tally:
    for key, value in more.items():
        if isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        elif isinstance(value, str):
            into[key] = max(into.get(key, ""), value)
        else:
            into[key] = into.get(key, 0) + value
    return into


def merged(tallies: Iterable[Tally]) -> Tally:
    found: Tally = {}
    for tally in tallies:
        merge(found, tally)
    return found


def count(series: str, owner_id: UUID, start: datetime, end: datetime) -> Counted:
    """What the rows say of the time from `start` to before `end`, within one day."""
    counted: Counted = defaultdict(dict)
    for one in COUNT[Series(series)](owner_id, start, end):
        quarter = str(int(one.at.timestamp()) // QUARTER_S % OF_A_DAY)
        for key, tally in ((one.pair, one.tally), (TOTAL, _without_version(one.tally))):
            merge(counted[key].setdefault(quarter, {}), {one.direction: tally})
    return counted


@dataclass(frozen=True)
class One:
    """One call or text, as it counts."""

    at: datetime
    pair: Pair
    direction: str
    tally: Tally


def _without_version(tally: Tally) -> Tally:
    """Versions of several agents' prompts have nothing in common."""
    if "replies" not in tally:
        return tally
    return tally | {"replies": {"": merged(tally["replies"].values())}}


# -- Calls -----------------------------------------------------------------------------


def _calls(owner_id: UUID, start: datetime, end: datetime) -> Iterable[One]:
    """Real calls that have ended; each counts at its start."""
    wanted = {
        "owner_id": owner_id,
        "started_at__gte": start,
        "started_at__lt": end,
        "ended_at__isnull": False,
        "is_test": False,
    }
    of_call = {f"call__{name}": value for name, value in wanted.items()}
    spend, replies = _spend(of_call), _replies(of_call)
    rows = Call.unscoped.filter(**wanted).order_by().values_list(*CALL_FIELDS)
    for pk, at, agent, phone, direction, version, *facts, cost, currency in rows:
        tally = _of_call(*facts)
        tally["last"] = at.isoformat(timespec="microseconds")
        if pk in replies:
            tally["replies"] = {str(version or ""): replies[pk]}
        if pk in spend:
            tally["spend"] = spend[pk]
        elif cost is not None:
            tally["spend"] = {OTHER_PART: {currency: _millionths(cost)}}
        if "spend" in tally:
            tally["cost"] = merged(tally["spend"].values())
        yield One(at, Pair(agent, phone), direction, tally)


CALL_FIELDS = (
    *("pk", "started_at", "agent_id", "phone_id", "direction", "prompt_version"),
    *("answered_at", "duration_s", "status", "end_reason", "after_call__outcome"),
    *("cost", "currency"),
)


def _of_call(
    answered_at: datetime | None,
    duration_s: int | None,
    status: str,
    end_reason: str,
    outcome: str | None,
) -> Tally:
    tally: Tally = {"total": 1, "statuses": {status: 1}}
    if answered_at is not None:
        tally |= {"answered": 1, "talk_s": duration_s or 0}
    if status == Call.Status.FAILED:
        tally["failed"] = 1
    if end_reason:
        tally["reasons"] = {end_reason: 1}
    if outcome:
        tally["outcomes"] = {outcome: 1}
    return tally


def _spend(of_call: dict[str, Any]) -> dict[UUID, Tally]:
    """For each call what is known of its costs, by part and currency."""
    found: dict[UUID, Tally] = {}
    rows = CallCost.unscoped.filter(**of_call, amount__isnull=False).order_by()
    for call, part, currency, amount in rows.values_list(
        "call_id", "part", "currency", "amount"
    ):
        merge(found.setdefault(call, {}), {part: {currency: _millionths(amount)}})
    return found


def _replies(of_call: dict[str, Any]) -> dict[UUID, dict[str, int]]:
    """For each call how many replies took how long."""
    found: dict[UUID, dict[str, int]] = {}
    rows = Turn.unscoped.filter(**of_call, reply_ms__isnull=False).order_by()
    for call, reply_ms in rows.values_list("call_id", "reply_ms"):
        times, bucket = found.setdefault(call, {}), bucket_of(reply_ms)
        times[bucket] = times.get(bucket, 0) + 1
    return found


def _millionths(amount: Decimal) -> int:
    return int(amount * MILLIONTHS)


# -- Texts -----------------------------------------------------------------------------


def _texts(owner_id: UUID, start: datetime, end: datetime) -> Iterable[One]:
    """All texts; each counts when it came in or was written."""
    rows = Message.unscoped.filter(
        owner_id=owner_id, created_at__gte=start, created_at__lt=end
    ).order_by()
    for (
        at,
        agent,
        phone,
        direction,
        status,
        segments,
        cost,
        currency,
    ) in rows.values_list(*TEXT_FIELDS):
        tally: Tally = {"total": 1, "statuses": {status: 1}, "segments": segments}
        if status in Message.ARRIVED:
            tally["delivered"] = 1
        elif status in Message.NOT_SENT:
            tally["failed"] = 1
        if cost is not None:
            tally["cost"] = {currency: _millionths(cost)}
        yield One(at, Pair(agent, phone), direction, tally)


TEXT_FIELDS = (
    *("created_at", "agent_id", "conversation__phone_id", "direction"),
    *("status", "segments", "cost", "currency"),
)

COUNT: dict[Series, Callable[[UUID, datetime, datetime], Iterable[One]]] = {
    Series.CALLS: _calls,
    Series.TEXTS: _texts,
}
