"""Campaigns: lists that are read row by row, and what people do with them."""

import signal
from datetime import UTC, datetime

import pytest
from django.utils.timezone import now

from agents.models import VoiceAgent
from telephony.models import Campaign, CampaignEvent, CampaignFile, RefusedRow
from telephony.models import ScheduledCall as Contact
from telephony.services import campaign_lists, campaign_turns, campaigns, do_not_contact
from telephony.tables import table_of
from telephony.tests.campaigns import (
    list_of,
    long_list,
    make_campaign,
    make_ready,
    numbers,
)
from telephony.tests.conftest import make_number
from telephony.tests.outgoing import allow_always
from tests.processes import wait_until
from tests.worker import running_task

Status = Campaign.Status


@pytest.fixture
def number(db):
    number = make_number(
        direction=VoiceAgent.Direction.BOTH,
        instructions="Remind {{ patient_name }}.",
    )
    allow_always(number.phone.owner)
    return number


@pytest.fixture
def worker(monkeypatch):
    """The parts of lists that tasks are to read, kept instead."""
    parts = []
    monkeypatch.setattr(campaign_lists, "go_on", parts.append)
    return parts


def work(worker):
    while worker:
        campaign_lists.read(worker.pop(0))


def contacts(campaign):
    rows = Contact.unscoped.filter(campaign=campaign).order_by("line")
    return [(row.line, row.to_number) for row in rows]


def refusals(campaign):
    rows = RefusedRow.unscoped.filter(campaign=campaign).order_by("line")
    return [(row.line, row.kind, row.reason) for row in rows]


def log_of(campaign):
    events = CampaignEvent.unscoped.filter(campaign=campaign).order_by("pk")
    return [event.sentence for event in events]


# -- Reading lists ---------------------------------------------------------------------


def test_every_row_is_a_contact_or_refused_with_its_line_and_reason(number):
    do_not_contact.add(owner=number.phone.owner, number="+16285550003", reason="Asked")
    text = list_of(
        "+1 (628) 555-0001,Ada",
        "+16285550001,Ada again",
        "",
        "12345,Bob",
        "+16285550003,Carol",
        "+16285550004,",
        "+4930123456,Dora",
        ",Nobody",
        "+19005550100,Premium",
        "+16285550005,Eve",
    )

    campaign = make_ready(number, text)

    assert campaign.status == Status.READY
    assert contacts(campaign) == [(2, "+16285550001"), (11, "+16285550005")]
    told = refusals(campaign)
    assert [(line, kind) for line, kind, _reason in told] == [
        (3, "duplicate"),
        (5, "number"),
        (6, "do_not_contact"),
        (7, "value"),
        (8, "number"),
        (9, "number"),
        (10, "number"),
    ]
    reasons = [reason for _line, _kind, reason in told]
    assert reasons[0] == "The same number as in line 2."
    assert "Asked" in reasons[2]
    assert reasons[3] == "“patient_name” is empty."
    assert "DE, is not among" in reasons[4]
    assert (campaign.rows, campaign.rows_read, campaign.rows_refused) == (9, 9, 7)
    assert campaign.contacts == 2


def test_columns_are_found_by_their_names_and_the_others_are_kept(number):
    text = list_of(
        "4711,Ada,628 555 0001,Europe/Berlin",
        heading="Customer No.,Patient name,Phone number,Time zone",
    )

    campaign = make_ready(number, text, default_country="US")

    (row,) = Contact.unscoped.filter(campaign=campaign)
    assert row.to_number == "+16285550001"
    assert row.timezone == "Europe/Berlin"
    assert row.variables == {"patient_name": "Ada", "customer_no.": "4711"}


def test_times_and_zones_are_read_or_refused(number):
    rows = (
        "+16285550001,Ada,,2130-01-09 14:30",
        "+16285550002,Bob,Europe/Berlin,2130-01-09 14:30",
        "+16285550003,Cy,,2130-01-09T14:30:00Z",
        "+16285550004,Di,,yesterday",
        "+16285550005,Ed,,2020-01-09 14:30",
        "+16285550006,Fi,Mars/Olympus,",
        "+18005550100,Toll-free,Europe,",
        "+16285550008,Gus,,9999-12-31 23:59",
    )
    heading = "to,patient_name,timezone,scheduled_for"

    campaign = make_ready(number, list_of(*rows, heading=heading))

    due = Contact.unscoped.filter(campaign=campaign).order_by("line")
    assert [row.due_at for row in due] == [
        datetime(2130, 1, 9, 14, 30, tzinfo=UTC),
        datetime(2130, 1, 9, 13, 30, tzinfo=UTC),
        datetime(2130, 1, 9, 14, 30, tzinfo=UTC),
    ]
    assert [(line, kind) for line, kind, _reason in refusals(campaign)] == [
        (5, "time"),
        (6, "time"),
        (7, "time"),
        (8, "time"),
        (9, "time"),
    ]


