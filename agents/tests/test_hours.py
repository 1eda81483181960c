"""Weekly hours by the wall clock, over every change of the clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents import words
from agents.hours import DAYS, LOOK_AHEAD_DAYS, is_open, next_opening, open_since
from agents.limits import check_business_hours

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo"),
    # Half hours and three quarters; half an hour of daylight saving; a day left out.
    *("Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "Australia/Lord_Howe"),
    *("Pacific/Apia", "America/St_Johns", "Africa/Casablanca"),
)
# Clocks went forward and back in these weeks, somewhere.
WEEKS = (
    datetime(2026, 3, 27, tzinfo=UTC),
    datetime(2026, 10, 23, tzinfo=UTC),
    datetime(2026, 3, 6, tzinfo=UTC),
    datetime(2026, 10, 30, tzinfo=UTC),
    datetime(2026, 4, 2, tzinfo=UTC),
    datetime(2026, 9, 24, tzinfo=UTC),
    datetime(2011, 12, 28, tzinfo=UTC),
    datetime(2018, 11, 2, tzinfo=UTC),
    datetime(2026, 7, 1, tzinfo=UTC),
)
MINUTE = timedelta(minutes=1)


def clock(minutes):
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def ranges(draw):
    """One day's pairs of times that do not overlap, on quarters of an hour."""
    quarters = st.integers(0, 96)
    edges = sorted(draw(st.sets(quarters, max_size=6)))
    return [
        [clock(15 * start), clock(15 * end)]
        for start, end in zip(edges[::2], edges[1::2], strict=False)
    ]


@st.composite
def business_hours(draw):
    days = {day: draw(ranges()) for day in DAYS}
    if not any(days.values()):
        days["sun"] = [["02:00", "03:00"]]
    return {"timezone": draw(st.sampled_from(ZONES)), "days": days}


moments = st.builds(
    lambda week, minutes: week + minutes * MINUTE,
    st.sampled_from(WEEKS),
    st.integers(0, 7 * 24 * 60),
)


def minute_by_minute(hours, at):
    """The first minute from `at` on that is open, by looking at each."""
    found = at
    while not is_open(hours, found):
        found += MINUTE
        if found - at > timedelta(days=LOOK_AHEAD_DAYS):
            return None
    return found


@settings(max_examples=150, deadline=None)
@given(business_hours(), moments)
@example(  # the clocks go back into a range that has begun: no start, and it opens
    {"timezone": "Europe/Berlin", "days": {"sun": [["00:30", "02:30"]]}},
    datetime(2026, 10, 25, 0, 45, tzinfo=UTC),
)
@example(  # the start is skipped
    {"timezone": "Europe/Berlin", "days": {"sun": [["02:30", "05:00"]]}},
    datetime(2026, 3, 29, 0, 0, tzinfo=UTC),
)
@example(  # a day of 23 hours: the next one begins within a day, too
    {"timezone": "America/St_Johns", "days": {"mon": [["00:00", "00:15"]]}},
    datetime(2026, 3, 6, 2, 31, tzinfo=UTC),
)
def test_next_opening_is_the_first_open_minute(hours, at):
    check_business_hours(hours)

    assert next_opening(hours, at) == minute_by_minute(hours, at)


@settings(max_examples=200, deadline=None)
@given(business_hours(), moments)
def test_is_open_reads_the_clock_on_the_wall(hours, at):
    local = at.astimezone(ZoneInfo(hours["timezone"]))
    now = local.strftime("%H:%M")
    today = hours["days"][DAYS[local.weekday()]]

    assert is_open(hours, at) == any(start <= now < end for start, end in today)


@pytest.mark.parametrize(
    ("day", "open_hours"),
    [("2026-03-29", 2), ("2026-10-25", 4), ("2026-06-14", 3)],
    ids=["23 hours", "25 hours", "24 hours"],
)
def test_a_changed_hour_is_skipped_or_comes_twice(day, open_hours):
    zone = ZoneInfo("Europe/Berlin")
    hours = {"timezone": "Europe/Berlin", "days": {"sun": [["01:00", "04:00"]]}}
    begin = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)

    found = sum(is_open(hours, begin + minute * MINUTE) for minute in range(26 * 60))

    assert found == open_hours * 60


def test_a_day_that_a_zone_leaves_out_opens_a_week_later():
    hours = {"timezone": "Pacific/Apia", "days": {"fri": [["09:00", "10:00"]]}}
    friday_evening = datetime(2011, 12, 23, 20, tzinfo=ZoneInfo("Pacific/Apia"))

    opens_at = next_opening(hours, friday_evening)

    assert opens_at == datetime(2012, 1, 6, 9, tzinfo=ZoneInfo("Pacific/Apia"))


