"""The figures of the dashboard: what they say, and the lists that they lead to."""

import random
from datetime import date, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.http import QueryDict
from django.utils import timezone
from django.utils.html import escape

from analytics import rollup
from analytics.bars import steps as steps_of
from analytics.dashboard import Headline, changes
from analytics.tests.histories import Home, moments, random_call, random_text, utc
from telephony.forms.calls import CallFilterForm
from telephony.models import Call
from telephony.tests.calls import make_agent, make_call, make_turn
from telephony.views import calls as call_views

pytestmark = pytest.mark.django_db

PLACES = (
    ("UTC", "2026-02-27"),
    ("America/Los_Angeles", "2026-10-31"),
    ("Asia/Kathmandu", "2026-05-30"),
    ("Australia/Lord_Howe", "2026-10-02"),
    ("America/Havana", "2026-10-31"),
)
PERIODS = (0, 3, 200)  # days after the first: hours, days and weeks
DAY = timedelta(days=1)


def busy(owner, around, seed):
    home, chance = Home(owner), random.Random(seed)
    start = utc(around) - DAY
    for at, _ in zip(moments(start, 6, chance), range(60), strict=False):
        random_call(home, at, chance)
        random_text(home, at, chance)
    rollup.fold()
    return home


def ask(tenant, **query):
    page = tenant.client.get("/", query)
    assert page.status_code == 200
    return page.context


def links(page):
    """Every number of the page that leads to its calls, and where."""
    yield page["now"].calls, page["calls_url"]
    yield page["now"].answered, page["answered_url"]
    yield from ((kind.amount, kind.url) for kind in page["chart"].kinds)
    yield from ((bar.calls, bar.url) for bar in page["chart"].bars)
    yield from ((kind.amount, kind.url) for kind in page["reasons"])
    yield from ((row.calls, row.url) for row in page["agents"].rows)
    yield from (
        (hour.calls, hour.url)
        for day in page["week"]
        for hour in day.hours
        if hour.calls
    )


def listed(owner, url):
    """How many calls the list at this address has."""
    form = CallFilterForm(QueryDict(urlsplit(url).query), owner=owner)
    assert form.is_valid(), form.errors
    with timezone.override(ZoneInfo(form.cleaned_data["timezone"])):
        return len(form.page_of(Call.objects.for_owner(owner), 500).rows)


@pytest.mark.parametrize("days", PERIODS)
@pytest.mark.parametrize(("zone", "around"), PLACES)
def test_every_number_leads_to_exactly_so_many_calls(zone, around, days, alice):
    home = busy(alice.workspace, around, f"{zone} {days}")
    first = utc(around).date()
    chance = random.Random(days)
    filters = {"agent": home.agents[0].pk, "direction": "incoming"}
    some = dict(chance.sample(sorted(filters.items()), 1))

    for more in ({}, some, {"phone": home.phones[0].pk}):
        query = {"from": first, "to": first + DAY * days, "timezone": zone, **more}
        page = ask(alice, **query)
        numbers = list(links(page))
        assert [listed(alice.workspace, url) for _, url in numbers] == [
            number for number, _ in numbers
        ]


def test_list_behind_a_number_shows_so_many_calls(alice, monkeypatch):
    monkeypatch.setattr(call_views, "PER_PAGE", 200)
    busy(alice.workspace, "2026-10-31", 5)
    query = {"from": "2026-10-31", "to": "2026-11-02", "timezone": "America/Havana"}
    page = ask(alice, **query)

    for number, url in [*links(page)][:6]:
        shown = alice.client.get(url)
        assert len(shown.context["page"].rows) == number
        assert "times in America/Havana" in shown.content.decode()


def test_sums_of_all_parts_are_the_calls(alice):
    busy(alice.workspace, "2026-02-27", 7)

    page = ask(alice, **{"from": "2026-02-20", "to": "2026-03-10"})

    total = page["now"].calls
    assert sum(kind.amount for kind in page["chart"].kinds) == total
    assert sum(bar.calls for bar in page["chart"].bars) == total
    assert sum(sum(bar.parts) for bar in page["chart"].bars) == total
    assert sum(row.calls for row in page["agents"].rows) == total
    assert sum(hour.calls for day in page["week"] for hour in day.hours) == total
    trends = [row.trend.days for row in page["agents"].rows if row.agent]
    agents = [row.calls for row in page["agents"].rows if row.agent]
    assert [sum(trend) for trend in trends] == agents


