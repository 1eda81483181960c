"""The calendar of scheduled calls: days of the viewer's zone, and bounded work."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from telephony.models import ScheduledCall
from telephony.periods import Month, Week
from telephony.services import calendar
from telephony.tests.conftest import make_number
from telephony.tests.outgoing import CALLEE

pytestmark = pytest.mark.django_db
CALENDAR = "/scheduled-calls/calendar"
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
MOST_STATEMENTS = 6


@pytest.fixture(autouse=True)
def wednesday():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def book(alice):
    """Schedules calls of Alice's, at moments of UTC."""
    number = make_number(direction="both")
    for row in (number.account, number.phone, number.agent):
        type(row).unscoped.filter(pk=row.pk).update(owner=alice.workspace)
    common = {"owner": alice.workspace, "agent_id": number.agent.pk}

    def book(*moments, **changes):
        rows = [
            ScheduledCall(
                **common,
                scheduled_for=at,
                due_at=at,
                next_attempt_at=at,
                **{"to_number": CALLEE, **changes},
            )
            for at in moments
        ]
        return ScheduledCall.unscoped.bulk_create(rows)

    return book


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def live_in(tenant, zone):
    tenant.user.timezone = zone
    tenant.user.save()


def page(tenant, query="", **headers):
    return tenant.client.get(f"{CALENDAR}{query}", headers=headers)


def days_of(answer):
    """The days that have calls: how many, and which of them are shown."""
    days = [day for day, _query in answer.context["days"]]
    return {
        str(day.date): (day.count, [call.pk for call in day.calls])
        for day in days
        if day.count
    }


def text_of(answer):
    return unescape(answer.content.decode())


def link(answer, word):
    return re.search(rf'<a href="([^"]*)"[^>]*rel="{word}"', text_of(answer))[1]


# -- Weeks and months ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "first", "last", "count"),
    [
        (Week, "2026-W48", date(2026, 11, 23), date(2026, 11, 29), 7),
        (Week, "2026-W53", date(2026, 12, 28), date(2027, 1, 3), 7),
        (Month, "2026-11", date(2026, 11, 1), date(2026, 11, 30), 42),
        (Month, "2027-02", date(2027, 2, 1), date(2027, 2, 28), 28),
        (Month, "2028-02", date(2028, 2, 1), date(2028, 2, 29), 35),
    ],
)
def test_period_is_named_as_in_its_address(kind, text, first, last, count):
    period = kind.parse(text)

    assert (str(period), period.first, period.last) == (text, first, last)
    assert len(period.days) == count
    assert (period.days[0].weekday(), period.days[-1].weekday()) == (0, 6)
    assert period.later.earlier == period
    assert period.earlier.last + timedelta(days=1) == period.first


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((Week, text) for text in ("2026-W54", "2026-W00", "2025-W53", "W48", "٢٠٢٦")),
        *((Month, text) for text in ("2026-13", "1999-12", "2200-01", "2026-1", "")),
    ],
)
def test_what_is_no_period_is_refused(kind, text):
    with pytest.raises(ValueError):
        kind.parse(text)


# -- Days ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), utc(2026, 3, 28, 23), 23),
        ("Europe/Berlin", date(2026, 10, 25), utc(2026, 10, 24, 22), 25),
        ("Europe/Berlin", date(2028, 2, 29), utc(2028, 2, 28, 23), 24),
        ("Asia/Kathmandu", date(2026, 11, 18), utc(2026, 11, 17, 18, 15), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), utc(2026, 4, 4, 13), 24.5),
        # Midnight is skipped: the day begins at one.
        ("Africa/Cairo", date(2026, 4, 24), utc(2026, 4, 23, 22), 23),
        # Midnight comes twice: the day before ends when it comes first.
        ("America/Havana", date(2026, 11, 1), utc(2026, 11, 1, 4), 25),
        # A day that Samoa left out.
        ("Pacific/Apia", date(2011, 12, 30), utc(2011, 12, 30, 10), 0),
    ],
)
def test_day_lasts_as_long_as_on_the_viewers_clock(zone, day, begins, hours):
    with timezone.override(ZoneInfo(zone)):
        found = calendar.Day.of(day)

    assert (found.begins, found.hours) == (begins, hours)


def test_days_of_a_year_follow_each_other_without_a_gap():
    for zone in ("America/St_Johns", "Africa/Cairo", "Australia/Lord_Howe"):
        with timezone.override(ZoneInfo(zone)):
            days = [
                calendar.Day.of(date(2026, 1, 1) + timedelta(number))
                for number in range(400)
            ]
        assert all(a.ends == b.begins for a, b in zip(days, days[1:], strict=False))


def test_calls_are_shown_on_the_viewers_days(alice, mallory, book):
    live_in(alice, "Asia/Kathmandu")
    before, after = book(utc(2026, 11, 20, 18, 14), utc(2026, 11, 20, 18, 15))

    mine = page(alice)

    assert days_of(mine) == {
        "2026-11-20": (1, [before.pk]),
        "2026-11-21": (1, [after.pk]),
    }
    assert "23:59" in text_of(mine) and "00:00" in text_of(mine)
    assert CALLEE[-4:] not in text_of(page(mallory))
    assert "No call is scheduled for this time" in text_of(page(mallory))


