"""Calling rules by the API, their check, and the caps that operators set."""

from datetime import time

import pytest

from accounts.models import AuditEntry
from telephony.models import CallingRules
from telephony.services import do_not_contact
from telephony.tests.conftest import make_number
from telephony.tests.outgoing import CALLEE
from tests.people import join, make_operator, make_tenant

pytestmark = pytest.mark.django_db
RULES, CHECK = "/api/calling-rules", "/api/calling-rules/check"
ADMIN = "/admin/telephony/callingrules"
DEFAULTS = {
    "window_start": "08:00:00",
    "window_end": "21:00:00",
    "window_days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    "countries": [],
    "countries_in_force": ["US"],
    "calls_a_day": 500,
    "calls_a_month": 5000,
    "placed_today": 0,
    "placed_this_month": 0,
}


@pytest.fixture
def alices(alice):
    number = make_number(direction="both")
    for row in (number.account, number.phone, number.agent):
        type(row).unscoped.filter(pk=row.pk).update(owner=alice.workspace)
        row.refresh_from_db()
    return number


def test_rules_that_nobody_has_changed_are_the_defaults(alice, alices):
    assert alice.api("GET", RULES).json() == DEFAULTS
    assert not CallingRules.unscoped.exists()


def test_rules_are_changed_for_ones_own_workspace_alone(alice, mallory, alices):
    changes = {"window_start": "09:30", "window_days": ["fri", "mon"]}

    changed = alice.api("PATCH", RULES, changes | {"countries": ["us", "CA", "US"]})

    told = {
        "window_start": "09:30:00",
        "window_days": ["mon", "fri"],
        "countries": ["CA", "US"],
        "countries_in_force": ["CA", "US"],
    }
    assert changed.json() == DEFAULTS | told
    assert alice.api("GET", RULES).json() == DEFAULTS | told
    assert mallory.api("GET", RULES).json()["window_start"] == "08:00:00"
    replaced = alice.api("PUT", RULES, {"window_end": "17:00"})
    assert replaced.json() == DEFAULTS | {"window_end": "17:00:00"}
    entries = AuditEntry.unscoped.filter(kind="calling_rules", action="changed")
    assert entries.count() == 2


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"window_start": "25:00"}, "window_start"),
        ({"window_start": None}, "window_start"),
        ({"window_days": []}, "window_days"),
        ({"window_days": ["someday"]}, "window_days"),
        ({"countries": ["XX"]}, "countries"),
        ({"countries": "US"}, "countries"),
        ({"zones": []}, "zones"),
    ],
)
def test_rules_that_make_no_sense_are_refused(given, field, alice):
    answer = alice.api("PATCH", RULES, given)

    assert answer.status_code == 400, answer.json()
    assert list(answer.json()["errors"]) == [field]
    assert not CallingRules.unscoped.exists()


def test_caps_are_read_and_not_set(alice):
    answer = alice.api("PATCH", RULES, {"calls_a_day": 99_999})

    assert answer.json()["calls_a_day"] == 500
    assert CallingRules.unscoped.get().calls_a_day == 500


def test_members_read_the_rules_and_change_nothing(alice):
    member = join(alice, "member", "member")

    assert member.api("GET", RULES).status_code == 200
    assert member.api("PATCH", RULES, {"window_start": "09:00"}).status_code == 403
    assert alice.api("DELETE", RULES).status_code == 405


# -- Why? ------------------------------------------------------------------------------


def check(tenant, number, **query):
    given = {"agent_id": str(number.agent.pk), "to": CALLEE} | query
    parameters = "&".join(f"{name}={value}" for name, value in given.items())
    return tenant.api("GET", f"{CHECK}?{parameters}".replace("+", "%2B"))


def test_check_says_when_a_call_may_be_placed(alice, alices):
    night = check(alice, alices, at="2030-01-08T07:00:00Z").json()
    day = check(alice, alices, at="2030-01-08T20:00:00Z").json()
    elsewhere = check(
        alice, alices, at="2030-01-08T07:00:00Z", timezone="Europe/Berlin"
    ).json()

    assert (night["verdict"], night["decided_by"], night["later"]) == (
        "deferred",
        "window",
        "2030-01-08T16:00:00Z",
    )
    assert "Next time" in night["reason"]
    assert (day["verdict"], day["decided_by"], day["reason"]) == ("allowed", "", "")
    assert {finding["verdict"] for finding in day["findings"]} == {"passed"}
    assert elsewhere["verdict"] == "allowed"


@pytest.mark.parametrize("to", ["+19005550100", "112", "nobody"])
def test_check_says_why_a_call_is_refused(to, alice, alices):
    told = check(alice, alices, to=to).json()

    assert told["verdict"] == "refused"
    assert told["later"] is None
    assert told["reason"]


def test_check_knows_the_workspaces_own_list(alice, mallory, alices):
    do_not_contact.add(owner=mallory.workspace, number=CALLEE)
    before = check(alice, alices, at="2030-01-08T20:00:00Z").json()
    do_not_contact.add(owner=alice.workspace, number=CALLEE, reason="by mail")

    after = check(alice, alices, at="2030-01-08T20:00:00Z").json()

    assert (before["verdict"], after["decided_by"]) == ("allowed", "do_not_contact")
    assert "by mail" in after["reason"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"at": "2030-01-08T20:00:00"}, "at"),
        ({"at": "soon"}, "at"),
        ({"at": "9999-12-31T23:59:59Z"}, "at"),
        ({"at": "0001-01-01T00:00:00Z"}, "at"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"to": ""}, "to"),
        ({"agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08"}, "agent_id"),
        ({"when": "now"}, "when"),
    ],
)
def test_check_refuses_what_it_cannot_read(query, field, alice, alices):
    answer = check(alice, alices, **query)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_anothers_agent_is_as_unknown_as_one_that_never_was(alice, mallory, alices):
    foreign = check(mallory, alices)
    unknown = check(mallory, alices, agent_id="01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08")

    def words(answer, agent_id):
        return answer.content.decode().replace(agent_id, "")

    assert foreign.status_code == unknown.status_code == 400
    assert words(foreign, str(alices.agent.pk)) == words(
        unknown, "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08"
    )


# -- Caps, by operators ----------------------------------------------------------------


@pytest.fixture
def operator(db):
    return make_operator().client


def test_operator_sets_caps_before_a_workspace_has_called(operator):
    owner = make_tenant("carol").workspace
    caps = {"workspace": str(owner.pk), "calls_a_day": "7", "calls_a_month": "70"}

    page = operator.get(f"{ADMIN}/add/").content.decode()
    made = operator.post(f"{ADMIN}/add/", caps)
    again = operator.post(f"{ADMIN}/add/", caps)

    assert 'name="workspace"' in page and 'name="window_start"' not in page
    assert made.status_code == 302
    rules = CallingRules.unscoped.get(owner=owner)
    assert (rules.calls_a_day, rules.calls_a_month) == (7, 70)
    assert rules.window_start == time(8)
    assert "It has its rules already" in again.content.decode()


def test_operator_changes_caps_and_nothing_else(operator, alice):
    rules = CallingRules.unscoped.create(owner=alice.workspace)
    other = make_tenant("carol").workspace
    sent = {"calls_a_day": "9", "calls_a_month": "90", "window_start": "01:00"}

    answer = operator.post(f"{ADMIN}/{rules.pk}/change/", sent | {"owner": other.pk})

    assert answer.status_code == 302
    rules.refresh_from_db()
    assert (rules.calls_a_day, rules.window_start) == (9, time(8))
    assert rules.owner == alice.workspace
