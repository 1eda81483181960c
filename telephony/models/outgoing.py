from datetime import time

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from accounts.tenancy import OwnedModel, SoftDeleteModel
from agents.limits import DAYS, check_days

MOST_CALLS_A_DAY = 100_000


def all_days() -> list[str]:
    return list(DAYS)


def check_countries(countries: list[str]) -> None:
    """Raise ValidationError unless these are ISO 3166 codes of countries with numbers.

    001 stands for numbers of no country.
    """
    known = {*SUPPORTED_REGIONS, "001"}
    unknown = [code for code in countries if code not in known]
    if unknown:
        raise ValidationError(
            _("Unknown countries: %(codes)s"), params={"codes": ", ".join(unknown)}
        )


class CallingRules(OwnedModel):
    """Whom the workspace's agents may call, and when; without a row the defaults."""

    audited_as = "calling_rules", _("calling rules")

    # The hours of US law (47 CFR 64.1200), in the callee's own time.
    window_start = models.TimeField(_("calls from"), default=time(8))
    window_end = models.TimeField(_("calls until"), default=time(21))
    window_days = models.JSONField(
        _("calls on"), default=all_days, validators=[check_days]
    )
    # Empty: the countries of the workspace's own numbers.
    countries = models.JSONField(
        _("countries"), default=list, blank=True, validators=[check_countries]
    )
    calls_a_day = models.PositiveIntegerField(
        _("most calls a day"),
        default=500,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_CALLS_A_DAY)],
    )
    calls_a_month = models.PositiveIntegerField(
        _("most calls a month"),
        default=5_000,
        validators=[MinValueValidator(0), MaxValueValidator(31 * MOST_CALLS_A_DAY)],
    )

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], name="one_set_of_calling_rules_a_workspace"
            )
        ]
        verbose_name_plural = "calling rules"

    def __str__(self):
        return self.owner.name


class DialledDay(OwnedModel):
    """How many calls the workspace has asked the carrier for on a day of its zone."""

    day = models.DateField()
    calls = models.PositiveIntegerField(default=0)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "day"], name="one_count_of_calls_a_day"
            )
        ]

    def __str__(self):
        return f"{self.owner_id} on {self.day}: {self.calls}"


class DoNotContact(SoftDeleteModel):
    """A number that nobody of the workspace calls or texts any more."""

    audited_as = "do_not_contact", _("do-not-contact number")

    class Source(models.TextChoices):
        PERSON = "person", _("Entered by a person")
        CSV = "csv", _("From a list")
        CALLER = "caller", _("Asked for in a call")
        STOP = "stop", _("Texted STOP")

    # A forgotten one is known by its keyed hash alone (`telephony.services.hashes`).
    number = models.CharField(_("number"), max_length=20)
    digest = models.CharField(max_length=64, blank=True, editable=False)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    source = models.CharField(max_length=10, choices=Source, default=Source.PERSON)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    removal_reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "number"],
                condition=Q(deleted_at=None),
                name="one_do_not_contact_a_number",
                violation_error_message=_("This number is on the list already."),
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(
                fields=["owner", "digest"],
                condition=~Q(digest=""),
                name="do_not_contact_by_digest",
            ),
        ]
        verbose_name_plural = "do not contact"

    def __str__(self):
        return self.number
