"""What was counted, and what is to be counted again."""

from typing import NamedTuple
from uuid import UUID

from django.db import models
from django.db.models import Q

from accounts.tenancy import OwnedModel


class Series(models.TextChoices):
    CALLS = "calls"
    TEXTS = "texts"


class Pair(NamedTuple):
    """Who took part at our end; None where nobody did, or no number of ours."""

    agent: UUID | None
    phone: UUID | None


TOTAL = None  # in the place of a pair: the whole workspace


class Bucket(OwnedModel):
    """What happened in a day or a month of UTC, in all or with one pair.

    `sums` and `facts` are tallies (`analytics.tallies`) by direction: the numbers that
    are wanted of many buckets at once, and the rest. A day has its numbers by quarter
    of an hour besides, packed (`analytics.quarters`): `names` are those of the columns.
    """

    class Span(models.TextChoices):
        DAY = "day"
        MONTH = "month"

    series = models.CharField(max_length=5, choices=Series)
    span = models.CharField(max_length=5, choices=Span)
    first_day = models.DateField()
    is_total = models.BooleanField()
    # Ids as the calls have them; no keys, so that figures keep nothing from going.
    agent = models.UUIDField(null=True)
    phone = models.UUIDField(null=True)
    sums = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    names = models.JSONField(default=list)
    quarters = models.BinaryField(default=b"")
    # Likewise what was spent, by part and currency: not read for what is asked most.
    spend_names = models.JSONField(default=list)
    spend_quarters = models.BinaryField(default=b"")
    # The reply times of the facts, of all versions (`histogram.pack`): wanted of many
    # buckets at once.
    replies_incoming = models.BinaryField(default=b"")
    replies_outgoing = models.BinaryField(default=b"")

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "series", "span", "first_day"],
                condition=Q(is_total=True),
                name="one_total_a_span",
            ),
            models.UniqueConstraint(
                fields=["owner", "series", "span", "first_day", "agent", "phone"],
                condition=Q(is_total=False),
                name="one_bucket_a_pair_and_span",
            ),
        ]
        indexes = [
            models.Index(
                fields=["owner", "agent", "series", "span", "first_day"],
                condition=Q(is_total=False),
                name="buckets_of_an_agent",
            ),
            models.Index(
                fields=["owner", "phone", "series", "span", "first_day"],
                condition=Q(is_total=False),
                name="buckets_of_a_phone",
            ),
        ]

    def __str__(self):
        return f"{self.series} of the {self.span} {self.first_day}"

    @property
    def key(self) -> Pair | None:
        return TOTAL if self.is_total else Pair(self.agent, self.phone)


class Quarters(OwnedModel):
    """An hour's tallies by quarter, by their number in the day: a day's bucket is the
    sum of its hours'.

    Read where a wanted time begins or ends within the day, and to count again.
    """

    bucket = models.ForeignKey(
        Bucket, models.CASCADE, related_name="details", db_index=False
    )
    hour = models.PositiveSmallIntegerField()  # of the day of UTC
    tallies = models.JSONField(default=dict)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["bucket", "hour"], name="one_row_an_hour")
        ]

    def __str__(self):
        return f"{self.bucket_id} at {self.hour}"


class Change(models.Model):
    """Something counted at this moment is not what it was: count there again.

    Written by triggers (`analytics.triggers`), so in the transaction of the change
    itself. It has no key to the workspace: the last change is that all of it goes.
    """

    series = models.CharField(max_length=5, choices=Series)
    owner_id = models.UUIDField(db_index=True)
    at = models.DateTimeField()
    is_whole_day = models.BooleanField(db_default=False)

    def __str__(self):
        return f"{self.series} of {self.owner_id} at {self.at}"
