"""Days, hours and months of any zone, and what is fetched for them."""

import json
import random
import zoneinfo
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.histogram import (
    LAST,
    LONGEST_MS,
    bucket_of,
    pack,
    percentile,
    typical_of,
    unpack_sum,
    without,
)
from analytics.periods import FIRST_DAY, Cover, Period, day_of, quarter_at
from analytics.quarters import CHARTED, OF_A_DAY, QUARTER_S, repack, unpack
from analytics.tallies import merged
from analytics.timeline import Timeline, parts_of_days

ZONES = sorted(zoneinfo.available_timezones())
DAYS = st.dates(FIRST_DAY, date(2199, 12, 1))


def test_every_zone_changes_its_clock_between_quarters_of_an_hour():
    """Asked a week apart, which no change of the clock and its end fit in between."""
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        weeks = range(0, 26 * 365, 7)
        starts = [datetime(2012, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in weeks]
        offsets = [at.astimezone(zone).utcoffset() for at in starts]
        for start, before, after in zip(starts, offsets, offsets[1:], strict=False):
            assert before % timedelta(seconds=QUARTER_S) == timedelta(0), name
            if before != after:
                at = changed_at(zone, start, before)
                is_on_quarter = at.timestamp() % QUARTER_S == 0
                assert is_on_quarter or (name == "Antarctica/Casey" and after > before)


def changed_at(zone, start, offset):
    """The second in which the offset is another one for the first time."""
    low, high = 0, 7 * 86_400
    while high - low > 1:
        middle = (low + high) // 2
        at = start + timedelta(seconds=middle)
        if at.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return start + timedelta(seconds=high)


@given(zone=st.sampled_from(ZONES), first=DAYS, length=st.integers(0, 40))
def test_quarters_are_on_the_day_and_hour_of_the_zones_clock(zone, first, length):
    period = Period(first, min(first + timedelta(days=length), date.max), zone)
    chance = random.Random(str(period))
    line, days, hours = Timeline(period), {}, {}
    parts, by_day = parts_of_days(period), [0] * len(period.days)
    quarters = sorted(chance.choices(range(period.start, period.end), k=30))
    for quarter in quarters:
        column = [0] * OF_A_DAY
        column[quarter % OF_A_DAY] = 1
        line.put(day_of(quarter), tuple(column))
        for place, part in parts[day_of(quarter)]:
            by_day[place] += sum(column[part])
        at = datetime.fromtimestamp(quarter * QUARTER_S, zoneinfo.ZoneInfo(zone))
        days[at.date()] = days.get(at.date(), 0) + 1
        place = 24 * at.weekday() + at.hour
        hours[place] = hours.get(place, 0) + 1

    assert by_day == [days.get(day, 0) for day in period.days]
    assert line.by_hour_of_week() == [hours.get(hour, 0) for hour in range(168)]
    assert line.by_hour() == [
        sum(hours.get(hour + 24 * weekday, 0) for weekday in range(7))
        for hour in range(24)
    ]


@given(first=st.integers(1_500_000, 1_510_000), length=st.integers(0, 20_000))
def test_buckets_cover_each_quarter_once(first, length):
    cover = Cover.of(first, first + length)

    covered = []
    for start, last in cover.months:
        assert start.day == 1 and (last + timedelta(days=1)).day == 1
        covered += range(quarter_at(start), quarter_at(last) + OF_A_DAY)
    for start, last in cover.days:
        covered += range(quarter_at(start), quarter_at(last) + OF_A_DAY)
    for day, part in cover.edges.items():
        covered += [quarter_at(day) + quarter for quarter in part]
    assert sorted(covered) == list(range(first, first + length))
    added, taken = cover.edges_by_fewer_hours
    for day, part in cover.edges.items():
        if day in taken:
            assert sorted([*part, *taken[day]]) == list(range(OF_A_DAY))
            assert len(taken[day]) < len(part)
        else:
            assert added[day] == part


@pytest.mark.parametrize(
    ("zone", "day", "quarters"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 92),
        ("Europe/Berlin", date(2026, 10, 25), 100),
        ("Australia/Lord_Howe", date(2026, 4, 5), 98),
        ("Asia/Kathmandu", date(2026, 4, 5), 96),
    ],
)
def test_days_are_as_long_as_the_clock_says(zone, day, quarters):
    period = Period(day, day, zone)

    assert period.end - period.start == quarters


@given(st.lists(st.integers(0, 2 * LONGEST_MS), min_size=1), st.integers(1, 99))
def test_percentiles_are_within_two_percent_and_one_millisecond(times, percent):
    histogram = {}
    for ms in times:
        histogram[bucket_of(ms)] = histogram.get(bucket_of(ms), 0) + 1

    measured = sorted(times)[-(-len(times) * percent // 100) - 1]
    told = percentile(histogram, percent)
    assert told == typical_of(bucket_of(measured))
    if bucket_of(measured) != str(LAST):
        assert abs(told - measured) <= 0.02 * measured + 1


@given(
    st.lists(
        st.dictionaries(st.integers(0, LAST).map(str), st.integers(1, 2**24)),
        max_size=5,
    )
)
def test_packed_histograms_are_added_at_once(histograms):
    assert unpack_sum([pack(one) for one in histograms]) == merged(histograms)


def test_what_is_taken_away_may_have_grown_since():
    assert without({"5": 3, "6": 1}, {"5": 1}) == {"5": 2, "6": 1}
    assert without({"5": 3}, {"5": 4, "6": 1}) == {}


COUNTS = st.fixed_dictionaries(
    {"total": st.integers(1, 2**33)},
    optional={
        "cost": st.dictionaries(st.sampled_from(["EUR", "USD"]), st.integers(1, 9))
    },
)


@given(
    st.dictionaries(
        st.integers(0, 95).map(str), st.dictionaries(st.just("incoming"), COUNTS)
    )
)
def test_what_is_packed_is_what_is_unpacked(tallies):
    names, packed = repack([], b"", tallies)
    columns = dict(unpack(json.dumps(names), packed, what=tuple(CHARTED)))

    for quarter, tally in tallies.items():
        for counted in tally.values():
            assert columns["incoming", "total", None][int(quarter)] == counted["total"]
            for currency, cost in counted.get("cost", {}).items():
                assert columns["incoming", "cost", currency][int(quarter)] == cost
