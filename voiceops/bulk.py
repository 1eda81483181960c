"""Rows by the hundred thousand, fast: for histories, benchmarks and what was counted.

One row of the model's own making is the pattern: its columns are copied and a few of
them changed, without a model instance a row.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, models, transaction


def insert(
    model: type[models.Model],
    pattern: models.Model,
    rows: Iterable[Mapping[str, Any]],
    *,
    is_trusted: bool = False,
) -> None:
    """Insert a row for each mapping of columns to values; texts will do for ids and
    moments, both databases read them.

    `is_trusted` leaves out the database's own checks and triggers where it lets us.
    """
    same = _columns(pattern)
    table, columns = model._meta.db_table, ", ".join(same)
    values = (tuple((same | row).values()) for row in rows)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL statement_timeout = 0")
            if is_trusted:
                cursor.execute("SET LOCAL session_replication_role = replica")
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(same))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
            cursor.executemany(statement, values)


def create(rows: Sequence[models.Model]) -> None:
    """Insert unsaved rows of one model: `bulk_create`, which on PostgreSQL spends ten
    times as long on quoting texts of some length.
    """
    if rows:
        insert(type(rows[0]), rows[0], map(_columns, rows))


def _columns(row: models.Model) -> dict[str, Any]:
    return {
        field.column: field.get_db_prep_save(field.pre_save(row, True), connection)
        for field in row._meta.concrete_fields
    }
