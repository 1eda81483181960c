"""A release's migrations leave the release before able to work."""

import pytest
from django.db import migrations, models
from django.db.migrations.state import ModelState, ProjectState

from scripts.migration_rule import complaints, judge, read_record

EMPTY = models.CharField(max_length=9, default="")
FILLED = models.CharField(max_length=9, db_default="")
NULL = models.CharField(max_length=9, null=True)


def judged(*operations):
    fields = [("id", models.IntegerField(primary_key=True))]
    fields += [("empty", EMPTY), ("filled", FILLED), ("null", NULL)]
    state = ProjectState()
    state.add_model(ModelState("phones", "Line", fields))
    migration = migrations.Migration("0002_next", "phones")
    migration.operations = list(operations)
    return list(judge([migration], state))


def test_newer_migrations_leave_the_release_before_able_to_work():
    """`python -m scripts.migration_rule`, run for a release, says from where on."""
    before, allowed = read_record()

    assert complaints(before, allowed) == []


def test_migrations_on_disk_are_read_but_for_those_that_are_allowed():
    before = {"hooks": "0001_initial", "telephony": "0001_initial"}
    told = complaints(before, {})
    (first, *_others) = [line.partition(":")[0] for line in told]

    assert any("does not write it" in line for line in told)
    assert not [
        line for line in complaints(before, {first: "because"}) if first in line
    ]


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("Line", "null"),
        migrations.DeleteModel("Line"),
        migrations.RenameField("Line", "null", "nil"),
        migrations.RenameModel("Line", "Trunk"),
        migrations.AlterModelTable("Line", "trunks"),
        migrations.AddField("Line", "more", EMPTY),
        migrations.AlterField("Line", "null", EMPTY),
        migrations.AlterField("Line", "null", FILLED),
        migrations.AlterField("Line", "filled", EMPTY),
        migrations.AlterField("Line", "empty", models.IntegerField(null=True)),
        migrations.RunSQL("UPDATE phones_line SET empty = 'x'"),
        migrations.RunPython(lambda apps, schema_editor: None),
        migrations.RunSQL("ALTER TABLE phones_line DROP COLUMN empty", ""),
        migrations.SeparateDatabaseAndState([migrations.RemoveField("Line", "null")]),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_takes_away_or_stops_others_writing_is_refused(operation):
    (told,) = judged(migrations.AddField("Line", "fine", FILLED), operation)

    assert told.startswith("phones.0002_next: ")


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("Line", "more", FILLED),
        migrations.AddField("Line", "more", NULL),
        migrations.AddField("Line", "more", models.ManyToManyField("phones.Line")),
        migrations.AlterField("Line", "empty", NULL),
        migrations.AlterField("Line", "empty", FILLED),
        migrations.RunPython(
            migrations.RunPython.noop, reverse_code=migrations.RunPython.noop
        ),
        # The first of two steps, as docs/deploy.md has them.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.AlterField("Line", "empty", NULL)],
            state_operations=[migrations.RemoveField("Line", "empty")],
        ),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_the_release_before_does_not_notice_is_not(operation):
    assert judged(operation) == []


def test_what_is_made_in_this_release_may_be_changed_in_it():
    made = migrations.CreateModel("Cable", [("id", models.IntegerField())])
    changes = [
        migrations.AddField("Cable", "more", EMPTY),
        migrations.RemoveField("Cable", "more"),
    ]

    assert judged(made, *changes) == []
