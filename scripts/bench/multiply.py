"""A week of one workspace's calls and texts, again and again in others.

The database copies its own rows, a week at a time in the order in which they would have
come in. What belongs to a call goes with it; what it names is what the other workspace
has in its place.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, models, transaction

from accounts.models import Workspace
from telephony.models import AfterCall, Call, CallCost, Message, Turn

WEEK_S = 7 * 86_400
LANE_S = 97  # between copies of a call in one week
PARTS = {Call: (CallCost, AfterCall, Turn), Message: ()}
TIME_OF = {Call: "started_at", Message: "created_at"}
STOOD_IN = ("agent_id", "phone_id", "carrier_account_id", "conversation_id")


@dataclass(frozen=True)
class Home:
    """A workspace that gets every so manieth row, and what of it stands in for what
    of the first one.
    """

    owner: Workspace
    every: int
    stand_ins: dict[UUID, UUID]


def fill(seed: Workspace, homes: list[Home], *, weeks: int, lanes: int) -> None:
    """Copy the seed's rows into all homes, `lanes` times into each of the weeks."""
    with connection.cursor() as cursor, _left_alone(cursor):
        _note_homes(cursor, homes, lanes)
        for model, parts in PARTS.items():
            for each in (model, *parts):
                _note_seed(cursor, each, seed)
        for week in reversed(range(weeks)):
            with transaction.atomic():
                for model, parts in PARTS.items():
                    _copy(cursor, model, parts, week)


@contextmanager
def _left_alone(cursor) -> Iterator[None]:
    """Keys are right, and need not be looked up."""
    before, after = UNCHECKED[connection.vendor]
    try:
        for statement in before:
            cursor.execute(statement)
        yield
    finally:
        for statement in after:
            cursor.execute(statement)


def _note_homes(cursor, homes: list[Home], lanes: int) -> None:
    key = Call._meta.pk.db_type(connection)
    tables = {
        f"bench_home (home int, every_one int, owner_id {key})": [
            (number, home.every, home.owner.pk.hex) for number, home in enumerate(homes)
        ],
        "bench_lane (lane int)": [(lane,) for lane in range(lanes)],
        f"bench_stand_in (home int, seed_id {key}, id {key},"
        " PRIMARY KEY (home, seed_id))": [
            (number, theirs.hex, ours.hex)
            for number, home in enumerate(homes)
            for theirs, ours in home.stand_ins.items()
        ],
    }
    for table, rows in tables.items():
        cursor.execute(f"CREATE TEMPORARY TABLE {table}")
        marks = ", ".join(["%s"] * len(rows[0]))
        cursor.executemany(f"INSERT INTO {table.split()[0]} VALUES ({marks})", rows)


def _note_seed(cursor, model: type[models.Model], seed: Workspace) -> None:
    table = model._meta.db_table
    cursor.execute(
        f"CREATE TEMPORARY TABLE seed_{table} AS SELECT *, row_number() OVER"
        f" (ORDER BY id) AS place FROM {table} WHERE owner_id = '{seed.pk.hex}'"
    )


def _copy(cursor, model, parts: Iterable[type[models.Model]], week: int) -> None:
    """`bench_copy`: which row, for whom, how much earlier, the beginning of its id."""
    sql = DIALECT[connection.vendor]
    back_s = f"({week} * {WEEK_S} + lane * {LANE_S})"
    shift = sql["shift"].format(back_s)
    at = sql["earlier"].format(f"seed.{TIME_OF[model]}", shift)
    cursor.execute(
        f"CREATE TEMPORARY TABLE bench_copy AS SELECT seed.id AS seed_id, one.home,"
        f" one.owner_id, {shift} AS shift,"
        f" {sql['ms'].format(at)} || '70018' || one.home || {sql['lane']} AS head"
        f" FROM seed_{model._meta.db_table} AS seed JOIN bench_home AS one"
        " ON seed.place % one.every_one = 0 CROSS JOIN bench_lane"
    )
    cursor.execute("ANALYZE bench_copy")
    _insert(cursor, model, "id")
    for part in parts:
        _insert(cursor, part, "call_id")
    cursor.execute("DROP TABLE bench_copy")


def _insert(cursor, model: type[models.Model], key: str) -> None:
    """The copies of rows whose `key` is among those to be copied."""
    table = model._meta.db_table
    columns = {
        field.column: _value(field, key) for field in model._meta.concrete_fields
    }
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(columns)})"
        f" SELECT {', '.join(columns.values())} FROM bench_copy AS one"
        f" JOIN seed_{table} AS seed ON seed.{key} = one.seed_id ORDER BY one.head"
    )


def _value(field: models.Field, key: str) -> str:
    sql, column = DIALECT[connection.vendor], f"seed.{field.column}"
    if field.column in ("id", key):
        return sql["id"].format(f"one.head || {sql['end'].format(column)}")
    if field.column in ("sid", "relay_token"):
        return f"one.head || {sql['end'].format('seed.id')}"
    if field.column == "owner_id":
        return "one.owner_id"
    if field.column in STOOD_IN:
        return (
            "(SELECT id FROM bench_stand_in AS other WHERE other.home = one.home"
            f" AND other.seed_id = {column})"
        )
    if isinstance(field, models.DateTimeField):
        return sql["earlier"].format(column, "one.shift")
    return column


# -- What differs between the databases ------------------------------------------------

UNCHECKED = {
    "sqlite": (
        ["PRAGMA foreign_keys = OFF", "PRAGMA cache_size = -400000"],
        ["PRAGMA foreign_keys = ON", "PRAGMA cache_size = -2000"],
    ),
    "postgresql": (
        ["SET session_replication_role = replica", "SET statement_timeout = 0"],
        ["RESET session_replication_role", "RESET statement_timeout"],
    ),
}
# A row's id: twelve digits of its millisecond, eight that no invented row has and that
# tell the copy, twelve of the first row's.
DIALECT = {
    "sqlite": {
        "shift": "printf('-%d seconds', {})",
        "earlier": "strftime('%Y-%m-%d %H:%M:%S', {0}, {1}) || substr({0}, 20)",
        "ms": "printf('%012x', CAST(strftime('%s', {}) AS INTEGER) * 1000)",
        "lane": "printf('%02x', lane)",
        "end": "substr({}, 21)",
        "id": "{}",
    },
    "postgresql": {
        "shift": "make_interval(secs => {})",
        "earlier": "{0} - {1}",
        "ms": "lpad(to_hex((extract(epoch FROM {}) * 1000)::bigint), 12, '0')",
        "lane": "lpad(to_hex(lane), 2, '0')",
        "end": "right({}::text, 12)",
        "id": "({})::uuid",
    },
}
