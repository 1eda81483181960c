"""Whether the release before can go on working beside what newer migrations make.

    python -m scripts.migration_rule    record today's, when a release is made

`migrations.toml` names the last migrations of the release before. Newer ones take
nothing away and let that release go on writing: docs/deploy.md. This reads what they
do, not constraints and data: those are for whoever reviews them.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import django
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AddField,
    AlterField,
    AlterModelTable,
    DeleteModel,
    RemoveField,
    RenameField,
    RenameModel,
    RunPython,
    RunSQL,
    SeparateDatabaseAndState,
)
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.fields import FieldOperation
from django.db.migrations.operations.models import ModelOperation
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Field

RECORD = Path(__file__).with_name("migrations.toml")
HEAD = """\
# The migrations that the release before ends with. Written by
# `python -m scripts.migration_rule` when a release is made.
[before]
"""
TAIL = """
# Migrations since that take something away which that release no longer uses, or do
# what the rule cannot see to be harmless; and why they may: "app.name" = "because".
[allowed]
"""
SQL_TAKES_AWAY = re.compile(r"\b(DROP\s+(COLUMN|TABLE)|RENAME)\b", re.IGNORECASE)


def read_record() -> tuple[dict[str, str], dict[str, str]]:
    """The last migration of each app in the release before, and what is allowed."""
    record = tomllib.loads(RECORD.read_text())
    return record["before"], record["allowed"]


def complaints(before: Mapping[str, str], allowed: Mapping[str, str]) -> list[str]:
    """What breaks the rule in the migrations that are newer."""
    graph = MigrationLoader(None).graph
    known = [key for leaf in before.items() for key in graph.forwards_plan(leaf)]
    everything = [
        key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf)
    ]
    state = ProjectState()
    for key in dict.fromkeys(known):
        graph.nodes[key].mutate_state(state, preserve=False)
    newer = [graph.nodes[key] for key in dict.fromkeys(everything) if key not in known]
    return [
        told for told in judge(newer, state) if told.partition(":")[0] not in allowed
    ]


def judge(migrations: Iterable[Migration], state: ProjectState) -> Iterator[str]:
    """What breaks the rule, in words; `state` is what the release before knows."""
    known = frozenset(state.models)  # nobody writes yet what is made here
    for migration in migrations:
        for operation, why in _faults(migration.operations, migration, state, known):
            name = f"{migration.app_label}.{migration.name}"
            yield f"{name}: {operation.describe()}: {why}"


def _faults(
    operations: Iterable[Operation],
    migration: Migration,
    state: ProjectState,
    known: frozenset[tuple[str, str]],
) -> Iterator[tuple[Operation, str]]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            in_database = operation.database_operations
            yield from _faults(in_database, migration, state.clone(), known)
        elif why := _fault(operation, migration.app_label, state, known):
            yield operation, why
        operation.state_forwards(migration.app_label, state)


def _fault(
    operation: Operation,
    app_label: str,
    state: ProjectState,
    known: frozenset[tuple[str, str]],
) -> str:
    """Why the release before could not go on; empty if it can."""
    match operation:
        case RunPython() | RunSQL() if not operation.reversible:
            return "it cannot be taken back"
        case RunSQL() if SQL_TAKES_AWAY.search(str(operation.sql)):
            return "it takes away or renames"
        case ModelOperation(name_lower=name) | FieldOperation(model_name_lower=name):
            if (app_label, name) in known:
                return _fault_of_model(operation, state.models[app_label, name])
    return ""


def _fault_of_model(operation: Operation, model: ModelState) -> str:
    match operation:
        case RemoveField() | DeleteModel():
            return "the release before uses it"
        case RenameField() | RenameModel() | AlterModelTable():
            return "the release before uses its name"
        case AddField(field=field) if _has_to_be_written(field):
            return "the release before does not write it: db_default, or null"
        case AlterField(field=field):
            return _fault_of_change(model.fields[operation.name], field)
    return ""


def _has_to_be_written(field: Field) -> bool:
    has_column = not (field.many_to_many or field.generated)
    return has_column and not field.null and not field.has_db_default()


def _fault_of_change(before: Field, after: Field) -> str:
    if before.null and not after.null:
        return "the release before writes null"
    if before.has_db_default() and _has_to_be_written(after):
        return "the release before leaves it to the default"
    if type(before) is not type(after) or before.db_column != after.db_column:
        return "the release before knows it as another kind of column"
    return ""


def record() -> None:
    """Write down where every app is: the release that is made now ends there."""
    leaves = sorted(MigrationLoader(None).graph.leaf_nodes())
    lines = [f'{app} = "{name}"\n' for app, name in leaves]
    RECORD.write_text(HEAD + "".join(lines) + TAIL)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceops.settings")
    django.setup()
    record()
