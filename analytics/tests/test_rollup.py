"""Counting again: what is noted, who counts, and what a kill leaves behind."""

import random
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import Workspace
from analytics import rebuilding, rollup, swapping, triggers
from analytics.figures import Question, by_day
from analytics.management.commands import rebuild_rollup
from analytics.models import Bucket, Change, Quarters, Series
from analytics.periods import Period
from analytics.tests.histories import Home, moments, random_call, random_text, utc
from telephony.models import Call, Turn
from telephony.services import calls
from telephony.tests.calls import make_agent, make_call, make_live_call, make_turn
from tests.people import make_tenant

pytestmark = pytest.mark.django_db

DAY = utc("2026-03-07")
NOON = DAY + timedelta(hours=12)
QUARTER, DAY_LONG = timedelta(minutes=15), timedelta(days=1)


def totals(owner, days=1):
    period = Period(DAY.date(), DAY.date() + timedelta(days=days - 1), "UTC")
    question = Question(owner, period)
    return [tally.get("total", 0) for tally in by_day(question, Series.CALLS, "total")]


def noted():
    """The quarters that are to be counted again."""
    return [(one.series, one.at) for one in Change.objects.order_by("pk")]


def left_to_count():
    return rebuilding.left_to_count(Workspace.objects.all())


def check(**options):
    call_command("check_rollup", **options)


# -- What is noted ---------------------------------------------------------------------


def test_a_call_is_noted_when_it_ends_and_when_its_facts_change(alice):
    call = make_live_call(alice.workspace, NOON)
    make_turn(call, 1, "Yes", reply_ms=500)
    rows, turns = Call.unscoped.filter(pk=call.pk), Turn.unscoped.filter(call=call)
    rows.update(last_event_at=NOON, sid="CA1", answered_at=NOON)
    assert noted() == []

    calls.move_on(call, "completed", at=NOON + timedelta(minutes=1))
    assert set(noted()) == {("calls", NOON)}

    Change.objects.all().delete()
    rows.update(last_event_at=NOON, sid="CA2")
    make_turn(call, 2, "No")
    assert noted() == []

    for change in (
        lambda: rows.update(end_reason="agent_ended"),
        lambda: make_turn(call, 3, "Well", reply_ms=500),
        lambda: turns.update(reply_ms=9),
        lambda: turns.delete(),
        lambda: rows.delete(),
    ):
        Change.objects.all().delete()
        change()
        assert set(noted()) == {("calls", NOON)}


def test_a_call_that_moves_is_noted_at_both_places(alice):
    call = make_call(alice.workspace, NOON)
    Change.objects.all().delete()

    Call.unscoped.filter(pk=call.pk).update(started_at=DAY)

    assert noted() == [("calls", NOON), ("calls", DAY)]


def test_what_is_taken_back_was_never_noted(alice):
    class Undo(Exception):
        pass

    with pytest.raises(Undo), transaction.atomic():
        make_call(alice.workspace, NOON)
        raise Undo

    assert noted() == []


def test_triggers_are_there_after_every_migration(db):
    assert triggers.missing(connection) == []

    triggers.make_way(connection)
    triggers.install(connection)
    triggers.install(connection)

    assert triggers.missing(connection) == []


def test_triggers_go_with_the_tables_that_they_write_to(alice, monkeypatch):
    tables = connection.introspection.table_names()
    tables.remove("analytics_change")
    with monkeypatch.context() as patched:
        patched.setattr(connection.introspection, "table_names", lambda cursor: tables)
        triggers.install(connection)

    assert len(triggers.missing(connection)) == len(triggers.TRIGGERS)
    make_call(alice.workspace, NOON)
    assert noted() == []


# -- Counting again --------------------------------------------------------------------


def test_counting_twice_is_counting_once(alice):
    make_call(alice.workspace, NOON)
    rollup.fold()
    swapping.count_again("calls", alice.workspace.pk, DAY.date(), {48})
    swapping.count_again("calls", alice.workspace.pk, DAY.date(), {48, 49})

    assert totals(alice.workspace) == [1]
    assert noted() == []


def test_a_change_costs_its_quarter_and_its_pair(alice, django_assert_max_num_queries):
    """Not the calls of the day, and not the days of the month."""
    ada, bob = (make_agent(alice.workspace, name) for name in ("Ada", "Bob"))
    for quarter in range(8):
        make_call(alice.workspace, NOON + quarter * QUARTER, agent=ada)
        make_call(alice.workspace, NOON + quarter * DAY_LONG, agent=bob)
    rollup.fold()
    others = Bucket.unscoped.filter(agent=bob.pk)
    before = list(others.order_by("pk").values_list("pk", "updated_at"))
    Call.unscoped.filter(agent=ada, started_at=NOON).update(status="failed")

    with django_assert_max_num_queries(18):
        rollup.fold_some(alice.workspace.pk)

    assert list(others.order_by("pk").values_list("pk", "updated_at")) == before
    check()


def test_a_day_without_calls_leaves_nothing(alice):
    call = make_call(alice.workspace, NOON, agent=make_agent(alice.workspace))
    rollup.fold()
    assert Bucket.unscoped.count() == 4  # a day and a month, in all and of the agent

    call.delete()
    rollup.fold()

    assert Bucket.unscoped.count() == 0


def test_one_that_is_killed_leaves_it_to_the_next(alice, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*arguments):
        raise Killed

    make_call(alice.workspace, NOON)
    with monkeypatch.context() as patched:
        patched.setattr(swapping, "_swap_month", die)
        with pytest.raises(Killed):
            rollup.fold()
    assert totals(alice.workspace) == [0]

    rollup.fold()

    assert totals(alice.workspace) == [1]


