"""What the database works out while it counts, in both dialects."""

from django.db import models

from analytics.histogram import BOUNDS, bucket_of
from analytics.quarters import OF_A_DAY, QUARTER_S


class QuarterOf(models.Func):
    """The number of a moment's quarter of an hour in its day of UTC."""

    template = (
        f"mod(floor(date_part('epoch', %(expressions)s) / {QUARTER_S})::int,"
        f" {OF_A_DAY})"
    )
    output_field = models.IntegerField()

    def as_sqlite(self, compiler, connection, **context):
        """Moments are texts there: 2026-03-07 12:00:00."""
        hour = "CAST(substr(%(expressions)s, 12, 2) AS INTEGER)"
        minute = "CAST(substr(%(expressions)s, 15, 2) AS INTEGER)"
        template = f"({hour} * 4 + {minute} / 15)"
        return self.as_sql(compiler, connection, template=template, **context)


class IdText(models.Func):
    """An id as text: few of them come in many rows, and are made into ids once."""

    template = "%(expressions)s::text"
    output_field = models.CharField()

    def as_sqlite(self, compiler, connection, **context):
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)


class Millionths(models.Func):
    """An amount of money, whole."""

    template = "(%(expressions)s * 1000000)::bigint"
    output_field = models.BigIntegerField()

    def as_sqlite(self, compiler, connection, **context):
        template = "CAST(ROUND(%(expressions)s * 1000000) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **context)


class ReplyBucket(models.Func):
    """`histogram.bucket_of`, as a number."""

    template = (
        "width_bucket(%(expressions)s, '{"
        + ",".join(map(str, BOUNDS[:-1]))
        + "}'::int[]) - 1"
    )
    output_field = models.IntegerField()

    def as_sqlite(self, compiler, connection, **context):
        template = "reply_bucket(%(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)


def teach_sqlite(connection, **kwargs):
    """A connection is new: `ReplyBucket` needs a function that SQLite has not."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(
            "reply_bucket", 1, lambda ms: int(bucket_of(ms)), deterministic=True
        )
