"""Tables are changed, and counting goes on: SQLite makes them anew for that."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.sql import (
    emit_post_migrate_signal,
    emit_pre_migrate_signal,
)
from django.db import connection
from django.db.migrations import Migration

from analytics import rollup, triggers
from analytics.models import Bucket, Change
from analytics.tests.histories import utc
from telephony.models import Call
from telephony.tests.calls import make_call

pytestmark = pytest.mark.django_db(transaction=True)

NOON = utc("2026-03-07T12:00")
PLAN = [(Migration("next", "telephony"), False)]


def before(plan):
    emit_pre_migrate_signal(0, False, connection.alias, plan=plan)


def after(plan):
    emit_post_migrate_signal(0, False, connection.alias, plan=plan)


def alter_calls(max_length):
    """Another type of a column: SQLite makes the table anew, without its triggers."""
    old = Call._meta.get_field("end_detail")
    new = old.clone()
    new.max_length = max_length
    new.model = Call
    new.set_attributes_from_name(old.name)
    with connection.schema_editor() as editor:
        editor.alter_field(Call, old, new)


def test_counting_goes_on_after_a_migration(alice):
    for place in range(2):
        make_call(alice.workspace, NOON + timedelta(days=40 * place))
    rollup.fold()
    calls = Call.unscoped.order_by("pk")

    before(PLAN)
    alter_calls(300)
    calls.filter(pk=calls[0].pk).update(status="failed")  # as a data migration may
    alter_calls(200)
    after(PLAN)
    calls.filter(pk=calls[1].pk).update(status="busy")
    rollup.fold()

    assert triggers.missing(connection) == []
    call_command("check_rollup")
    days = Bucket.unscoped.filter(span="day", is_total=True).order_by("first_day")
    statuses = [day.facts["incoming"]["statuses"] for day in days]
    assert statuses == [{"failed": 1}, {"busy": 1}]


def test_a_migration_without_changes_leaves_the_triggers_alone(alice):
    make_call(alice.workspace, NOON)
    rollup.fold()

    before([])
    assert triggers.missing(connection) == []
    after([])

    assert not Change.objects.exists()


def test_what_changed_without_triggers_is_counted_again(alice):
    """One migration failed, and the next had nothing to do."""
    call = make_call(alice.workspace, NOON)
    rollup.fold()
    before(PLAN)
    triggers.remove(connection)
    call.delete()

    before([])
    after([])
    rollup.fold()

    assert not Bucket.unscoped.exists()
