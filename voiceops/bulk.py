"""Rows by the hundred thousand, fast: for invented histories and benchmarks.

One row of the model's own making is the pattern: its columns are copied and a few of
them changed, without a model instance a row.
"""

from collections.abc import Iterable, Mapping
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
    fields = model._meta.concrete_fields
    same = {
        field.column: field.get_db_prep_save(field.pre_save(pattern, True), connection)
        for field in fields
    }
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
