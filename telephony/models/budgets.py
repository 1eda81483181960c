"""What a workspace wants to spend in a month at most, and whom it told of it."""

from datetime import date
from decimal import Decimal

from django.core.validators import (
    MaxValueValidator,
    MinValueValidator,
    RegexValidator,
)
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel

A_CURRENCY = RegexValidator("^[A-Z]{3}$", _("Three letters, as in ISO 4217: USD."))


class Budget(OwnedModel):
    """A workspace's budget for each calendar month, on its own clock; without a row
    there is none.

    `spent` is what was counted last for the month that begins on `month`: dialling
    reads it here, in one look-up.
    """

    audited_as = "budget", _("budget")

    amount = models.DecimalField(
        _("amount a month"),
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01"))],
    )
    currency = models.CharField(
        _("currency"), max_length=3, default="USD", validators=[A_CURRENCY]
    )
    warn_percent = models.PositiveSmallIntegerField(
        _("warn at"),
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(99)],
    )
    stops_outgoing = models.BooleanField(
        _("stop outgoing when it is used up"), default=False
    )
    month = models.DateField(null=True, editable=False)
    spent = models.DecimalField(
        max_digits=20, decimal_places=6, default=Decimal(0), editable=False
    )

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["owner"], name="one_budget_a_workspace")
        ]

    def __str__(self):
        return f"{self.amount} {self.currency}"

    @property
    def warns_at(self) -> Decimal:
        return self.amount * self.warn_percent / 100

    def spent_in(self, month: date) -> Decimal:
        """As far as it is counted; a month that has just begun has cost nothing."""
        return self.spent if self.month == month else Decimal(0)


class BudgetNotice(OwnedModel):
    """A month's spend has come to a threshold: told once, by mail and webhooks.

    A budget that is changed has other thresholds.
    """

    class Event(models.TextChoices):
        WARNING = "warning", _("Much of the budget is spent")
        REACHED = "reached", _("The budget is used up")

    event = models.CharField(max_length=10, choices=Event)
    month = models.DateField()
    threshold = models.DecimalField(max_digits=14, decimal_places=4)
    amount = models.DecimalField(max_digits=12, decimal_places=2)  # of the budget
    currency = models.CharField(max_length=3)
    spent = models.DecimalField(max_digits=20, decimal_places=6)  # as it was then
    stops_outgoing = models.BooleanField()
    notice_due = models.BooleanField(default=True)  # an e-mail

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "month", "event", "currency", "threshold"],
                name="one_notice_a_month_and_threshold",
            )
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(notice_due=True),
                name="budget_notices_due",
            )
        ]

    def __str__(self):
        return f"{self.event} at {self.threshold} {self.currency}"