def test_changes_are_against_the_days_before(alice):
    for at, reply_ms in (
        ("2026-03-09", 1_000),
        ("2026-03-10", 500),
        ("2026-03-10", 500),
    ):
        call = make_call(alice.workspace, utc(f"{at}T12:00"))
        make_turn(call, 1, "Yes", reply_ms=reply_ms)
    rollup.fold()
    day = {"from": "2026-03-10", "to": "2026-03-10"}

    before = ask(alice, **day)
    year = ask(alice, **day, compare="year")
    none = ask(alice, **day, compare="none")

    assert before["changes"]["calls"].text == "+100.0 %"
    assert before["changes"]["reply"].kind == "good"
    assert before["changes"]["answered"].text == "±0.0 points"
    assert sum(bar.before for bar in before["chart"].bars) == 1
    assert year["days_before"].first == date(2025, 3, 11)
    assert year["changes"]["calls"].text == ""
    assert none["days_before"] is None
    assert none["changes"] == {}
    assert none["chart"].bars[0].before is None


def test_day_that_goes_on_is_compared_up_to_the_same_time(alice):
    for at in ("2026-03-08T11:00", "2026-03-08T18:00", "2026-03-09T10:00"):
        make_call(alice.workspace, utc(at), cost="0.50", currency="USD")
    rollup.fold()
    day, other = ({"from": day, "to": day} for day in ("2026-03-09", "2026-03-08"))

    with time_machine.travel(utc("2026-03-09T12:05"), tick=False):
        page = ask(alice, **day)
        costs = alice.client.get("/costs", day)
        over = ask(alice, **other)

    assert (page["now"].calls, page["before"].calls) == (1, 1)
    assert page["changes"]["calls"].text == "±0.0 %"
    assert sum(bar.before for bar in page["chart"].bars) == 2
    assert page["is_going_on"]
    assert costs.context["before"].calls == 1
    told = "Compared with 8 Mar 2026 – 8 Mar 2026, up to the same time of the last day."
    assert told in costs.content.decode()
    assert not over["is_going_on"]


def test_what_is_asked_stands_above_the_figures(alice):
    """Also on paper, where the filters are not."""
    agent = make_agent(alice.workspace, "Reception")
    make_call(alice.workspace, agent=agent)
    day = {"from": "2026-03-09", "to": "2026-03-09"}

    page = alice.client.get("/", {**day, "agent": agent.pk, "direction": "incoming"})

    told = "9 Mar 2026 · Reception · Incoming · times in UTC"
    assert told in page.content.decode()


def test_tiles_lead_to_what_they_are_made_of(alice):
    shown = ask(alice, period="7d")
    page = alice.client.get("/", {"period": "7d"}).content.decode()

    assert shown["costs_url"] == "/costs?period=7d"
    assert 'href="/costs?period=7d"' in page
    assert page.count(escape(shown["answered_url"])) == 2  # answered, and talk time


def test_slower_replies_are_bad_and_more_spend_is_neither():
    before = Headline(1, 1, 60, 500, 900, [("USD", 1)], 1)
    now = Headline(2, 1, 60, 1_000, 2_000, [("USD", 3)], 1)

    found = changes(now, before)

    assert (found["reply"].text, found["reply"].kind) == ("+100.0 %", "bad")
    assert (found["spend"].text, found["spend"].kind) == ("+200.0 %", "neutral")
    assert (found["answered"].text, found["answered"].kind) == ("−50.0 points", "bad")


@pytest.mark.parametrize(
    ("length", "unit", "bars"),
    [
        (1, "hour", 24),
        (2, "day", 2),
        (92, "day", 92),
        (93, "week", 14),
        (731, "week", 105),
        (732, "month", 25),
        (3_660, "month", 121),
    ],
)
def test_chart_has_as_many_bars_as_can_be_told_apart(length, unit, bars):
    first = date(2026, 1, 1)

    found, steps = steps_of([first + DAY * number for number in range(length)])

    assert (found, len(steps)) == (unit, bars)
    places = [n for step in steps for n in range(step.place.start, step.place.stop)]
    assert places == list(range(24 if unit == "hour" else length))


def test_address_is_the_shortest_one(alice):
    sent = "/?period=7d&from=&to=&agent=&phone=&direction=incoming&timezone=&compare="

    answer = alice.client.get(sent)

    assert answer.status_code == 302
    assert answer.url == "/?period=7d&direction=incoming"


def test_filters_are_kept_by_every_link_of_the_page(alice):
    busy(alice.workspace, "2026-02-27", 9)
    query = {"from": "2026-02-20", "to": "2026-03-10", "direction": "incoming"}

    page = ask(alice, **query, timezone="Asia/Kathmandu")

    kept = "direction=incoming&timezone=Asia%2FKathmandu"
    periods = [address for _, address, _ in page["form"].periods()]
    bars = [bar.narrower for bar in page["chart"].bars]
    agents = [row.alone for row in page["agents"].rows if row.alone]
    assert all(kept in address for address in [*periods, *bars, *agents])
    assert periods[0] == f"?{kept}&period=today"
    assert bars[0] == f"?from=2026-02-20&to=2026-02-20&{kept}"


