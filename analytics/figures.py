"""The figures of a workspace, read from what was counted; never from the rows.

Everything here is exact for any zone and filters: see docs/analytics.md.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import Workspace
from analytics.buckets import REPLIES, month_of
from analytics.histogram import pack, percentile, unpack_sum, without
from analytics.models import Bucket, Quarters, Series
from analytics.periods import DAY, Cover, Edges, Period, Stretch, day_of, quarter_at
from analytics.quarters import (
    DIRECTIONS,
    OF_AN_HOUR,
    PACKED,
    Column,
    Name,
    Reader,
    readers,
    unpack,
)
from analytics.sql import JsonText
from analytics.tallies import MILLIONTHS, Tally, merge, merged
from analytics.timeline import Timeline, parts_of_days

Span = Bucket.Span
By = Literal["agent", "phone"] | None  # whose figures are told one by one
TOTAL = ("total",)
NAMES, SPEND_NAMES = JsonText("names"), JsonText("spend_names")


@dataclass(frozen=True)
class Question:
    """Whose figures of what time, and of which part of it.

    Sums and columns alone are also told of a time that is no days.
    """

    owner: Workspace
    period: Period | Stretch
    agent_id: UUID | None = None
    phone_id: UUID | None = None
    direction: str = ""
    _covers: dict[Series, Cover] = field(
        default_factory=dict, init=False, compare=False
    )

    @property
    def directions(self) -> tuple[str, ...]:
        return (self.direction,) if self.direction else DIRECTIONS

    @property
    def before(self) -> "Question":
        return replace(self, period=self.period.before)

    def as_far_as(self, other: "Question", at: datetime) -> "Question":
        """Without as much of its end as is still to come, at that moment, of `other`,
        which is as long.
        """
        left = other.period.end - Stretch.until(at, 0).end
        if not 0 < left < other.period.end - other.period.start:
            return self
        return replace(self, period=Stretch(self.period.start, self.period.end - left))

    def of_last_days(self, most: int) -> "Question":
        """The end of the period alone, if it is longer."""
        first = max(self.period.first, self.period.last - DAY * (most - 1))
        return replace(self, period=replace(self.period, first=first))

    def buckets(self, series: Series, *, of_pairs: bool = False) -> QuerySet[Bucket]:
        """Those that have the wanted calls and no others, of all days and months."""
        rows = Bucket.objects.for_owner(self.owner).filter(series=series)
        if self.agent_id:
            rows = rows.filter(agent=self.agent_id)
        if self.phone_id:
            rows = rows.filter(phone=self.phone_id)
        is_of_pairs = of_pairs or self.agent_id or self.phone_id
        return rows.filter(is_total=not is_of_pairs)

    def cover(self, series: Series, *, of_pairs: bool = False) -> Cover:
        """The days and months that the sums are made of.

        A pair has a bucket a day, so many pairs have very many: where nothing was
        counted after the period, its last month is read whole.
        """
        if not (of_pairs or self.agent_id or self.phone_id):
            return Cover.of(self.period.start, self.period.end)
        if series not in self._covers:
            self._covers[series] = self._cover_of_pairs(series)
        return self._covers[series]

    def _cover_of_pairs(self, series: Series) -> Cover:
        start, end = self.period.start, self.period.end
        first, after = month_of(day_of(end - 1))
        if start <= quarter_at(first) and self._is_last(series):
            end = quarter_at(after)
        return Cover.of(start, end)

    def _is_last(self, series: Series) -> bool:
        """Whether nobody's were counted after the period."""
        end = self.period.end
        days = Bucket.objects.for_owner(self.owner).filter(
            series=series, is_total=True, span=Span.DAY, first_day__gte=day_of(end)
        )
        last = days.order_by("-first_day").values_list("first_day", NAMES, "quarters")
        for day, *packed in last[:1]:
            after = max(end - quarter_at(day), 0)
            return not any(any(c[after:]) for _name, c in unpack(*packed, what=TOTAL))
        return True

    def of(self, tally: Tally) -> Tally:
        """The wanted directions of a tally together, and how many each had."""
        known = {name: tally[name] for name in self.directions if name in tally}
        totals = {name: known[name].get("total", 0) for name in known}
        return merge(merged(known.values()), totals)


