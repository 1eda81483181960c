"""Scheduling calls by page and API, and what people may change of them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils.timezone import now

from telephony.models import Call, ScheduledCall
from telephony.services import do_not_contact
from telephony.tests.conftest import make_number
from telephony.tests.outgoing import CALLEE, allow_always

pytestmark = pytest.mark.django_db
TOMORROW = "2030-01-08T20:00:00Z"
Status = ScheduledCall.Status


@pytest.fixture(autouse=True)
def monday_noon():
    with time_machine.travel(datetime(2030, 1, 7, 20, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def alices(alice, db):
    number = make_number(direction="both", greeting="Hello {{ name }}.")
    for row in (number.account, number.phone, number.agent):
        type(row).unscoped.filter(pk=row.pk).update(owner=alice.workspace)
        row.refresh_from_db()
    return number


def body_of(number, **changes):
    body = {"agent_id": str(number.agent.pk), "to": CALLEE, "scheduled_for": TOMORROW}
    return body | changes


def schedule(tenant, number, **changes):
    return tenant.api("POST", "/api/scheduled-calls", body_of(number, **changes))


def test_api_schedules_reads_changes_and_cancels(alice, mallory, alices):
    made = schedule(alice, alices, to="+1 628 555 0142", variables={"name": "Ada"})

    assert made.status_code == 201
    told = made.json()
    assert (told["to"], told["status"], told["next_attempt_at"]) == (
        CALLEE,
        "pending",
        TOMORROW,
    )
    url = f"/api/scheduled-calls/{told['id']}"
    assert mallory.api("GET", url).status_code == 404
    changed = alice.api("PUT", url, body_of(alices, max_attempts=1))
    assert (changed.json()["max_attempts"], changed.json()["variables"]) == (1, {})
    assert alice.api("DELETE", url).status_code == 204
    again = alice.api("GET", url).json()
    assert (again["status"], again["attempts"]) == ("canceled", [])
    assert alice.api("DELETE", url).status_code == 409
    assert alice.api("PUT", url, body_of(alices)).status_code == 409


def test_what_is_scheduled_twice_in_a_moment_rings_once(alice, alices):
    first, again = (schedule(alice, alices).json() for _click in range(2))
    other = schedule(alice, alices, variables={"name": "Ada"}).json()
    with time_machine.travel(now() + timedelta(seconds=11), tick=False):
        later = schedule(alice, alices).json()

    assert first["id"] == again["id"]
    assert len({first["id"], other["id"], later["id"]}) == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scheduled_for": "2030-01-07T19:59:59Z"}, "scheduled_for"),
        ({"scheduled_for": "9999-12-31T23:59:59Z"}, "scheduled_for"),
        ({"scheduled_for": "2030-01-08T20:00:00"}, "scheduled_for"),
        ({"scheduled_for": "soon"}, "scheduled_for"),
        ({"to": "+19005550100"}, "to"),
        ({"to": "+447400123456"}, "to"),
        ({"to": "nobody"}, "to"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"window_start": "08:00"}, "non_field_errors"),
        ({"window_days": ["someday"]}, "window_days"),
        ({"retry_delay_s": 5}, "retry_delay_s"),
        ({"agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08"}, "agent_id"),
        ({"status": "completed"}, None),
    ],
)
def test_api_refuses_what_makes_no_sense(changes, field, alice, alices):
    answer = schedule(alice, alices, **changes)

    if field is None:  # read-only: it has no say
        assert answer.json()["status"] == "pending"
    else:
        assert answer.status_code == 400, answer.json()
        assert list(answer.json()["errors"]) == [field]


def test_number_on_the_list_is_not_scheduled(alice, alices):
    do_not_contact.add(owner=alice.workspace, number=CALLEE, reason="by mail")

    answer = schedule(alice, alices)

    assert answer.status_code == 400
    assert "by mail" in answer.json()["errors"]["to"][0]


@pytest.mark.parametrize(
    ("asked", "zone", "next_at"),
    [
        # 23:00 in Los Angeles: the next morning at 8.
        ("2030-01-08T07:00:00Z", "", "2030-01-08T16:00:00Z"),
        ("2030-01-08T07:00:00Z", "Europe/Berlin", "2030-01-08T07:00:00Z"),
        ("2030-01-08T20:00:00Z", "Asia/Kathmandu", "2030-01-09T02:15:00Z"),
    ],
)
def test_time_out_of_hours_waits_for_them_where_it_rings(
    asked, zone, next_at, alice, alices
):
    told = schedule(alice, alices, scheduled_for=asked, timezone=zone).json()

    assert told["next_attempt_at"] == next_at
    assert bool(told["detail"]) == (asked != next_at)


def test_list_is_narrowed_by_status_and_days(alice, mallory, alices):
    first = schedule(alice, alices).json()["id"]
    second = schedule(alice, alices, scheduled_for="2030-02-01T20:00:00Z").json()["id"]
    alice.api("DELETE", f"/api/scheduled-calls/{second}")

    def found(query, tenant=alice):
        answer = tenant.api("GET", f"/api/scheduled-calls?{query}")
        return [row["id"] for row in answer.json()["results"]]

    assert found("") == [second, first]
    assert found("status=pending") == [first]
    assert found("from=2030-01-08&to=2030-01-08") == [first]
    assert found("from=2030-01-09") == [second]
    assert found("", mallory) == []
    assert alice.api("GET", "/api/scheduled-calls?status=x").status_code == 400
    assert alice.api("GET", "/api/scheduled-calls?when=x").status_code == 400


def test_attempts_are_shown_with_their_calls(alice, alices):
    row_id = schedule(alice, alices).json()["id"]
    call = Call.unscoped.create(
        owner=alice.workspace,
        agent=alices.agent,
        direction="outgoing",
        status="busy",
        end_reason="busy",
        ended_at=now(),
        to_number=CALLEE,
        scheduled_call_id=row_id,
        attempt=1,
    )

    told = alice.api("GET", f"/api/scheduled-calls/{row_id}").json()
    page = alice.client.get(f"/scheduled-calls/{row_id}").content.decode()

    assert [attempt["id"] for attempt in told["attempts"]] == [str(call.pk)]
    assert call.get_absolute_url() in page


FORM = {
    "to_number": CALLEE,
    "scheduled_for": "2030-01-08T20:00",
    "max_attempts": "2",
    "variable.name": "Ada",
}


def test_page_schedules_in_the_persons_zone_changes_and_cancels(alice, alices):
    alice.user.timezone = "Europe/Berlin"
    alice.user.save()
    form = FORM | {"agent": str(alices.agent.pk), "retry_delay_minutes": "10"}

    made = alice.client.post("/scheduled-calls/new", form)

    row = ScheduledCall.unscoped.get()
    assert made["Location"] == row.get_absolute_url()
    assert row.scheduled_for == datetime(2030, 1, 8, 19, tzinfo=UTC)
    assert (row.retry_delay_s, row.variables) == (600, {"name": "Ada"})
    assert row.created_by == alice.user
    changed = form | {"scheduled_for": "2030-01-09T20:00", "variable.name": "Bob"}
    assert (
        alice.client.post(f"{row.get_absolute_url()}/change", changed).status_code
        == 302
    )
    row.refresh_from_db()
    assert row.next_attempt_at == datetime(2030, 1, 9, 19, tzinfo=UTC)
    assert row.variables == {"name": "Bob"}
    alice.client.post(f"{row.get_absolute_url()}/cancel")
    row.refresh_from_db()
    assert row.status == Status.CANCELED
    assert alice.client.get(f"{row.get_absolute_url()}/change").status_code == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"scheduled_for": "2020-01-01T00:00"},
        {"scheduled_for": "9999-12-31T23:59"},
        {"to_number": "+19005550100"},
        {"variable.name": ""},
        {"window_start": "08:00"},
    ],
)
def test_page_refuses_what_makes_no_sense(changes, alice, alices):
    form = FORM | {"agent": str(alices.agent.pk)} | changes

    answer = alice.client.post("/scheduled-calls/new", form)

    assert answer.status_code == 422
    assert not ScheduledCall.unscoped.exists()


def test_list_page_shows_ones_own(alice, mallory, alices):
    schedule(alice, alices)

    assert "628-555-0142" in alice.client.get("/scheduled-calls").content.decode()
    assert "628-555" not in mallory.client.get("/scheduled-calls").content.decode()
    busy = alice.client.get("/scheduled-calls?status=busy").content.decode()
    assert "No scheduled call matches" in busy


def test_call_of_an_agent_that_rests_can_still_be_changed(alice, alices):
    row_id = schedule(alice, alices).json()["id"]
    type(alices.agent).unscoped.update(is_active=False)
    url = f"/scheduled-calls/{row_id}/change"

    page = alice.client.get(url).content.decode()
    form = FORM | {"agent": str(alices.agent.pk), "max_attempts": "5"}
    answer = alice.client.post(url, form)

    assert str(alices.agent.pk) in page
    assert answer.status_code == 302
    assert ScheduledCall.unscoped.get().max_attempts == 5


def test_rules_that_never_open_are_told_when_scheduling(alice, alices):
    allow_always(alice.workspace, window_days=[])

    answer = schedule(alice, alices)

    assert answer.status_code == 400
    assert "never come" in answer.json()["errors"]["scheduled_for"][0]


def test_page_tells_why_before_anything_is_dialled(alice, alices):
    """By the hours of the call itself, and by what is true now."""
    own_hours = {"window_start": "21:00", "window_end": "22:00"}
    url = f"/scheduled-calls/{schedule(alice, alices, **own_hours).json()['id']}"

    calm = alice.client.get(url)
    type(alices.agent).unscoped.update(is_active=False)
    idle = alice.client.get(url)
    alice.client.post(f"{url}/cancel")
    over = alice.client.get(url)

    assert calm.context["decision"].is_allowed
    assert "It is not on the do-not-contact list." in calm.content.decode()
    assert "21:00–22:00" in calm.content.decode()
    assert idle.context["decision"].rule == "agent_active"
    assert "This decides: no." in idle.content.decode()
    assert over.context["decision"] is None


def test_delays_grow_with_the_attempts():
    delays = [
        ScheduledCall(attempts_made=made).retry_delay // timedelta(minutes=1)
        for made in range(1, 5)
    ]

    assert delays == [30, 60, 120, 120]