def test_list_without_headings_asks_for_the_column_of_the_numbers(number):
    campaign = make_campaign(number, "+16285550001,Ada\n+16285550002,Bob\n")

    with pytest.raises(campaigns.Refused, match="which column"):
        campaigns.map_columns(campaign, campaign.mapping)

    mapping = {**campaign.mapping, "to": 0, "variables": {"patient_name": 1}}
    read = campaigns.map_columns(campaign, mapping)
    assert contacts(read) == [(1, "+16285550001"), (2, "+16285550002")]


def test_list_that_is_too_long_is_refused(number, monkeypatch):
    monkeypatch.setattr(campaigns, "MOST_ROWS", 2)

    with pytest.raises(campaigns.Refused, match="has 3 rows; a campaign takes 2"):
        make_campaign(number, long_list(3))

    assert not Campaign.unscoped.exists()


@pytest.mark.django_db(transaction=True)
def test_long_list_is_read_in_parts_beside_the_request(number, worker, monkeypatch):
    monkeypatch.setattr(campaign_lists, "READ_BY_A_TASK", 500)

    campaign = make_ready(number, long_list(1_200))

    assert (campaign.status, campaign.rows_read) == (Status.CHECKING, 0)
    campaign_lists.read(worker.pop(0))
    campaign.refresh_from_db()
    assert (campaign.status, campaign.rows_read) == (Status.CHECKING, 500)
    work(worker)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.contacts) == (Status.READY, 1_200)
    assert [to for _line, to in contacts(campaign)] == numbers(1_200)
    assert log_of(campaign)[-1] == "1200 contacts were imported, 0 rows were refused."


@pytest.mark.django_db(transaction=True)
def test_reader_whose_task_is_lost_is_made_up_for_and_doubles_nothing(
    number, worker, monkeypatch
):
    monkeypatch.setattr(campaign_lists, "READ_BY_A_TASK", 500)
    campaign = make_ready(number, long_list(1_200))
    campaign_lists.read(campaign.pk)
    worker.clear()  # the broker forgets

    campaign_turns.tick(now())
    assert worker == []  # the reader may be alive
    campaign_turns.tick(now() + campaign_lists.LEASE * 2)
    worker.append(worker[0])  # delivered twice
    work(worker)

    assert [to for _line, to in contacts(campaign)] == numbers(1_200)


@pytest.mark.django_db(transaction=True)
def test_reader_that_is_killed_loses_no_row_and_doubles_none(number, worker):
    campaign = make_ready(number, long_list(6_000))

    with running_task("telephony.tests.campaigns", "read_everything") as process:
        wait_until(lambda: read_so_far(campaign) >= 1_000, 60, "a part is read")
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = read_so_far(campaign)
    assert left < 6_000
    assert len(contacts(campaign)) == left
    work(worker)

    assert read_so_far(campaign) == 6_000
    assert [to for _line, to in contacts(campaign)] == numbers(6_000)


def read_so_far(campaign):
    campaign.refresh_from_db()
    return campaign.rows_read


def test_two_readers_of_one_list_double_nothing(number, monkeypatch):
    monkeypatch.setattr(campaign_lists, "begin", lambda campaign: None)
    campaign = make_ready(number, long_list(3))
    first = Campaign.unscoped.get(pk=campaign.pk)
    second = Campaign.unscoped.get(pk=campaign.pk)
    for reader in (first, second):
        judge = campaign_lists._judge_for(reader)
        rows = list(campaign_lists._rows_left(reader))
        judged = campaign_lists._judged(reader, judge, rows)
        reader.judged = judged

    assert campaign_lists._take(first, first.judged)
    assert not campaign_lists._take(second, second.judged)

    assert [to for _line, to in contacts(campaign)] == numbers(3)


def test_other_columns_and_another_list_replace_what_was_read(number):
    campaign = make_ready(number, list_of("+16285550001,Ada", "nonsense,Bob"))

    again = campaigns.map_columns(
        campaign, campaign.mapping | {"variables": {"patient_name": 1, "again": 1}}
    )
    assert contacts(again) == [(2, "+16285550001")]
    assert len(refusals(again)) == 1

    table = table_of(list_of("+16285550009,Zoe"))
    draft = campaigns.replace_file(again, file_name="b.csv", table=table, by=None)
    assert draft.status == Status.DRAFT
    read = campaigns.map_columns(draft, draft.mapping)
    assert contacts(read) == [(2, "+16285550009")]
    assert refusals(read) == []


def test_change_of_settings_reaches_the_contacts(number):
    campaign = make_ready(number, list_of("+16285550001,Ada"))

    changed = campaigns.change(campaign, {"max_attempts": 7, "name": "Other"})

    assert (changed.name, changed.status) == ("Other", Status.READY)
    assert Contact.unscoped.get(campaign=campaign).max_attempts == 7


# -- Its life --------------------------------------------------------------------------


def start(campaign):
    return campaigns.start(campaign, by=None)