# -- By day and by hour ----------------------------------------------------------------


def columns(
    question: Question, series: Series, *wanted: str
) -> Iterator[tuple[date, Name, Column]]:
    """The columns of what is wanted (`PACKED`), day by day of UTC."""
    for day, names, packed in _packed_days(question, series, *wanted):
        for name, column in unpack(
            names, packed, what=wanted, directions=question.directions
        ):
            yield day, name, column


def _packed_days(
    question: Question, series: Series, *wanted: str
) -> Iterator[tuple[date, str, bytes]]:
    """The names of columns, and their numbers."""
    first, last = question.period.utc_days
    days = question.buckets(series).filter(
        span=Span.DAY, first_day__gte=first, first_day__lte=last
    )
    for known, names, packed in PACKED:
        if not known.isdisjoint(wanted):
            yield from days.values_list("first_day", JsonText(names), packed)


def by_day(question: Question, series: Series, *wanted: str) -> list[Tally]:
    """For each day of the period, in order, the sums of what is wanted.

    What there was nothing of is not in them.
    """
    parts = parts_of_days(question.period)
    none = [0] * len(question.period.days)
    lines: dict[tuple[str, str | None], list[int]] = {}
    known: dict[str, list[tuple[list[int], Reader]]] = {}  # by the names of columns
    for day, names, packed in _packed_days(question, series, *wanted):
        if names not in known:
            known[names] = [
                (lines.setdefault((what, kind), none.copy()), read)
                for (_direction, what, kind), read in readers(
                    names, wanted, question.directions
                )
            ]
        places, numbers = parts[day], bytes(packed)
        for line, read in known[names]:
            column = read(numbers)
            for place, part in places:
                line[place] += sum(column[part])
    return _day_by_day(lines, len(none))


def _day_by_day(
    lines: dict[tuple[str, str | None], list[int]], length: int
) -> list[Tally]:
    found: list[Tally] = [{} for _ in range(length)]
    for (what, kind), line in lines.items():
        for tally, value in zip(found, line, strict=True):
            if value and kind is None:
                tally[what] = value
            elif value:
                tally.setdefault(what, {})[kind] = value
    return found


def timelines(question: Question, *wanted: str) -> dict[str, Timeline]:
    """Of the calls, each number that is wanted by the quarter of an hour."""
    lines = {what: Timeline(question.period) for what in wanted}
    for day, name, column in columns(question, Series.CALLS, *wanted):
        lines[name.what].put(day, column)
    return lines


def timelines_by_kind(
    question: Question, *wanted: str, series: Series = Series.CALLS
) -> dict[str, Timeline]:
    """Likewise, each kind by itself: `total`, `outcomes.resolved`."""
    lines: dict[str, Timeline] = {}
    for day, name, column in columns(question, series, *wanted):
        key = name.what if name.kind is None else f"{name.what}.{name.kind}"
        if key not in lines:
            lines[key] = Timeline(question.period)
        lines[key].put(day, column)
    return lines


def by_day_of_agents(
    question: Question, agents: Collection[UUID]
) -> dict[UUID, list[int]]:
    """The calls of each of these agents on each day of the period."""
    lines = {agent: Timeline(question.period) for agent in agents}
    first, last = question.period.utc_days
    days = question.buckets(Series.CALLS, of_pairs=True).filter(
        span=Span.DAY, first_day__gte=first, first_day__lte=last, agent__in=agents
    )
    for agent, day, *packed in days.values_list(
        "agent", "first_day", NAMES, "quarters"
    ):
        for _name, column in unpack(
            *packed, what=TOTAL, directions=question.directions
        ):
            lines[agent].put(day, column)
    return {agent: line.by_day() for agent, line in lines.items()}


def by_hour(question: Question, *wanted: str) -> dict[str, list[int]]:
    """For each number the sums of each of 24 hours of the day."""
    lines = timelines(question, *wanted)
    return {what: lines[what].by_hour() for what in wanted}


