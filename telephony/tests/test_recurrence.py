"""When a call recurs: a rule against plain Python, in zones that do odd things."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.limits import DAYS
from telephony.dialling.recurrence import (
    LAST,
    Frequency,
    Rule,
    end_in_words,
    in_words,
)

BERLIN, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")
DAY = timedelta(days=1)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def rule(frequency="daily", **fields):
    usual = {"time": time(9), "zone": BERLIN, "starts_on": date(2026, 1, 1)}
    return Rule(Frequency(frequency), **usual | fields)


def moments(rule, count=4, after=None):
    return [found.at for found in islice(rule.occurrences(after), count)]


def walls(rule, count=4):
    return [f"{found.wall:%Y-%m-%d}" for found in islice(rule.occurrences(), count)]


# -- Clocks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (date(2026, 3, 28), [utc(2026, 3, 28, 8), utc(2026, 3, 29, 7)]),
        (date(2026, 10, 24), [utc(2026, 10, 24, 7), utc(2026, 10, 25, 8)]),
    ],
)
def test_time_stays_the_same_on_the_wall_when_clocks_change(start, expected):
    assert moments(rule(starts_on=start), 2) == expected


def test_time_that_the_clocks_skip_is_an_hour_later_on_that_day():
    found = list(
        islice(rule(time=time(2, 30), starts_on=date(2026, 3, 28)).occurrences(), 3)
    )

    assert [occurrence.at for occurrence in found] == [
        utc(2026, 3, 28, 1, 30),
        utc(2026, 3, 29, 1, 30),  # 3:30 there
        utc(2026, 3, 30, 0, 30),
    ]
    assert [occurrence.is_moved for occurrence in found] == [False, True, False]


def test_time_that_comes_twice_is_the_first():
    found = moments(rule(time=time(2, 30), starts_on=date(2026, 10, 25)), 2)

    assert found == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)]


def test_time_skipped_by_half_an_hour_is_half_an_hour_later():
    lord_howe = rule(
        time=time(2, 15),
        zone=ZoneInfo("Australia/Lord_Howe"),
        starts_on=date(2026, 10, 4),
    )

    (found,) = islice(lord_howe.occurrences(), 1)

    assert f"{found.at.astimezone(lord_howe.zone):%H:%M}" == "02:45"


def test_day_that_a_country_left_out_rings_once():
    samoa = rule(zone=ZoneInfo("Pacific/Apia"), starts_on=date(2011, 12, 29))

    assert moments(samoa, 3) == [
        utc(2011, 12, 29, 19),
        utc(2011, 12, 30, 19),  # the 31st: there was no 30th
        utc(2011, 12, 31, 19),
    ]


def test_quarters_of_an_hour_of_a_zone_count():
    assert moments(rule(zone=KATHMANDU), 1) == [utc(2026, 1, 1, 3, 15)]


# -- Calendars -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"every": 3}, ["2026-01-01", "2026-01-04", "2026-01-07", "2026-01-10"]),
        (
            {"frequency": "weekly", "days": ("mon", "thu")},
            ["2026-01-01", "2026-01-05", "2026-01-08", "2026-01-12"],
        ),
        (  # the week of the start counts, from Monday on
            {"frequency": "weekly", "days": ("mon", "thu"), "every": 2},
            ["2026-01-01", "2026-01-12", "2026-01-15", "2026-01-26"],
        ),
        (
            {"frequency": "monthly", "month_day": 31},
            ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"],
        ),
        (
            {"frequency": "monthly", "month_day": LAST},
            ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"],
        ),
        (
            {"frequency": "monthly", "nth": 2, "days": ("tue",)},
            ["2026-01-13", "2026-02-10", "2026-03-10", "2026-04-14"],
        ),
        (
            {"frequency": "monthly", "nth": LAST, "days": ("fri",)},
            ["2026-01-30", "2026-02-27", "2026-03-27", "2026-04-24"],
        ),
        (
            {"frequency": "monthly", "month_day": 29, "every": 12}
            | {"starts_on": date(2026, 2, 1)},
            ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"],
        ),
        ({"count": 2}, ["2026-01-01", "2026-01-02"]),
        ({"ends_on": date(2026, 1, 3)}, ["2026-01-01", "2026-01-02", "2026-01-03"]),
        ({"ends_on": date(2025, 12, 31)}, []),
    ],
)
def test_rule_says_the_days(given, expected):
    assert walls(rule(**given)) == expected


def test_rule_that_never_happens_is_found_out_in_no_time():
    never = rule("monthly", month_day=30, every=12, starts_on=date(2026, 2, 1))

    assert moments(never) == []


def test_later_times_begin_after_the_given_moment():
    daily = rule(count=400)

    assert moments(daily, 2, utc(2026, 1, 5, 8)) == [
        utc(2026, 1, 6, 8),
        utc(2026, 1, 7, 8),
    ]
    assert moments(daily, 1, utc(2026, 1, 5, 7, 59)) == [utc(2026, 1, 5, 8)]
    assert moments(daily, 1, utc(2030, 1, 1)) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Every day at 09:00"),
        ({"every": 3}, "Every 3 days at 09:00"),
        (
            {"frequency": "weekly", "days": ("fri", "mon")},
            "Every week on Monday, Friday at 09:00",
        ),
        ({"frequency": "monthly", "month_day": 15}, "Every month on day 15 at 09:00"),
        (
            {"frequency": "monthly", "month_day": LAST, "every": 2},
            "Every 2 months on the last day at 09:00",
        ),
        (
            {"frequency": "monthly", "nth": 2, "days": ("tue",)},
            "Every month on the second Tuesday at 09:00",
        ),
    ],
)
def test_rule_is_told_in_words(given, words):
    assert in_words(rule(**given)) == words


def test_end_is_told_in_words():
    assert end_in_words(rule()) == ""
    assert end_in_words(rule(count=1)) == "1 time"
    assert end_in_words(rule(ends_on=date(2026, 3, 1))) == "until 1 Mar 2026"


# -- Against plain Python --------------------------------------------------------------

ZONES = st.sampled_from(
    [
        *("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Asia/Kolkata"),
        *("Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "UTC"),
        *("America/Havana", "Africa/Casablanca", "Pacific/Chatham"),
    ]
).map(ZoneInfo)
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
STARTS = st.dates(date(2024, 1, 1), date(2028, 12, 31))
COMMON = {"time": TIMES, "zone": ZONES, "starts_on": STARTS, "every": st.integers(1, 5)}
SOME_DAYS = st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True)
RULES = st.one_of(
    st.builds(Rule, st.just(Frequency.DAILY), **COMMON),
    st.builds(Rule, st.just(Frequency.WEEKLY), days=SOME_DAYS.map(tuple), **COMMON),
    st.builds(
        Rule,
        st.just(Frequency.MONTHLY),
        month_day=st.sampled_from([1, 28, 29, 30, 31, LAST]),
        **COMMON,
    ),
    st.builds(
        Rule,
        st.just(Frequency.MONTHLY),
        nth=st.sampled_from([1, 2, 3, 4, LAST]),
        days=st.sampled_from(DAYS).map(lambda day: (day,)),
        **COMMON,
    ),
)


def is_on(rule: Rule, day: date) -> bool:
    """Whether the rule means this day; once more, and without any library."""
    if rule.frequency == Frequency.DAILY:
        return (day - rule.starts_on).days % rule.every == 0
    if rule.frequency == Frequency.WEEKLY:
        first = rule.starts_on - rule.starts_on.weekday() * DAY
        week = (day - first).days // 7
        return week % rule.every == 0 and DAYS[day.weekday()] in rule.days
    month = (day.year - rule.starts_on.year) * 12 + day.month - rule.starts_on.month
    if month % rule.every:
        return False
    length = calendar.monthrange(day.year, day.month)[1]
    if rule.month_day is not None:
        return day.day == (length if rule.month_day == LAST else rule.month_day)
    from_end = rule.nth == LAST and day.day > length - 7
    return DAYS[day.weekday()] == rule.days[0] and (
        from_end or (day.day - 1) // 7 + 1 == rule.nth
    )


def moment_of(rule: Rule, day: date) -> datetime:
    """The wall's time in UTC, by the offsets that are in force around it."""
    wall = datetime.combine(day, rule.time)
    guess = wall.replace(tzinfo=UTC)
    offsets = [(guess + n * DAY).astimezone(rule.zone).utcoffset() for n in (-1, 0, 1)]
    shown = [guess - off for off in offsets if _shows(guess - off, rule.zone) == wall]
    # Skipped: by the clocks as they were before the change.
    return min(shown, default=guess - offsets[0])


def _shows(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


@settings(max_examples=150, deadline=None)
@given(rule=RULES)
def test_rule_agrees_with_plain_python(rule):
    days = (rule.starts_on + number * DAY for number in range(800))
    expected = [moment_of(rule, day) for day in days if is_on(rule, day)][:40]

    found = moments(rule, len(expected))

    assert found == expected


@settings(max_examples=100, deadline=None)
@given(rule=RULES, skipped=st.integers(0, 20), early_s=st.sampled_from([0, 1, 3600]))
def test_times_after_a_moment_are_the_rest_of_all(rule, skipped, early_s):
    whole = moments(rule, skipped + 4)
    if len(whole) <= skipped:
        return
    after = whole[skipped] - timedelta(seconds=early_s)

    found = moments(rule, 3, after)

    assert found == [at for at in whole if at > after][:3]