def test_hour_that_comes_twice_is_told_apart(alice, book):
    live_in(alice, "Europe/Berlin")
    first, again = book(utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30))

    answer = page(alice, "?week=2026-W43")

    assert days_of(answer) == {"2026-10-25": (2, [first.pk, again.pk])}
    text = text_of(answer)
    assert "25 hours" in text
    assert text.index("02:30 CEST") < text.index("02:30 CET")


# -- Much on a day ---------------------------------------------------------------------


def test_day_shows_its_first_calls_and_leads_to_all_of_them(alice, book):
    start = utc(2026, 11, 25, 9)
    rows = book(*(start + timedelta(minutes=5 * n) for n in range(12)))
    book(start, status="canceled")
    book(start + timedelta(days=1))

    answer = page(alice, "?month=2026-11&status=pending")

    shown = [row.pk for row in rows[:3]]
    assert days_of(answer)["2026-11-25"] == (12, shown)
    (href,) = set(re.findall(r'href="([^"]*from=2026-11-25[^"]*)"', text_of(answer)))
    assert parse_qs(urlsplit(href).query) == {
        "status": ["pending"],
        "from": ["2026-11-25"],
        "to": ["2026-11-25"],
    }
    assert "and 9 more" in text_of(answer)
    listed = alice.client.get(href).context["page"].rows
    assert {row.pk for row in listed} == {row.pk for row in rows}


def test_week_shows_more_of_each_day_than_the_month(alice, book):
    start = utc(2026, 11, 18, 9)
    rows = book(*(start + timedelta(minutes=n) for n in range(25)))

    answer = page(alice, "?week=2026-W47")

    assert days_of(answer) == {"2026-11-18": (25, [row.pk for row in rows[:20]])}
    assert "and 5 more" in text_of(answer)


def test_more_than_anybody_counts_is_not_counted(alice, book, monkeypatch):
    monkeypatch.setattr(calendar, "MOST_COUNTED", 5)
    book(*[utc(2026, 11, 25, 9)] * 9)

    answer = page(alice)

    assert days_of(answer)["2026-11-25"][0] == 6
    assert "and thousands more" in text_of(answer)


@pytest.mark.parametrize("query", ["?month=2026-11", "?week=2026-W47", "?q=0142"])
def test_page_takes_few_statements_however_much_there_is(
    query, alice, book, django_assert_max_num_queries
):
    day = utc(2026, 11, 1, 9)
    book(*(day + timedelta(hours=5 * n) for n in range(140)))
    page(alice)

    with django_assert_max_num_queries(MOST_STATEMENTS):
        answer = page(alice, query)

    assert sum(count for count, _calls in days_of(answer).values()) > 30


# -- Ways through ----------------------------------------------------------------------


def test_links_name_their_week_or_month_and_keep_the_filters(alice):
    month = page(alice, "?month=2026-12&status=busy")
    week = page(alice, "?week=2026-W01")

    assert link(month, "prev") == "?status=busy&month=2026-11"
    assert link(month, "next") == "?status=busy&month=2027-01"
    assert (link(week, "prev"), link(week, "next")) == (
        "?week=2025-W52",
        "?week=2026-W02",
    )
    assert f'href="{CALENDAR}?status=busy&week=2026-W49"' in text_of(month)
    assert 'href="?status=busy&month=2026-11"' in text_of(month)  # today
    assert 'href="/scheduled-calls?status=busy"' in text_of(month)


def test_list_leads_to_the_week_of_its_day(alice):
    answer = alice.client.get("/scheduled-calls?from=2026-12-10&q=0142")

    assert f'href="{CALENDAR}?q=0142&week=2026-W50"' in text_of(answer)


def test_today_is_marked_where_it_is(alice):
    marked = re.findall(r'aria-current="date"', text_of(page(alice)))

    assert len(marked) == 1
    assert 'aria-current="date"' not in text_of(page(alice, "?month=2026-12"))


def test_filter_changes_the_calendar_alone(alice, book):
    book(utc(2026, 11, 25, 9))

    answer = page(alice, "?month=2026-11&status=busy", **{"HX-Request": "true"})

    assert "<html" not in text_of(answer)
    assert "No scheduled call matches in this time" in text_of(answer)


@pytest.mark.parametrize(
    "query", ["?week=2026-W60", "?month=11", "?status=nonsense", "?q=somebody"]
)
def test_address_that_makes_no_sense_is_told(query, alice):
    answer = page(alice, query)

    assert answer.status_code == 422
    assert "cannot be read" in text_of(answer)


# -- The list --------------------------------------------------------------------------


def test_list_is_of_the_viewers_days(alice, book):
    live_in(alice, "America/New_York")
    _before, within = book(utc(2026, 11, 25, 4, 59), utc(2026, 11, 25, 5))

    answer = alice.client.get("/scheduled-calls?from=2026-11-25&to=2026-11-25")

    assert [row.pk for row in answer.context["page"].rows] == [within.pk]


@pytest.mark.parametrize("query", ["?q=somebody", "?from=2026-11-30&to=2026-11-01"])
def test_list_says_which_filter_it_cannot_read(query, alice, book):
    book(utc(2026, 11, 25, 9))

    answer = alice.client.get(f"/scheduled-calls{query}")

    assert answer.status_code == 422
    assert "Type some digits of the number." in text_of(answer) or (
        "This is before the first day." in text_of(answer)
    )