# -- Sums ------------------------------------------------------------------------------


def sums(
    question: Question,
    series: Series,
    *,
    with_facts: bool = False,
    by: By = None,
) -> dict[UUID | None, Tally]:
    """What the period comes to, for each agent or number, or (under None) in all."""
    found: dict[UUID | None, Tally] = defaultdict(dict)
    rows = question.buckets(series, of_pairs=by is not None)
    names = ("sums", "facts") if with_facts else ("sums",)
    cover = question.cover(series, of_pairs=by is not None)
    if whole := _whole(cover):
        for pk, *tallies in rows.filter(whole).values_list(by or "agent", *names):
            for tally in tallies:
                merge(found[pk if by else None], tally)
    of_edges = _whole_edges if with_facts else _edges
    for pk, tally in of_edges(question, rows, cover.edges, by or "agent"):
        merge(found[pk if by else None], tally)
    return {pk: of_it for pk in found if (of_it := question.of(found[pk]))}


def _whole(cover: Cover) -> Q:
    """Its months and days; nothing where it has none."""
    return _within(Span.MONTH, cover.months) | _within(Span.DAY, cover.days)


def _within(span: str, runs: Iterable[tuple[date, date]]) -> Q:
    found = Q()
    for first, last in runs:
        found |= Q(span=span, first_day__gte=first, first_day__lte=last)
    return found


Found = Iterator[tuple[UUID | None, Tally]]
SUMMED = ("total", "answered", "delivered", "failed", "talk_s", "segments", "cost")


def _whole_edges(
    question: Question, rows: QuerySet[Bucket], edges: Edges, by: str
) -> Found:
    """All that is known of them, with whose it is."""
    if not edges:
        return
    hours = Q()
    for day, quarters in edges.items():
        first, last = quarters[0] // OF_AN_HOUR, quarters[-1] // OF_AN_HOUR
        hours |= Q(bucket__first_day=day, hour__gte=first, hour__lte=last)
    days = rows.filter(span=Span.DAY, first_day__in=edges)
    yield from _details(question, edges, by, Q(hours, bucket__in=days))


def _details(question: Question, edges: Edges, by: str, which: Q) -> Found:
    details = Quarters.objects.for_owner(question.owner).filter(which)
    names = ("bucket__first_day", "tallies", f"bucket__{by}")
    for day, tallies, pk in details.values_list(*names):
        for quarter, tally in tallies.items():
            if int(quarter) in edges[day]:
                yield pk, tally


def _edges(question: Question, rows: QuerySet[Bucket], edges: Edges, by: str) -> Found:
    """The sums alone, from the packed numbers: there may be many pairs."""
    days = rows.filter(span=Span.DAY, first_day__in=edges)
    of_lasts = Q()
    for bucket, whose, day, of_day, *packed in days.values_list(
        "pk", by, "first_day", "sums", NAMES, "quarters"
    ):
        tally = _sums_of(packed, edges[day])
        for direction, counted in tally.items():
            last = of_day[direction].get("last", "")
            if last and _quarter_of(last) in edges[day]:
                counted["last"] = last
            elif last:  # it is later, and not wanted
                hour = _latest(packed, direction, edges[day]) // OF_AN_HOUR
                of_lasts |= Q(bucket=bucket, hour=hour)
        yield whose, tally
    if of_lasts:
        for whose, tally in _details(question, edges, by, of_lasts):
            yield whose, {name: {"last": tally[name]["last"]} for name in tally}


def _sums_of(packed: Sequence[Any], wanted: range) -> Tally:
    found: Tally = {}
    for name, column in unpack(*packed, what=SUMMED):
        if value := sum(column[wanted.start : wanted.stop]):
            counted, key = found.setdefault(name.direction, {}), name.what
            if name.kind is not None:
                counted, key = counted.setdefault(key, {}), name.kind
            counted[key] = value
    return found


def _quarter_of(moment: str) -> int:
    at = datetime.fromisoformat(moment)
    return at.hour * OF_AN_HOUR + at.minute // (60 // OF_AN_HOUR)


