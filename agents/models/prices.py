from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

MILLION = 1_000_000


class ModelPrice(models.Model):
    """What a model costs at an endpoint; operators keep the table, tenants have none.

    A model without a row has no price: what it costs is unknown, never nothing.
    """

    model = models.CharField(_("model"), max_length=100)
    host = models.CharField(
        _("host"), max_length=100, help_text=_("Of the endpoint, as calls show it.")
    )
    input_per_million = models.DecimalField(
        _("a million input tokens"),
        max_digits=12,
        decimal_places=4,
        validators=[MinValueValidator(0)],
    )
    output_per_million = models.DecimalField(
        _("a million output tokens"),
        max_digits=12,
        decimal_places=4,
        validators=[MinValueValidator(0)],
    )
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    as_of = models.DateField(_("as of"))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "host"], name="one_price_a_model_and_host"
            )
        ]
        ordering = ["host", "model"]

    def __str__(self):
        return self.label

    @property
    def label(self) -> str:
        """As a provider calls itself."""
        return f"{self.model} at {self.host}"

    @classmethod
    def of(cls, label: str) -> "ModelPrice | None":
        """The price of what calls itself `label`, if it is known."""
        model, _at, host = label.rpartition(" at ")
        return cls.objects.filter(model=model, host=host).first()

    def amount(self, *, input_tokens: int, output_tokens: int) -> Decimal:
        used = (
            input_tokens * self.input_per_million
            + output_tokens * self.output_per_million
        )
        return (used / MILLION).quantize(Decimal("0.000001"))
