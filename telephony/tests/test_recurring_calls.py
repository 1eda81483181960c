"""Recurring calls: kept by page and API, made by the clock, each time once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection, connections
from django.utils.timezone import now

from accounts import deleted
from accounts.models import AuditEntry
from telephony import tasks
from telephony.models import Call, RecurringCall, ScheduledCall
from telephony.services import do_not_contact, due_calls, recurring, scheduled
from telephony.tests.conftest import make_number
from telephony.tests.outgoing import CALLEE

pytestmark = pytest.mark.django_db
Status = ScheduledCall.Status
MONDAY_NOON = datetime(2030, 1, 7, 20, tzinfo=UTC)  # in Los Angeles, where it rings
NINE = 17  # o'clock there, in UTC


@pytest.fixture(autouse=True)
def monday_noon():
    with time_machine.travel(MONDAY_NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def alices(alice, db):
    number = make_number(direction="both", greeting="Hello {{ name }}.")
    for row in (number.account, number.phone, number.agent):
        type(row).unscoped.filter(pk=row.pk).update(owner=alice.workspace)
        row.refresh_from_db()
    return number


def body_of(number, **changes):
    body = {
        "agent_id": str(number.agent.pk),
        "to": CALLEE,
        "frequency": "daily",
        "time": "09:00",
        "timezone": "America/Los_Angeles",
        "starts_on": "2030-01-07",
    }
    return body | changes


@pytest.fixture
def recur(alice, alices):
    def recur(**changes):
        answer = alice.api("POST", "/api/recurring-calls", body_of(alices, **changes))
        assert answer.status_code == 201, answer.json()
        return RecurringCall.unscoped.get(pk=answer.json()["id"])

    return recur


def day(number, hour=NINE):
    return datetime(2030, 1, number, hour, tzinfo=UTC)


def made(**narrowed):
    rows = ScheduledCall.unscoped.filter(**narrowed).order_by("scheduled_for", "pk")
    return [(row.scheduled_for, row.status) for row in rows]


def pending(*days):
    return [(day(number), Status.PENDING) for number in days]


# -- Made by the clock -----------------------------------------------------------------


def test_times_of_the_next_two_days_are_scheduled(recur, monday_noon):
    row = recur(variables={"name": "Ada"}, max_attempts=2)

    assert made() == pending(8, 9)
    call = ScheduledCall.unscoped.first()
    assert (call.recurring_call, call.variables, call.max_attempts) == (
        row,
        {"name": "Ada"},
        2,
    )
    monday_noon.shift(timedelta(days=1))
    recurring.make_coming(now())
    assert made() == pending(8, 9, 10)
    row.refresh_from_db()
    assert row.next_at == day(11)


def test_bells_that_ring_again_make_nothing_twice(recur, monday_noon):
    row = recur()
    before = row.next_at
    RecurringCall.unscoped.update(next_at=day(8))  # as if nothing had been noted

    for _bell in range(3):
        recurring.make_coming(now())

    assert made() == pending(8, 9)
    row.refresh_from_db()
    assert row.next_at == before


def test_hour_without_bells_does_no_harm(recur, monday_noon):
    recur()
    monday_noon.shift(timedelta(hours=26))

    recurring.make_coming(now())

    assert made() == pending(8, 9, 10)


def test_times_of_a_long_silence_are_skipped_and_say_so(recur, monday_noon):
    row = recur()
    ScheduledCall.unscoped.all().delete()
    RecurringCall.unscoped.update(next_at=day(8))
    monday_noon.move_to(day(11, hour=NINE + 1))

    recurring.make_coming(now())

    skipped = [(day(number), Status.EXPIRED) for number in (8, 9, 10)]
    assert made() == [*skipped, *pending(11, 12, 13)]
    (words,) = set(
        ScheduledCall.unscoped.filter(status=Status.EXPIRED).values_list(
            "detail", flat=True
        )
    )
    assert words == "Skipped: it could not be made in time."
    row.refresh_from_db()
    assert row.next_at == day(14)


def test_years_of_silence_are_worked_off_in_pieces(recur, monday_noon):
    recur()
    monday_noon.move_to(datetime(2030, 4, 1, tzinfo=UTC))

    recurring.make_coming(now())
    first = ScheduledCall.unscoped.count()
    for _bell in range(10):
        recurring.make_coming(now())

    assert first == 2 + recurring.TIMES_AT_ONCE
    statuses = [status for _at, status in made(scheduled_for__gte=day(10))]
    assert statuses.count(Status.PENDING) == 2
    assert set(statuses[:-2]) == {Status.EXPIRED}


def test_time_between_two_bells_is_late_and_not_lost(recur, monday_noon):
    recur(max_late_s=3600)
    ScheduledCall.unscoped.all().delete()
    RecurringCall.unscoped.update(next_at=day(8))
    monday_noon.move_to(day(8) + timedelta(minutes=59))

    recurring.make_coming(now())

    assert made() == pending(8, 9, 10)
    assert due_calls.depth(now())["due"] == 1


def test_time_out_of_hours_waits_for_them(recur):
    recur(time="23:00")

    call = ScheduledCall.unscoped.first()

    assert call.scheduled_for == day(8, hour=7)
    assert call.next_attempt_at == day(8, hour=16)
    assert "Next time" in call.detail


def test_number_that_went_on_the_list_is_blocked_with_its_reason(recur, monday_noon):
    row = recur()
    do_not_contact.add(owner=row.owner, number=CALLEE, reason="by mail")
    monday_noon.shift(timedelta(days=1))

    recurring.make_coming(now())

    assert {status for _at, status in made()} == {Status.BLOCKED}
    assert "by mail" in ScheduledCall.unscoped.get(scheduled_for=day(10)).detail


def test_last_time_ends_it(recur, monday_noon):
    row = recur(count=2, starts_on="2030-01-08")

    assert made() == pending(8, 9)
    row.refresh_from_db()
    assert (row.next_at, row.status) == (None, RecurringCall.Status.ENDED)
    recurring.make_coming(now())
    assert made() == pending(8, 9)


def test_one_that_cannot_be_made_keeps_no_other_waiting(
    recur, monday_noon, caplog, monkeypatch
):
    monkeypatch.setattr(tasks.dial_batch, "delay", lambda token: None)
    broken, sound = recur(), recur(to="+16285550143")
    RecurringCall.unscoped.filter(pk=broken.pk).update(timezone="Mars/Olympus")
    monday_noon.shift(timedelta(days=1))

    due_calls.tick(now())

    times = [at for at, _status in made(recurring_call=sound)]
    assert times == [day(8), day(9), day(10)]
    assert f"recurring call {broken.pk}: not made" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_many_bells_at_once_make_each_time_once(recur, monday_noon):
    recur()
    ScheduledCall.unscoped.all().delete()
    RecurringCall.unscoped.update(next_at=day(8))
    barrier = threading.Barrier(4)

    def ring():
        barrier.wait()
        try:
            recurring.make_coming(MONDAY_NOON)
        finally:
            connection.close()

    bells = [threading.Thread(target=ring) for _ in range(4)]
    for bell in bells:
        bell.start()
    for bell in bells:
        bell.join(20)
    connections.close_all()

    assert made() == pending(8, 9)


def test_worker_that_dies_halfway_leaves_nothing_behind(recur, monkeypatch):
    row = recur()
    ScheduledCall.unscoped.all().delete()
    RecurringCall.unscoped.update(next_at=day(8))
    monkeypatch.setattr(recurring, "_from_next", lambda row: iter([None]))

    recurring.make_coming(now())

    assert made() == []
    row.refresh_from_db()
    assert row.next_at == day(8)


def test_time_of_a_recurring_call_is_on_the_wall(recur, monday_noon):
    """Clocks are put on in Los Angeles on 10 March 2030."""
    monday_noon.move_to(datetime(2030, 3, 8, 20, tzinfo=UTC))

    recur(starts_on="2030-03-09", count=2)

    assert [at for at, _status in made()] == [
        datetime(2030, 3, 9, 17, tzinfo=UTC),
        datetime(2030, 3, 10, 16, tzinfo=UTC),
    ]


# -- Kept by people --------------------------------------------------------------------


def api(tenant, verb, row, action="", body=None):
    return tenant.api(verb, f"/api/recurring-calls/{row.pk}{action}", body)


def test_change_replaces_what_is_scheduled(alice, alices, recur):
    row = recur()

    answer = api(alice, "PUT", row, body=body_of(alices, time="10:00"))

    assert answer.status_code == 200, answer.json()
    later = [(day(number, NINE + 1), Status.PENDING) for number in (8, 9)]
    assert made(status="pending") == later
    old = [(day(number), Status.CANCELED) for number in (8, 9)]
    assert made(status="canceled") == old
    words = ScheduledCall.unscoped.filter(status="canceled").first().detail
    assert words == "The recurring call was changed."


def test_change_of_what_is_said_alone_keeps_the_times(alice, alices, recur):
    row = recur()

    api(alice, "PUT", row, body=body_of(alices, variables={"name": "Bob"}))

    assert made(status="pending") == pending(8, 9)
    calls = ScheduledCall.unscoped.filter(status="pending")
    assert {call.variables["name"] for call in calls} == {"Bob"}


def test_time_that_was_canceled_by_hand_stays_canceled(alice, alices, recur):
    row = recur()
    call = ScheduledCall.unscoped.get(scheduled_for=day(8))
    scheduled.cancel(call, by=alice.user)

    api(alice, "PUT", row, body=body_of(alices, max_attempts=1))

    assert made(scheduled_for=day(8)) == [(day(8), Status.CANCELED)]
    assert made(scheduled_for=day(9), status="pending") == pending(9)


def test_pause_cancels_and_resume_goes_on_with_the_next_time(alice, recur, monday_noon):
    row = recur()

    paused = api(alice, "POST", row, "/pause")
    again = api(alice, "POST", row, "/pause")

    assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    assert again.json()["next_times"] == []
    assert made() == [(day(number), Status.CANCELED) for number in (8, 9)]
    monday_noon.move_to(day(9, hour=20))
    recurring.make_coming(now())
    assert made(status="pending") == []
    resumed = api(alice, "POST", row, "/resume").json()
    assert resumed["status"] == "active"
    assert resumed["next_times"][0] == "2030-01-10T17:00:00Z"
    assert made(status="pending") == pending(10, 11)
    actions = AuditEntry.unscoped.filter(kind="recurring_call").order_by("pk")
    assert [entry.action for entry in actions] == ["created", "paused", "resumed"]


def test_paused_at_once_and_resumed_has_its_times_again(alice, recur):
    row = recur()
    api(alice, "POST", row, "/pause")

    api(alice, "POST", row, "/resume")

    assert made(status="pending") == pending(8, 9)


def test_attempt_that_is_on_its_way_is_not_tried_again_after_a_pause(recur):
    row = recur(max_attempts=3)
    call = ScheduledCall.unscoped.get(scheduled_for=day(8))
    ScheduledCall.unscoped.filter(pk=call.pk).update(
        status=Status.DIALING, attempts_made=1
    )

    recurring.pause(row, at=now())

    attempt = Call.unscoped.create(
        owner=row.owner,
        agent=row.agent,
        direction="outgoing",
        to_number=CALLEE,
        status="busy",
        end_reason="busy",
        ended_at=now(),
        asked_at=now(),
        scheduled_call=call,
        attempt=1,
    )
    scheduled.follow(attempt)
    call.refresh_from_db()
    assert call.status == Status.BUSY


def test_deleted_is_gone_and_comes_back_paused(alice, recur, monday_noon):
    row = recur()

    assert api(alice, "DELETE", row).status_code == 204

    assert api(alice, "GET", row).status_code == 404
    assert made() == [(day(number), Status.CANCELED) for number in (8, 9)]
    call = ScheduledCall.unscoped.first()
    assert "(deleted)" in alice.client.get(call.get_absolute_url()).content.decode()
    row.refresh_from_db()
    deleted.restore(row, deleted.kind_of(RecurringCall))
    monday_noon.shift(timedelta(days=1))
    recurring.make_coming(now())
    assert made(status="pending") == []
    assert api(alice, "GET", row).json()["status"] == "paused"


def test_api_reads_lists_and_narrows(alice, mallory, recur):
    row, other = recur(), recur(to="+16285550143", frequency="weekly", days=["fri"])
    recurring.pause(other, at=now())

    told = api(alice, "GET", row).json()

    assert told["next_times"][:2] == ["2030-01-08T17:00:00Z", "2030-01-09T17:00:00Z"]
    assert len(told["next_times"]) == 5
    assert api(mallory, "GET", row).status_code == 404
    assert api(mallory, "POST", row, "/pause").status_code == 404

    def found(query, tenant=alice, family="recurring"):
        answer = tenant.api("GET", f"/api/{family}-calls?{query}")
        return [line["id"] for line in answer.json()["results"]]

    assert found("") == [str(other.pk), str(row.pk)]
    assert found("status=active") == [str(row.pk)]
    assert found("status=paused") == [str(other.pk)]
    assert found("status=ended") == []
    assert found("", mallory) == []
    assert len(found(f"recurring_call_id={row.pk}", family="scheduled")) == 2
    assert alice.api("GET", "/api/recurring-calls?status=x").status_code == 400


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"frequency": "hourly"}, "frequency"),
        ({"frequency": "weekly"}, "days"),
        ({"frequency": "weekly", "days": ["someday"]}, "days"),
        ({"frequency": "weekly", "days": ["mon"], "month_day": 3}, "frequency"),
        ({"frequency": "monthly"}, "month_day"),
        ({"frequency": "monthly", "month_day": 0}, "month_day"),
        ({"frequency": "monthly", "month_day": 32}, "month_day"),
        ({"frequency": "monthly", "nth": 2}, "month_day"),
        ({"frequency": "monthly", "nth": 0, "days": ["mon"]}, "nth"),
        ({"frequency": "monthly", "nth": 1, "days": ["mon", "tue"]}, "month_day"),
        ({"frequency": "monthly", "month_day": 1, "days": ["mon"]}, "month_day"),
        ({"frequency": "daily", "days": ["mon"]}, "frequency"),
        ({"every": 0}, "every"),
        ({"every": 100}, "every"),
        ({"time": "25:00"}, "time"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"starts_on": "2030-02-30"}, "starts_on"),
        ({"ends_on": "2030-01-06"}, "starts_on"),
        ({"ends_on": "2030-02-01", "count": 3}, "non_field_errors"),
        ({"count": 0}, "count"),
        ({"to": "+19005550100"}, "to"),
        ({"to": "nobody"}, "to"),
        ({"agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08"}, "agent_id"),
        ({"next_at": "2030-01-08T00:00:00Z"}, "next_at"),
    ],
)
def test_api_refuses_what_makes_no_sense(changes, field, alice, alices):
    answer = alice.api("POST", "/api/recurring-calls", body_of(alices, **changes))

    assert answer.status_code == 400, answer.json()
    assert list(answer.json()["errors"]) == [field]
    assert not RecurringCall.unscoped.exists()


# -- Pages -----------------------------------------------------------------------------

FORM = {
    "to_number": CALLEE,
    "frequency": "monthly",
    "every": "1",
    "month_on": "2-tue",
    "days": ["mon", "wed"],
    "time": "09:00",
    "timezone": "America/Los_Angeles",
    "starts_on": "2030-01-07",
    "max_attempts": "2",
    "variable.name": "Ada",
}


def form_of(number, **changes):
    return FORM | {"agent": str(number.agent.pk)} | changes


def test_page_makes_changes_pauses_resumes_and_deletes(alice, alices):
    answer = alice.client.post("/recurring-calls/new", form_of(alices))

    row = RecurringCall.unscoped.get()
    assert answer["Location"] == row.get_absolute_url()
    assert (row.nth, row.days, row.month_day) == (2, ["tue"], None)
    assert (row.variables, row.created_by) == ({"name": "Ada"}, alice.user)
    assert made() == pending(8)
    page = alice.client.get(row.get_absolute_url()).content.decode()
    assert "Every month on the second Tuesday at 09:00" in page
    assert "Tue 12 Feb 2030, 09:00 PST" in page
    call = ScheduledCall.unscoped.get()
    assert call.get_absolute_url() in page
    assert (
        row.get_absolute_url()
        in alice.client.get(call.get_absolute_url()).content.decode()
    )

    url = row.get_absolute_url()
    weekly = form_of(alices, frequency="weekly")
    assert alice.client.post(f"{url}/change", weekly).status_code == 302
    row.refresh_from_db()
    assert (row.nth, row.days) == (None, ["mon", "wed"])
    assert made(status="pending") == pending(9)
    for action, status in (("pause", "paused"), ("resume", "active")):
        alice.client.post(f"{url}/{action}")
        row.refresh_from_db()
        assert row.status == status
    assert alice.client.post(f"{url}/delete").status_code == 302
    assert alice.client.get(url).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_page_shows_the_next_times_before_anything_is_saved(headers, alice, alices):
    unfinished = form_of(alices, to_number="", preview="1")

    answer = alice.client.post("/recurring-calls/new", unfinished, headers=headers)

    assert answer.status_code == 200
    text = answer.content.decode()
    assert ("<html" in text) == (not headers)
    assert text.count("Tue 12 Feb 2030, 09:00 PST") == 1
    assert text.count("PDT") + text.count("PST") == 5
    assert not RecurringCall.unscoped.exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"time": ""}, "This field is required."),
        ({"frequency": "weekly", "days": []}, "Choose days of the week."),
        ({"ends_on": "2030-02-01", "count": "3"}, "Give a last day or a number"),
        ({"ends_on": "2030-01-06"}, "This never happens again"),
    ],
)
def test_preview_and_saving_tell_what_is_wrong(changes, told, alice, alices):
    form = form_of(alices, **changes)

    preview = alice.client.post("/recurring-calls/new", form | {"preview": "1"})
    refused = alice.client.post("/recurring-calls/new", form)

    assert told in preview.content.decode()
    assert (refused.status_code, RecurringCall.unscoped.count()) == (422, 0)
    assert told in refused.content.decode()


def test_preview_tells_of_a_time_that_the_clocks_skip(alice, alices, monday_noon):
    monday_noon.move_to(datetime(2030, 3, 8, 20, tzinfo=UTC))
    alice.client.force_login(alice.user)
    form = form_of(
        alices, frequency="daily", time="02:30", starts_on="2030-03-10", preview="1"
    )

    text = alice.client.post("/recurring-calls/new", form).content.decode()

    assert "Sun 10 Mar 2030, 03:30 PDT" in text
    assert "The clocks skip 02:30 on that day." in text


def test_form_of_a_stored_one_shows_its_rule(alice, alices, recur):
    row = recur(frequency="monthly", month_day=-1)

    text = alice.client.get(f"{row.get_absolute_url()}/change").content.decode()

    assert '<option value="-1" selected>On the last day</option>' in text
    assert "Thu 31 Jan 2030, 09:00 PST" in text


def test_list_page_shows_ones_own_and_narrows(alice, mallory, recur):
    recur()

    def page(query="", tenant=alice):
        return tenant.client.get(f"/recurring-calls{query}").content.decode()

    assert "Every day at 09:00" in page()
    assert "Every day at 09:00" not in page(tenant=mallory)
    assert "No call recurs" in page(tenant=mallory)
    assert "No recurring call matches" in page("?status=ended")
    assert alice.client.get("/recurring-calls?q=abc").status_code == 422


def test_viewer_sees_and_changes_nothing(alice, recur):
    from tests.people import join

    row = recur()
    viewer = join(alice, "viewer", "viewer")

    assert viewer.client.get(row.get_absolute_url()).status_code == 200
    assert viewer.client.get("/recurring-calls/new").status_code == 403
    assert viewer.client.post(f"{row.get_absolute_url()}/pause").status_code == 403