def _latest(packed: Sequence[Any], direction: str, wanted: range) -> int:
    """The last of these quarters that has any."""
    ((_name, column),) = unpack(*packed, what=TOTAL, directions=(direction,))
    return max(quarter for quarter in wanted if column[quarter])


def spend(question: Question, series: Series, by: By) -> dict[UUID | None, Tally]:
    """For each agent or number what was spent in the period, by part and currency."""
    found: dict[UUID | None, Tally] = defaultdict(dict)
    rows = question.buckets(series, of_pairs=True)
    cover = question.cover(series, of_pairs=True)
    # Of all facts these alone are wanted, of many buckets.
    names = [f"facts__{direction}__spend" for direction in question.directions]
    if whole := _whole(cover):
        for pk, *spends in rows.filter(whole).values_list(by, *names):
            for one in filter(None, spends):
                merge(found[pk], one)
    days = rows.filter(span=Span.DAY, first_day__in=cover.edges)
    for pk, day, *packed in days.values_list(
        by, "first_day", SPEND_NAMES, "spend_quarters"
    ):
        wanted = cover.edges[day]
        for name, column in unpack(
            *packed, what=("spend",), directions=question.directions
        ):
            if value := sum(column[wanted.start : wanted.stop]):
                merge(found[pk], nested({str(name.kind): value}))
    return found


def nested(by_kind: dict[str, int]) -> Tally:
    """`{"model.EUR": 5}` as `{"model": {"EUR": 5}}`."""
    found: Tally = defaultdict(dict)
    for kind, amount in by_kind.items():
        part, _dot, currency = kind.partition(".")
        found[part][currency] = amount
    return found


# -- What is read out of a tally -------------------------------------------------------


def amounts(costs: dict[str, int]) -> list[tuple[str, Decimal]]:
    """Currency and amount, those with the most first; without what is nothing."""
    known = [(currency, cost) for currency, cost in costs.items() if cost]
    ordered = sorted(known, key=lambda entry: (-entry[1], entry[0]))
    return [(currency, Decimal(cost) / MILLIONTHS) for currency, cost in ordered]


def reply_times(tally: Tally) -> dict[str, Any]:
    """How many replies there were, and how long they took, in all versions together."""
    return times_of(merged(tally.get("replies", {}).values()))


def times_of(histogram: dict[str, int]) -> dict[str, Any]:
    return {
        "count": sum(histogram.values()),
        "p50": percentile(histogram, 50),
        "p95": percentile(histogram, 95),
    }


def replies_of_agents(
    question: Question, agents: Collection[UUID]
) -> dict[UUID, dict[str, Any]]:
    """How long the replies of each of these agents took."""
    rows = question.buckets(Series.CALLS, of_pairs=True).filter(agent__in=agents)
    cover = question.cover(Series.CALLS, of_pairs=True)
    edges, rests = cover.edges_by_fewer_hours
    found: dict[UUID | None, list[bytes]] = {agent: [] for agent in agents}
    names = [REPLIES[direction] for direction in question.directions]
    whole = _whole(cover) | Q(span=Span.DAY, first_day__in=rests)
    for agent, *packed in rows.filter(whole).values_list("agent", *names):
        found[agent] += packed
    for agent, times in _replies_within(question, rows, edges).items():
        found[agent].append(pack(times))
    unwanted = _replies_within(question, rows, rests)
    return {
        agent: times_of(without(unpack_sum(found[agent]), unwanted.get(agent, {})))
        for agent in agents
    }


def _replies_within(
    question: Question, rows: QuerySet[Bucket], edges: Edges
) -> dict[UUID | None, dict[str, int]]:
    """The reply times of each agent in these quarters."""
    found: dict[UUID | None, dict[str, int]] = defaultdict(dict)
    for agent, tally in _whole_edges(question, rows, edges, "agent"):
        for direction in tally.keys() & question.directions:
            for times in tally[direction].get("replies", {}).values():
                merge(found[agent], times)
    return found
