"""What the database works out while it counts, in both dialects."""

from django.db import models

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


class JsonText(models.Func):
    """A JSON column as it is stored: most rows have what others have, and few different
    ones are read.
    """

    template = "%(expressions)s::text"
    output_field = models.TextField()

    def as_sqlite(self, compiler, connection, **context):
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)


class Millionths(models.Func):
    """An amount of money, whole."""

    template = "(%(expressions)s * 1000000)::bigint"
    output_field = models.BigIntegerField()

    def as_sqlite(self, compiler, connection, **context):
        template = "CAST(ROUND(%(expressions)s * 1000000) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **context)


class Joined(models.Aggregate):
    """The values of a group, with commas between them: few rows, however many values.

    What is empty or null is nothing to those who count them.
    """

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s::text, ',')"
    output_field = models.TextField()

    def as_sqlite(self, compiler, connection, **context):
        template = "GROUP_CONCAT(%(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)
