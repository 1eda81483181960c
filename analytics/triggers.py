"""Triggers that note what has changed about calls and texts, whoever changed it.

Calls are written in many places of telephony, by conditional updates that know the row
only by its id. A trigger misses none of them and belongs to the same transaction. It
writes one small row; counting is `analytics.rollup`'s, later
(docs/decisions/0029-counting-by-triggers.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

CALL_COLUMNS = (
    *("owner_id", "agent_id", "phone_id", "is_test", "direction", "status"),
    *("started_at", "answered_at", "ended_at", "duration_s", "end_reason"),
    *("prompt_version", "cost", "currency"),
)
TEXT_COLUMNS = (
    *("owner_id", "agent_id", "direction", "status", "created_at"),
    *("segments", "cost", "currency"),
)

NOTE = "INSERT INTO analytics_change (series, owner_id, at, is_whole_day)"


@dataclass(frozen=True)
class Trigger:
    """After `event` on a row of `table` that meets `when`, do `statement`."""

    table: str
    event: str
    when: str
    statement: str

    @property
    def name(self) -> str:
        return f"analytics_{self.table}_{self.event.lower()}"


def _changed(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns)


def _note(series: str, row: str, at: str) -> str:
    return f"{NOTE} VALUES ('{series}', {row}.owner_id, {row}.{at}, FALSE)"


def _note_both(series: str, at: str) -> str:
    """Where it was counted, and where it is to be counted now."""
    before, now = _note(series, "OLD", at), _note(series, "NEW", at)
    return f"{before}; {now}"


def _of_call(row: str) -> str:
    """Of a part of a call: nothing before the call has ended, then the call counts."""
    return (
        f"{NOTE} SELECT 'calls', owner_id, started_at, FALSE FROM telephony_call"
        f" WHERE id = {row}.call_id AND ended_at IS NOT NULL"
    )


def _with_asked(row: str) -> str:
    """Of a text, and of the one it answers: who has the model's cost has changed."""
    return (
        f"{_note('texts', row, 'created_at')}; {NOTE}"
        " SELECT 'texts', owner_id, created_at, FALSE FROM telephony_message"
        f" WHERE id = {row}.answers_id"
    )


def _of_texts(row: str) -> str:
    """Of what a model took for a text: it counts there, or with what answers it."""
    return (
        f"{NOTE} SELECT 'texts', owner_id, created_at, FALSE FROM telephony_message"
        f" WHERE id = {row}.asked_id OR answers_id = {row}.asked_id"
    )


def _triggers() -> Iterator[Trigger]:
    calls = "telephony_call"
    yield Trigger(
        calls, "INSERT", "NEW.ended_at IS NOT NULL", _note("calls", "NEW", "started_at")
    )
    yield Trigger(
        calls,
        "UPDATE",
        "(OLD.ended_at IS NOT NULL OR NEW.ended_at IS NOT NULL)"
        f" AND ({_changed(CALL_COLUMNS)})",
        _note_both("calls", "started_at"),
    )
    yield Trigger(
        calls, "DELETE", "OLD.ended_at IS NOT NULL", _note("calls", "OLD", "started_at")
    )
    parts = {
        "telephony_turn": ("reply_ms",),
        "telephony_callcost": ("part", "amount", "currency"),
        "telephony_aftercall": ("outcome",),
    }
    for table, columns in parts.items():
        tells = f"{{row}}.{columns[0]} IS NOT NULL"
        yield Trigger(table, "INSERT", tells.format(row="NEW"), _of_call("NEW"))
        yield Trigger(table, "UPDATE", _changed(columns), _of_call("NEW"))
        yield Trigger(table, "DELETE", tells.format(row="OLD"), _of_call("OLD"))
    texts = "telephony_message"
    yield Trigger(texts, "INSERT", "TRUE", _with_asked("NEW"))
    yield Trigger(
        texts, "UPDATE", _changed(TEXT_COLUMNS), _note_both("texts", "created_at")
    )
    yield Trigger(texts, "DELETE", "TRUE", _with_asked("OLD"))
    model = "telephony_textcost"
    known = "{row}.amount IS NOT NULL"
    yield Trigger(model, "INSERT", known.format(row="NEW"), _of_texts("NEW"))
    yield Trigger(model, "UPDATE", _changed(("amount", "currency")), _of_texts("NEW"))
    yield Trigger(model, "DELETE", known.format(row="OLD"), _of_texts("OLD"))


TRIGGERS = tuple(_triggers())


def install(connection) -> list[str]:
    """Make those that are missing, and renew the others; the names of the missing.

    Repeating is safe, also while calls change: no change is missed meanwhile.
    """
    watched = {"analytics_change", *(trigger.table for trigger in TRIGGERS)}
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        if not watched <= set(connection.introspection.table_names(cursor)):
            remove(connection)  # migrated to an earlier state
            return []
        made = missing(connection)
        for trigger in TRIGGERS:
            for statement in STATEMENTS[connection.vendor](trigger):
                cursor.execute(statement)
        return made


def make_way(connection) -> None:
    """Before tables are changed: SQLite makes them anew for that, and stumbles over
    triggers that name them.

    PostgreSQL's stay: a function's body keeps nobody from changing a table.
    """
    if connection.vendor == "sqlite":
        remove(connection)


def remove(connection) -> None:
    drop = {
        "sqlite": "DROP TRIGGER IF EXISTS {}",
        "postgresql": "DROP FUNCTION IF EXISTS {}() CASCADE",
    }[connection.vendor]
    with connection.cursor() as cursor:
        for trigger in TRIGGERS:
            cursor.execute(drop.format(trigger.name))


def missing(connection) -> list[str]:
    """The names of those that are not there."""
    table, column = {
        "sqlite": ("sqlite_master WHERE type = 'trigger'", "name"),
        "postgresql": ("pg_trigger", "tgname"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table}")
        found = {name for (name,) in cursor.fetchall()}
    return [trigger.name for trigger in TRIGGERS if trigger.name not in found]


def _for_sqlite(trigger: Trigger) -> list[str]:
    return [
        f"DROP TRIGGER IF EXISTS {trigger.name}",
        f"CREATE TRIGGER {trigger.name} AFTER {trigger.event} ON {trigger.table}"
        # Older ones know IS DISTINCT FROM by this name alone.
        f" WHEN {trigger.when.replace('IS DISTINCT FROM', 'IS NOT')}"
        f" BEGIN {trigger.statement}; END",
    ]


def _for_postgresql(trigger: Trigger) -> list[str]:
    return [
        f"CREATE OR REPLACE FUNCTION {trigger.name}() RETURNS trigger"
        f" LANGUAGE plpgsql AS $$ BEGIN IF {trigger.when} THEN {trigger.statement};"
        " END IF; RETURN NULL; END $$",
        f"CREATE OR REPLACE TRIGGER {trigger.name} AFTER {trigger.event}"
        f" ON {trigger.table} FOR EACH ROW EXECUTE FUNCTION {trigger.name}()",
    ]


STATEMENTS = {"sqlite": _for_sqlite, "postgresql": _for_postgresql}