def test_hours_that_are_skipped_once_open_a_week_later():
    hours = {"timezone": "Europe/Berlin", "days": {"sun": [["02:00", "02:30"]]}}
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)

    assert next_opening(hours, before) == datetime(2026, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("midnight", ["24:00", "00:00"])
def test_midnight_ends_a_day(midnight):
    hours = {"timezone": "UTC", "days": {"mon": [["22:00", midnight]]}}
    monday = datetime(2026, 11, 23, tzinfo=UTC)

    minutes = [23 * 60 + 59, 24 * 60, 21 * 60 + 59, 22 * 60]
    assert [is_open(hours, monday + m * MINUTE) for m in minutes] == [
        *(True, False, False, True),
    ]


def test_no_hours_are_always_open():
    at = datetime(2026, 11, 23, 3, tzinfo=UTC)

    assert (is_open({}, at), next_opening({}, at)) == (True, at)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-11-23T10:00", "Open now"),
        ("2026-11-23T18:00", "Opens Wednesday 09:00"),
        ("2026-11-25T18:00", "Opens Monday 09:00"),
        ("2026-12-23T18:00", "Opens Monday 09:00"),
    ],
)
def test_opening_is_told_by_the_agents_own_clock(at, told):
    zone = ZoneInfo("Asia/Kathmandu")
    open_hours = [["09:00", "17:00"]]
    days = {"mon": open_hours, "wed": open_hours}
    moment = datetime.fromisoformat(at).replace(tzinfo=zone)

    assert words.opening({"timezone": "Asia/Kathmandu", "days": days}, moment) == told


def test_opening_in_a_week_names_the_date():
    hours = {"timezone": "UTC", "days": {"mon": [["09:00", "10:00"]]}}
    monday_noon = datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert words.opening(hours, monday_noon) == "Opens Monday 30 November, 09:00"
    assert words.opening({}, monday_noon) == "At any time"


def hours_with(ranges, day="mon", **changes):
    return {"timezone": "Europe/Berlin", "days": {day: ranges}} | changes


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("nine to five", "Business hours look like"),
        ([], "Business hours look like"),
        ({"days": {"mon": [["09:00", "17:00"]]}}, "Business hours look like"),
        (hours_with([["09:00", "17:00"]], note="x"), "Business hours look like"),
        (hours_with([["09:00", "17:00"]], timezone="Mars/Base"), "no time zone"),
        (hours_with([["09:00", "17:00"]], timezone="../etc"), "no time zone"),
        (hours_with([["09:00", "17:00"]], timezone=None), "look like"),
        (hours_with([["09:00", "17:00"]], day="monday"), "Days are called mon, tue"),
        (hours_with([]), "at least one day"),
        (hours_with([["17:00", "09:00"]]), "Hours over midnight are two pairs"),
        (hours_with([["09:00", "09:00"]]), "The end comes after the start."),
        (hours_with([["09:00", "13:00"], ["12:00", "17:00"]]), "overlap"),
        (hours_with([["24:00", "24:00"]]), "Times are pairs"),
        (hours_with([["9:00", "17:00"]]), "Times are pairs"),
        (hours_with([["09:00"]]), "Times are pairs"),
        (hours_with([["09:00", None]]), "Times are pairs"),
        (hours_with([["٠٩:٠٠", "17:00"]]), "Times are pairs"),
        (hours_with("all day"), "at most 4 pairs"),
        (hours_with([[f"0{n}:00", f"0{n}:30"] for n in range(5)]), "at most 4 pairs"),
    ],
)
def test_hours_that_mean_nothing_are_refused(value, told):
    with pytest.raises(ValidationError, match=told):
        check_business_hours(value)


@pytest.mark.parametrize(
    "value",
    [
        hours_with([["00:00", "00:00"]]),
        hours_with([["13:00", "24:00"], ["00:00", "13:00"]]),
        hours_with([["09:00", "17:00"]], timezone="US/Pacific"),
        {"timezone": "UTC", "days": {"mon": [], "sun": [["09:00", "09:01"]]}},
    ],
)
def test_hours_that_mean_something_are_taken(value):
    assert check_business_hours(value) is None


@pytest.mark.parametrize("minutes", [1, 60, 500])
@pytest.mark.parametrize(
    "around", ["2026-03-08T12:00", "2026-11-01T13:31", "2026-06-10T02:00"]
)
def test_open_since_counts_open_minutes_back(around, minutes):
    """Across clock changes, closed days and hours that end at midnight."""
    hours = {
        "timezone": "America/Los_Angeles",
        "days": {
            "sat": [["00:00", "00:20"], ["22:15", "24:00"]],
            "sun": [["00:00", "03:10"], ["09:00", "09:01"]],
            "wed": [["08:00", "17:00"]],
        },
    }
    at = datetime.fromisoformat(around).replace(tzinfo=UTC)
    since, left = at, minutes
    while left:
        since -= timedelta(minutes=1)
        left -= is_open(hours, since)

    assert open_since(hours, at, minutes) == since


def test_open_since_of_hours_that_are_too_few_is_unknown():
    hours = {"timezone": "UTC", "days": {"mon": [["09:00", "09:01"]]}}
    at = datetime(2026, 3, 4, tzinfo=UTC)

    assert open_since(hours, at, 60) is None
    assert open_since({}, at, 60) == at - timedelta(hours=1)