def test_a_change_during_the_counting_is_counted_next(alice, monkeypatch):
    """It comes after the rows were read and before the changes are done with."""
    make_call(alice.workspace, NOON)
    swap_month = swapping._swap_month

    def meanwhile(*arguments):
        make_call(alice.workspace, NOON)
        swap_month(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(swapping, "_swap_month", meanwhile)
        rollup.fold_some(alice.workspace.pk)
    assert totals(alice.workspace) == [1]

    rollup.fold()

    assert totals(alice.workspace) == [2]


def test_workspaces_take_turns(alice, mallory, monkeypatch):
    """One with much to count keeps nobody waiting."""
    for number in range(5):
        make_call(alice.workspace, NOON + timedelta(days=number))
    make_call(mallory.workspace, NOON)
    order = []
    fold_some = rollup.fold_some
    monkeypatch.setattr(
        rollup, "fold_some", lambda owner: order.append(owner) or fold_some(owner)
    )

    rollup.fold()

    assert mallory.workspace.pk in order[:2]
    assert totals(alice.workspace, days=5) == [1] * 5


def test_what_a_workspace_leaves_behind_is_forgotten(alice):
    carol = make_tenant("carol")
    make_call(carol.workspace, NOON)
    rollup.fold()
    make_call(carol.workspace, NOON)
    carol.workspace.delete()
    assert noted() != []

    rollup.fold()

    assert noted() == []
    assert Bucket.unscoped.count() == 0


# -- Rebuilding and checking -----------------------------------------------------------


@pytest.fixture
def history(alice, mallory):
    for tenant, number in ((alice, "+1415555014"), (mallory, "+1415555015")):
        home, chance = Home(tenant.workspace, number), random.Random(number)
        for at, _ in zip(moments(DAY, 70, chance), range(12), strict=False):
            random_call(home, at, chance)
            random_text(home, at, chance)
    rollup.fold()


def test_what_was_counted_is_what_the_rows_say(history):
    check()

    before = sorted(Bucket.unscoped.values_list("first_day", "span", "series"))
    Bucket.unscoped.all().delete()
    with pytest.raises(CommandError):
        check()
    call_command("rebuild_rollup")
    check()

    assert sorted(Bucket.unscoped.values_list("first_day", "span", "series")) == before


def test_the_check_finds_what_is_wrong(history, alice, capsys):
    day = Bucket.unscoped.filter(owner=alice.workspace, span="day").first()
    month = Bucket.unscoped.filter(owner=alice.workspace, span="month").last()
    detail = Quarters.unscoped.filter(owner=alice.workspace).last()
    Bucket.unscoped.filter(pk=day.pk).update(quarters=day.quarters[:-1] + b"\x07")
    Bucket.unscoped.filter(pk=month.pk).update(facts={})
    Quarters.unscoped.filter(pk=detail.pk).update(tallies={})

    with pytest.raises(CommandError, match="3 differences"):
        check()

    told = capsys.readouterr().err
    assert f"of {alice.workspace.pk}, {day.first_day}" in told
    assert f"of {alice.workspace.pk}, {month.first_day:%Y-%m}" in told


def test_the_check_leaves_out_what_is_still_to_be_counted(history, alice, capsys):
    make_call(alice.workspace, NOON)

    check()

    assert "Left out: 1 days that are" in capsys.readouterr().out


def test_the_check_waits_for_the_last_day_of_a_month_that_is_rebuilt(history, capsys):
    """Its days are right one by one; their sum is, when all of them are."""
    Bucket.unscoped.all().delete()
    call_command("rebuild_rollup", ask_only=True)
    for owner_id in Change.objects.values_list("owner_id", flat=True).distinct():
        rollup.fold_some(owner_id)

    check()


@pytest.mark.parametrize("command", ["check_rollup", "rebuild_rollup"])
@pytest.mark.parametrize("pk", ["x", "01930000-0000-7000-8000-000000000000"])
def test_an_unknown_workspace_is_refused(command, pk, db):
    with pytest.raises(CommandError, match="no such workspace"):
        call_command(command, workspace=pk)


def test_a_rebuild_of_one_workspace_is_of_that_one(history, alice, mallory):
    """Whatever is left to count of another."""
    call_command("rebuild_rollup", workspace=mallory.workspace.pk, ask_only=True)
    Bucket.unscoped.filter(owner=alice.workspace).delete()

    call_command("rebuild_rollup", workspace=alice.workspace.pk)

    check(workspace=alice.workspace.pk)


def test_a_rebuild_ends_when_nothing_is_left(history, monkeypatch):
    """Not when somebody else counts just now, and nothing is to be had."""
    fold, rests = rollup.fold, []
    monkeypatch.setattr(rollup, "fold", lambda limit_s: rests and fold(limit_s=limit_s))
    monkeypatch.setattr(rebuild_rollup, "sleep", rests.append)

    call_command("rebuild_rollup")

    assert len(rests) == 1
    assert left_to_count() == 0


def test_a_rebuild_that_was_ended_goes_on(history, capsys):
    call_command("rebuild_rollup", ask_only=True)
    asked = left_to_count()
    rollup.fold(limit_s=0)
    owner = Change.objects.first().owner_id
    rollup.fold_some(owner)

    call_command("rebuild_rollup")

    assert f"Going on: {asked - 1} days are left." in capsys.readouterr().out
    assert left_to_count() == 0
    check()


def test_changes_go_before_a_rebuild(alice):
    """What happens now is right within seconds, however much is counted again."""
    for number in range(3):
        make_call(alice.workspace, DAY - timedelta(days=number))
    rollup.fold()
    call_command("rebuild_rollup", ask_only=True)
    make_call(alice.workspace, NOON)

    rollup.fold_some(alice.workspace.pk)

    assert totals(alice.workspace) == [2]
    assert left_to_count() > 0
