"""What calls, calls that recur and campaigns agree on with whoever wishes them."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.limits import check_days, check_variables

HOUR_S = 3600


class Retries(models.Model):
    """How often to try."""

    max_attempts = models.PositiveSmallIntegerField(
        _("most attempts"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(10)],
    )
    retry_delay_s = models.PositiveIntegerField(
        _("seconds between attempts"),
        null=True,
        blank=True,
        validators=[MinValueValidator(60), MaxValueValidator(3 * 24 * HOUR_S)],
    )
    retry_on_voicemail = models.BooleanField(
        _("try again after a voicemail"), default=False
    )

    class Meta:
        abstract = True


class Hours(models.Model):
    """When it may be dialled, where that differs from the agent's rules."""

    window_start = models.TimeField(_("from"), null=True, blank=True)
    window_end = models.TimeField(_("until"), null=True, blank=True)
    window_days = models.JSONField(
        _("on"), default=list, blank=True, validators=[check_days]
    )

    class Meta:
        abstract = True


class CallTerms(Retries):
    """Whom to call and how often to try: of one call, or of one that recurs."""

    to_number = models.CharField(_("number"), max_length=20)
    variables = models.JSONField(default=dict, blank=True, validators=[check_variables])
    # An attempt that is later than that would ring at a time that nobody meant.
    max_late_s = models.PositiveIntegerField(
        _("seconds that an attempt may be late"),
        default=4 * HOUR_S,
        validators=[MinValueValidator(60), MaxValueValidator(24 * HOUR_S)],
    )

    class Meta:
        abstract = True


def terms_of(row: models.Model, *kinds: type[models.Model]) -> dict:
    """What the row says in the fields of these kinds of terms, by name."""
    names = [field.name for kind in kinds for field in kind._meta.fields]
    return {name: getattr(row, name) for name in names}
