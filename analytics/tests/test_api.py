"""The API of the figures: who may read what, in which form, and what is refused."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import Membership, Workspace
from analytics import rollup
from analytics.tests.histories import utc
from telephony.tests.calls import make_agent, make_call, make_phone
from tests.people import join

pytestmark = pytest.mark.django_db

NAMES = (
    *("summary", "calls-by-date", "calls-by-hour", "agent-summary"),
    *("messages-by-date", "costs"),
)
NOON = utc("2026-03-07T12:00")
DAY = "from=2026-03-07&to=2026-03-07&timezone=UTC"


def ask(tenant, name, query=DAY, **extra):
    return tenant.api("GET", f"/api/analytics/{name}?{query}", **extra)


def counted(owner, at=NOON, **fields):
    call = make_call(owner, at, **fields)
    rollup.fold()
    return call


@pytest.mark.parametrize("name", NAMES)
def test_both_addresses_are_the_same_view(name, alice):
    counted(alice.workspace, agent=make_agent(alice.workspace))

    long = alice.api("GET", f"/api/analytics/{name}?{DAY}")
    short = alice.api("GET", f"/analytics/{name}?{DAY}")

    assert long.status_code == short.status_code == 200
    assert long.json() == short.json()


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_the_workspaces_own(name, alice, mallory):
    before = ask(alice, name).json()
    counted(mallory.workspace, agent=make_agent(mallory.workspace))

    assert ask(alice, name).json() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_viewer_reads_and_a_stranger_does_not(name, alice, client):
    viewer = join(alice, "vera", Membership.Role.VIEWER)

    assert ask(viewer, name).status_code == 200
    assert client.get(f"/api/analytics/{name}").status_code == 401


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "to=2026-02-30",
        "from=2011-12-31",
        "to=2200-01-01",
        "timezone=Mars/Olympus",
        "agent_id=x",
        "agent_id=01930000-0000-7000-8000-000000000000",
        "phone_id=01930000-0000-7000-8000-000000000000",
        "direction=sideways",
        "colour=red",
        "cursor=x",
        "page_size=5",
        "format=xml",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(name, query, alice):
    answer = alice.api("GET", f"/api/analytics/{name}?{query}")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert list(answer.json()["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    "query", ["from=2026-03-02&to=2026-03-01", "from=2012-01-01&to=2022-01-10"]
)
def test_days_backwards_or_too_many_are_refused(query, alice):
    answer = alice.api("GET", f"/api/analytics/calls-by-date?{query}")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["to"]


@pytest.mark.parametrize("name", NAMES)
def test_ids_of_another_workspace_are_unknown_ids(name, alice, mallory):
    phone = make_phone(mallory.workspace)
    agent = make_agent(mallory.workspace)
    unknown = "01930000-0000-7000-8000-000000000000"

    for field, pk in (("phone_id", phone.pk), ("agent_id", agent.pk)):
        foreign = ask(alice, name, f"{field}={pk}")
        none = ask(alice, name, f"{field}={unknown}")
        assert foreign.status_code == 400
        assert foreign.json() == none.json()


def test_what_is_deleted_is_still_counted(alice):
    agent, phone = make_agent(alice.workspace), make_phone(alice.workspace)
    counted(alice.workspace, agent=agent, phone=phone)
    agent.put_away()
    phone.put_away()

    (row,) = ask(alice, "agent-summary").json()
    of_agent = ask(alice, "calls-by-date", f"{DAY}&agent_id={agent.pk}").json()
    of_phone = ask(alice, "calls-by-date", f"{DAY}&phone_id={phone.pk}").json()
    earlier = ask(alice, "agent-summary", "from=2026-03-01&to=2026-03-02").json()

    assert (row["name"], row["total"]) == ("Reception", 1)
    assert of_agent[0]["total"] == of_phone[0]["total"] == 1
    assert earlier == []


def test_by_default_the_last_thirty_days_of_the_workspaces_zone(alice):
    zone = "Pacific/Kiritimati"  # fourteen hours ahead
    Workspace.objects.filter(pk=alice.workspace.pk).update(timezone=zone)
    counted(alice.workspace, now())

    rows = ask(alice, "calls-by-date", "").json()

    today = (now() + timedelta(hours=14)).date()
    assert [rows[0]["date"], rows[-1]["date"]] == [
        (today - timedelta(days=29)).isoformat(),
        today.isoformat(),
    ]
    assert [row["total"] for row in rows] == [*[0] * 29, 1]


def test_costs_in_several_currencies_have_no_sum(alice):
    counted(alice.workspace, cost="0.50", currency="USD")
    counted(alice.workspace, cost="0.75", currency="EUR")

    (day,) = ask(alice, "calls-by-date").json()

    assert (day["cost"], day["currency"]) == (None, "")
    assert day["costs"] == [
        {"currency": "EUR", "amount": "0.750000"},
        {"currency": "USD", "amount": "0.500000"},
    ]


def test_the_summary_compares_with_as_many_days_before(alice):
    counted(alice.workspace)
    counted(alice.workspace, NOON - timedelta(days=1), answered_at=None)
    counted(alice.workspace, NOON - timedelta(days=2))

    found = ask(alice, "summary", "from=2026-03-07&to=2026-03-08&timezone=UTC").json()

    assert found["calls"]["total"] == 1
    assert found["previous"]["from"] == "2026-03-05"
    assert found["previous"]["to"] == "2026-03-06"
    assert found["previous"]["calls"]["total"] == 2
    assert found["previous"]["calls"]["answer_rate"] == 0.5


def test_versions_are_in_their_order(alice):
    agent = make_agent(alice.workspace)
    for version in (10, 2, None):
        counted(alice.workspace, agent=agent, prompt_version=version)

    found = ask(alice, "summary", f"{DAY}&agent_id={agent.pk}").json()

    assert [one["version"] for one in found["versions"]] == [None, 2, 10]


# -- CSV -------------------------------------------------------------------------------


def table(answer):
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.content.decode())))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_the_same(name, alice):
    counted(
        alice.workspace, agent=make_agent(alice.workspace), cost="0.5", currency="USD"
    )

    by_format = ask(alice, name, f"{DAY}&format=csv")
    by_header = ask(alice, name, HTTP_ACCEPT="text/csv")

    assert table(by_format) == table(by_header)
    attached = f'attachment; filename="{name}.csv"'
    assert by_format["Content-Disposition"] == attached
    told = ask(alice, name).json()
    columns, *rows = table(by_format)
    if name == "summary":
        assert ["calls.total", "1", "0"] in rows
        return
    wanted = [name for name in told[0] if name != "costs"]
    assert columns == wanted
    assert rows == [
        ["" if row[name] is None else str(row[name]) for name in wanted] for row in told
    ]


def test_no_cell_is_a_formula(alice):
    make_agent(alice.workspace, "=1+1")

    _columns, (_pk, name, *_rest) = table(ask(alice, "agent-summary", "format=csv"))

    assert name == "'=1+1"


def test_an_error_is_a_problem_also_for_who_wants_a_file(alice):
    answer = ask(alice, "calls-by-date", "format=csv&colour=red")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"] == {"colour": ["Unknown filter."]}
