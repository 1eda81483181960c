"""When a telephone may ring: wall clocks, in the places where they do odd things."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.limits import DAYS
from telephony.dialling.windows import Window, is_open, next_opening

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
KATHMANDU, ADELAIDE = ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Adelaide")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clocks change by half an hour
EVERY_DAY = frozenset(DAYS)
DAYTIME = Window(time(8), time(21), EVERY_DAY)
NIGHT = Window(time(22), time(2), EVERY_DAY)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "zone", "at", "expected"),
    [
        (DAYTIME, BERLIN, utc(2026, 1, 5, 6, 59, 59), False),
        (DAYTIME, BERLIN, utc(2026, 1, 5, 7), True),
        (DAYTIME, BERLIN, utc(2026, 1, 5, 19, 59, 59), True),
        (DAYTIME, BERLIN, utc(2026, 1, 5, 20), False),
        # The same moment of UTC, an hour later on the clock in summer.
        (DAYTIME, BERLIN, utc(2026, 7, 6, 6), True),
        (DAYTIME, KATHMANDU, utc(2026, 1, 5, 2, 14), False),
        (DAYTIME, KATHMANDU, utc(2026, 1, 5, 2, 15), True),
        (DAYTIME, ADELAIDE, utc(2026, 7, 5, 22, 29), False),
        (DAYTIME, ADELAIDE, utc(2026, 7, 5, 22, 30), True),
        (NIGHT, BERLIN, utc(2026, 1, 5, 21), True),
        (NIGHT, BERLIN, utc(2026, 1, 6, 0, 59), True),
        (NIGHT, BERLIN, utc(2026, 1, 6, 1), False),
    ],
)
def test_window_is_open_by_the_clock_on_the_wall(window, zone, at, expected):
    assert is_open(window, at, [zone]) is expected


def test_day_of_a_window_over_midnight_is_the_one_on_which_it_opens():
    fridays = Window(time(22), time(2), frozenset({"fri"}))
    friday_23, saturday_1, saturday_23 = (
        utc(2026, 1, 9, 22),
        utc(2026, 1, 10, 0),
        utc(2026, 1, 10, 22),
    )

    found = [is_open(fridays, at, [BERLIN]) for at in (friday_23, saturday_1)]

    assert found == [True, True]
    assert not is_open(fridays, saturday_23, [BERLIN])


def test_same_start_and_end_is_the_whole_day():
    mondays = Window(time(0), time(0), frozenset({"mon"}))

    assert is_open(mondays, utc(2026, 1, 5, 3), [ZoneInfo("UTC")])
    assert not is_open(mondays, utc(2026, 1, 6, 0), [ZoneInfo("UTC")])


def test_nowhere_is_not_open():
    assert not is_open(DAYTIME, utc(2026, 1, 5, 12), [])
    assert next_opening(DAYTIME, utc(2026, 1, 5, 12), []) is None


def test_several_zones_must_all_be_open():
    at = utc(2026, 1, 5, 12, 30)  # 7:30 in New York, 13:30 in Berlin

    assert is_open(DAYTIME, at, [BERLIN])
    assert not is_open(DAYTIME, at, [BERLIN, NEW_YORK])
    assert next_opening(DAYTIME, at, [BERLIN, NEW_YORK]) == utc(2026, 1, 5, 13)


def test_zones_that_are_never_open_together_have_no_opening():
    opposite = [ZoneInfo("Pacific/Auckland"), ZoneInfo("Europe/London")]
    narrow = Window(time(9), time(12), EVERY_DAY)

    assert next_opening(narrow, utc(2026, 1, 5), opposite) is None


@pytest.mark.parametrize(
    ("window", "zone", "at", "opens"),
    [
        # Clocks are put on at 2:00 on 29 March: 8:00 comes an hour earlier in UTC.
        (DAYTIME, BERLIN, utc(2026, 3, 28, 21), utc(2026, 3, 29, 6)),
        (DAYTIME, BERLIN, utc(2026, 10, 24, 21), utc(2026, 10, 25, 7)),
        # A start that the clocks skip: it opens when they have skipped it.
        (
            Window(time(2, 30), time(5), EVERY_DAY),
            BERLIN,
            utc(2026, 3, 29, 0),
            utc(2026, 3, 29, 1),
        ),
        # Over at 2:00, but the clocks are put back to 2:00 first at 3:00.
        (
            Window(time(1), time(2, 30), EVERY_DAY),
            BERLIN,
            utc(2026, 10, 25, 0, 45),
            utc(2026, 10, 25, 1),
        ),
        (DAYTIME, LORD_HOWE, utc(2026, 4, 4, 12), utc(2026, 4, 4, 21, 30)),
        (
            Window(time(8), time(9), frozenset({"sun"})),
            BERLIN,
            utc(2028, 2, 28, 12),
            utc(2028, 3, 5, 7),
        ),
        (
            Window(time(23, 59), time(0, 1), frozenset({"tue"})),
            BERLIN,
            utc(2028, 2, 28, 23, 30),
            utc(2028, 2, 29, 22, 59),  # a leap day
        ),
    ],
)
def test_next_opening(window, zone, at, opens):
    assert next_opening(window, at, [zone]) == opens


ST_JOHNS, CHATHAM = ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Chatham")
FRIDAY_NIGHTS = Window(time(22), time(3), frozenset({"fri"}))
SATURDAY_NIGHTS = Window(time(22), time(3), frozenset({"sat"}))


@pytest.mark.parametrize(
    ("window", "zone", "start", "hours"),
    [
        # In the night to 29 March the hour from 2 to 3 is left out in Berlin.
        (SATURDAY_NIGHTS, BERLIN, utc(2026, 3, 28, 12), 4),
        # In the night to 25 October it comes twice.
        (SATURDAY_NIGHTS, BERLIN, utc(2026, 10, 24, 12), 6),
        (FRIDAY_NIGHTS, BERLIN, utc(2026, 10, 23, 12), 5),
        (SATURDAY_NIGHTS, NEW_YORK, utc(2026, 3, 7, 12), 4),
        (SATURDAY_NIGHTS, NEW_YORK, utc(2026, 10, 31, 12), 6),
        (SATURDAY_NIGHTS, ST_JOHNS, utc(2026, 3, 7, 12), 4),
        (SATURDAY_NIGHTS, ST_JOHNS, utc(2026, 10, 31, 12), 6),
        # Half an hour, and by quarters: 2:45 becomes 3:45.
        (SATURDAY_NIGHTS, LORD_HOWE, utc(2026, 10, 3, 2), 4.5),
        (SATURDAY_NIGHTS, LORD_HOWE, utc(2026, 4, 4, 2), 5.5),
        (SATURDAY_NIGHTS, CHATHAM, utc(2026, 9, 26, 0), 4.75),
        (SATURDAY_NIGHTS, CHATHAM, utc(2026, 4, 4, 0), 5.25),
        # Around a leap day, which is a Tuesday.
        (Window(time(22), time(3), frozenset({"mon"})), BERLIN, utc(2028, 2, 28, 9), 5),
        (Window(time(22), time(3), frozenset({"tue"})), BERLIN, utc(2028, 2, 29, 9), 5),
    ],
)
def test_night_lasts_as_long_as_its_clocks_say(window, zone, start, hours):
    minutes = [start + timedelta(minutes=n) for n in range(24 * 60)]

    found = sum(is_open(window, minute, [zone]) for minute in minutes)

    assert found == hours * 60


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        # Open from 2:15 to 2:45. On 29 March there is no such time in Berlin.
        (utc(2026, 3, 29, 0, 30), utc(2026, 3, 30, 0, 15)),
        # On 25 October there are two.
        (utc(2026, 10, 25, 0, 10), utc(2026, 10, 25, 0, 15)),
        (utc(2026, 10, 25, 0, 45), utc(2026, 10, 25, 1, 15)),
        (utc(2026, 10, 25, 1, 45), utc(2026, 10, 26, 1, 15)),
    ],
)
def test_short_window_within_the_changed_hour(at, opens):
    short = Window(time(2, 15), time(2, 45), EVERY_DAY)

    assert next_opening(short, at, [BERLIN]) == opens


def test_zones_with_quarters_and_halves_of_hours_open_when_all_are_open():
    """Kathmandu is 15 minutes ahead of Kolkata, Adelaide 4 hours and 45 minutes."""
    zones = [KATHMANDU, ZoneInfo("Asia/Kolkata"), ADELAIDE]

    opens = next_opening(DAYTIME, utc(2026, 7, 6, 0), zones)

    assert opens == utc(2026, 7, 6, 2, 30)
    last = utc(2026, 7, 6, 11, 29)
    assert is_open(DAYTIME, last, zones)
    assert not is_open(DAYTIME, last + timedelta(minutes=1), zones)


def test_days_that_are_none_never_open():
    assert (
        next_opening(Window(time(8), time(9), frozenset()), utc(2026, 1, 5), [BERLIN])
        is None
    )


ZONES = st.lists(
    st.sampled_from(
        [
            *("Europe/Berlin", "America/New_York", "America/Los_Angeles"),
            *("Asia/Kathmandu", "Australia/Adelaide", "Australia/Lord_Howe"),
            *("Pacific/Apia", "America/St_Johns", "Africa/Casablanca", "UTC"),
        ]
    ),
    min_size=1,
    max_size=3,
).map(lambda names: [ZoneInfo(name) for name in names])
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
WINDOWS = st.builds(
    Window, TIMES, TIMES, st.frozensets(st.sampled_from(DAYS), min_size=1)
)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(
    lambda at: at.replace(tzinfo=UTC, second=0, microsecond=0)
)


@settings(max_examples=150, deadline=None)
@given(window=WINDOWS, zones=ZONES, at=MOMENTS)
def test_an_opening_is_open_and_nothing_before_it_is(window, zones, at):
    opens = next_opening(window, at, zones)

    horizon = opens or at + timedelta(days=14)
    before = (horizon - at) // timedelta(minutes=7)
    sampled = [at + timedelta(minutes=7) * number for number in range(before)]
    assert not any(is_open(window, moment, zones) for moment in sampled[:400])
    assert not any(is_open(window, moment, zones) for moment in sampled[-200:])
    if opens is not None:
        assert opens >= at
        assert is_open(window, opens, zones)
        if opens > at:
            assert not is_open(window, opens - timedelta(seconds=1), zones)


@settings(max_examples=100, deadline=None)
@given(window=WINDOWS, zones=ZONES, at=MOMENTS)
def test_an_open_window_is_open_on_every_wall(window, zones, at):
    """The definition again, from the clocks: minutes since midnight."""
    walls = [at.astimezone(zone) for zone in zones]

    def shows(wall):
        minute, start, end = (
            t.hour * 60 + t.minute for t in (wall, window.start, window.end)
        )
        today = DAYS[wall.weekday()] in window.days
        yesterday = DAYS[wall.weekday() - 1] in window.days
        if start < end:
            return today and start <= minute < end
        return (today and minute >= start) or (
            yesterday and minute < end and minute < start
        )

    assert is_open(window, at, zones) == all(shows(wall) for wall in walls)