def test_started_campaign_forgets_its_file_and_takes_no_changes(number):
    campaign = start(make_ready(number, list_of("+16285550001,Ada")))

    assert campaign.status == Status.RUNNING
    assert not CampaignFile.unscoped.exists()
    with pytest.raises(campaigns.Refused):
        campaigns.change(campaign, {"max_attempts": 1})
    with pytest.raises(campaigns.Refused):
        campaigns.map_columns(campaign, campaign.mapping)
    assert campaigns.change(campaign, {"name": "Other"}).name == "Other"


@pytest.mark.parametrize(
    ("verb", "allowed"),
    [
        (campaigns.start, {Status.READY}),
        (campaigns.pause, {Status.RUNNING}),
        (campaigns.resume, {Status.PAUSED}),
        (campaigns.cancel, {*Status} - {Status.COMPLETED, Status.CANCELED}),
    ],
)
@pytest.mark.parametrize("status", list(Status))
def test_verbs_do_only_what_the_status_allows(number, verb, allowed, status):
    campaign = make_ready(number, list_of("+16285550001,Ada"))
    Campaign.unscoped.filter(pk=campaign.pk).update(status=status)

    if status in allowed:
        assert verb(campaign, by=None).status != status
    else:
        with pytest.raises(campaigns.Refused):
            verb(campaign, by=None)
        campaign.refresh_from_db()
        assert campaign.status == status


def test_nobody_to_call_and_an_idle_agent_are_refused(number):
    empty = make_ready(number, list_of("nonsense,Ada"))
    with pytest.raises(campaigns.Refused, match="nobody to call"):
        start(empty)

    campaign = make_ready(number, list_of("+16285550001,Ada"))
    VoiceAgent.unscoped.update(is_active=False)
    with pytest.raises(campaigns.Refused, match="is not active"):
        start(campaign)


def test_canceled_campaign_calls_nobody_and_its_contacts_say_so(number):
    campaign = start(make_ready(number, long_list(5)))
    campaign_turns.advance(campaign.pk, now())

    campaigns.cancel(campaign, by=None)
    campaign_turns.tick(now())

    rows = Contact.unscoped.filter(campaign=campaign)
    told = {(row.status, row.next_attempt_at, row.detail) for row in rows}
    assert told == {("canceled", None, "The campaign was canceled.")}
    campaign.refresh_from_db()
    assert not campaign.has_leftovers


def test_deleted_campaign_is_canceled_and_gone_from_the_list(number):
    campaign = start(make_ready(number, long_list(2)))

    campaigns.delete(campaign, by=None)
    campaign_turns.tick(now())

    owner = number.phone.owner
    assert not Campaign.objects.for_owner(owner).exists()
    assert Campaign.unscoped.get().status == Status.CANCELED
    assert Contact.unscoped.filter(status="canceled").count() == 2


def test_lists_that_nobody_starts_are_deleted_and_their_contacts_stay(number):
    campaign = make_ready(number, list_of("+16285550001,Ada"))

    assert campaign_lists.forget_files(now()) == 0
    assert campaign_lists.forget_files(now() + campaign_lists.KEPT_FOR) == 1

    with pytest.raises(campaigns.Refused, match="upload it again"):
        campaigns.change(campaign, {"max_attempts": 1})
    assert contacts(campaign) == [(2, "+16285550001")]
    assert start(campaign).status == Status.RUNNING


# -- Redial ----------------------------------------------------------------------------


def test_redial_calls_the_chosen_and_never_who_opted_out(number):
    campaign = start(make_ready(number, long_list(7)))
    ends = ["completed", "no-answer", "busy", "failed", "blocked", "unknown", "busy"]
    rows = list(Contact.unscoped.filter(campaign=campaign).order_by("line"))
    for row, status in zip(rows, ends, strict=True):
        Contact.unscoped.filter(pk=row.pk).update(status=status, next_attempt_at=None)
    do_not_contact.add(owner=number.phone.owner, number=rows[6].to_number)

    chosen = [*campaigns.USUALLY_REDIALLED, "blocked", "completed"]
    again = campaigns.redial(campaign, statuses=chosen, by=None, at=now())

    assert (again.status, again.name) == (Status.READY, "Spring recall (2)")
    assert contacts(again) == [(row.line, row.to_number) for row in rows[1:4]]
    assert [kind for _line, kind, _reason in refusals(again)] == ["do_not_contact"]
    assert Contact.unscoped.get(campaign=again, line=3).variables == {
        "patient_name": "Ada"
    }
    unknown = campaigns.redial(campaign, statuses=["unknown"], by=None, at=now())
    assert contacts(unknown) == [(rows[5].line, rows[5].to_number)]


def test_redial_asked_for_twice_in_a_moment_is_made_once(number):
    campaign = start(make_ready(number, long_list(1)))
    Contact.unscoped.update(status="busy")

    first = campaigns.redial(campaign, statuses=["busy"], by=None, at=now())
    second = campaigns.redial(campaign, statuses=["busy"], by=None, at=now())

    assert first == second
    with pytest.raises(campaigns.Refused):
        campaigns.redial(campaign, statuses=["completed"], by=None, at=now())