@pytest.mark.parametrize(
    "query",
    [
        {"period": "9d"},
        {"timezone": "Mars/Olympus"},
        {"from": "nonsense"},
        {"from": "2011-12-31"},
        {"from": "2012-01-01"},
        {"to": "2026-01-01", "from": "2026-01-02"},
        {"agent": "nobody"},
        {"compare": "tomorrow"},
        {"to": "2199-12-31", "from": "2020-01-01"},
    ],
)
def test_bad_filter_is_told(alice, query):
    page = alice.client.get("/", query)

    assert page.status_code == 422
    assert "A filter cannot be read" in page.content.decode()


def test_neighbours_agent_is_an_unknown_one(alice, mallory):
    theirs = make_agent(mallory.workspace)

    assert alice.client.get("/", {"agent": theirs.pk}).status_code == 422


def test_figures_are_the_workspaces_own(alice, mallory):
    make_call(mallory.workspace, agent=make_agent(mallory.workspace, "Theirs"))
    make_call(alice.workspace, is_test=True)
    rollup.fold()

    page = alice.client.get("/")

    assert page.context["now"].calls == 0
    assert "Theirs" not in page.content.decode()


def test_days_without_calls_say_so(alice):
    home = Home(alice.workspace)
    make_call(alice.workspace, agent=home.agents[0])
    make_call(alice.workspace, is_test=True)
    rollup.fold()

    quiet = alice.client.get("/", {"from": "2020-01-01", "to": "2020-01-31"})

    assert "No calls in these days" in quiet.content.decode()
    assert "chart.min.js" not in quiet.content.decode()
    assert quiet.context["now"].answered_percent is None


def test_agents_beyond_the_table_are_said_to_be_in_the_file(alice):
    for number in range(23):
        make_agent(alice.workspace, f"Agent {number}")
    make_call(alice.workspace)
    rollup.fold()

    page = alice.client.get("/")

    assert len(page.context["agents"].rows) == 20
    assert "4 agents with fewer calls are in the file." in page.content.decode()


def test_files_are_of_the_same_days_and_calls(alice):
    home = busy(alice.workspace, "2026-02-27", 3)
    query = {"from": "2026-02-20", "to": "2026-03-10", "timezone": "Asia/Kathmandu"}

    for more in ({}, {"agent": home.agents[0].pk}):
        page = ask(alice, **query, **more)
        by_date = alice.client.get(dict(page["files"])["calls-by-date"])
        rows = by_date.content.decode().split()[1:]
        totals = [int(row.split(",")[1].strip('"')) for row in rows]
        assert totals == [bar.calls for bar in page["chart"].bars]


def test_agent_page_has_its_figures_by_version(alice):
    agent = make_agent(alice.workspace)
    for version, reply_ms in ((1, 2_000), (2, 500), (2, 500)):
        call = make_call(alice.workspace, agent=agent, prompt_version=version)
        make_turn(call, 1, "Yes", reply_ms=reply_ms)
    make_call(alice.workspace)
    rollup.fold()

    page = alice.client.get(f"/voice-agents/{agent.pk}/figures")

    assert page.context["now"].calls == 3
    assert sum(page.context["trend"].days) == 3
    assert listed(alice.workspace, page.context["calls_url"]) == 3
    told = [(one["name"], one["count"]) for one in page.context["versions"]]
    assert told == [("2", 2), ("1", 1)]
    assert page.context["dashboard_url"] == f"/?agent={agent.pk}"
    assert "By version of the prompt" in page.content.decode()


def test_number_page_has_its_figures(alice):
    home = Home(alice.workspace)
    make_call(alice.workspace, phone=home.phones[0])
    make_call(alice.workspace, phone=home.phones[1])
    rollup.fold()

    page = alice.client.get(f"/numbers/{home.phones[0].pk}/figures")

    assert page.context["now"].calls == 1
    assert page.context["versions"] == []
    assert listed(alice.workspace, page.context["calls_url"]) == 1


def test_figures_of_nobody_say_so(alice, mallory):
    agent = make_agent(alice.workspace)
    theirs = make_agent(mallory.workspace)

    quiet = alice.client.get(f"/voice-agents/{agent.pk}/figures")

    assert "No calls in the last 30 days." in quiet.content.decode()
    assert alice.client.get(f"/voice-agents/{theirs.pk}/figures").status_code == 404
