from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import validate_time_zone
from accounts.tenancy import SoftDeleteModel
from agents.limits import check_variables
from telephony.dialling.numbers import number_for_reading

MAX_NOTES_CHARACTERS = 5_000


def check_facts(variables: dict[str, str]) -> None:
    """Raise ValidationError unless these are values of placeholders, each a line."""
    check_variables(variables)
    if any(len(value.splitlines()) > 1 for value in variables.values()):
        raise ValidationError(_("A value is one line: longer texts are notes."))


class Contact(SoftDeleteModel):
    """What the workspace knows of somebody, whom it calls and texts by one number.

    Whether the number must not be contacted at all says `DoNotContact`. A campaign's
    contacts are scheduled calls: they have nothing to do with these rows but numbers.
    """

    class Consent(models.TextChoices):
        UNKNOWN = "unknown", _("Unknown")
        GIVEN = "given", _("Given")
        REFUSED = "refused", _("Refused")

    audited_as = "contact", _("contact")
    addressed_by = "number"  # in the address of its page

    number = models.CharField(_("number"), max_length=20)
    name = models.CharField(_("name"), max_length=100, blank=True)
    email = models.EmailField(_("e-mail address"), blank=True)
    notes = models.TextField(_("notes"), max_length=MAX_NOTES_CHARACTERS, blank=True)
    variables = models.JSONField(
        _("variables"), default=dict, blank=True, validators=[check_facts]
    )
    timezone = models.CharField(  # where it differs from the number's
        _("time zone"), max_length=64, blank=True, validators=[validate_time_zone]
    )
    call_consent = models.CharField(
        _("calls"), max_length=10, choices=Consent, default=Consent.UNKNOWN
    )
    call_consent_at = models.DateTimeField(_("since"), null=True, blank=True)
    call_consent_note = models.CharField(_("how you know"), max_length=200, blank=True)
    text_consent = models.CharField(
        _("texts"), max_length=10, choices=Consent, default=Consent.UNKNOWN
    )
    text_consent_at = models.DateTimeField(_("since"), null=True, blank=True)
    text_consent_note = models.CharField(_("how you know"), max_length=200, blank=True)

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "number"],
                condition=Q(deleted_at=None),
                name="one_contact_a_number",
                violation_error_message=_("There is a contact with this number."),
            )
        ]
        indexes = [models.Index(fields=["owner", "-id"])]

    def __str__(self):
        return self.name or number_for_reading(self.number)

    def get_absolute_url(self):
        return reverse("telephony:person_detail", args=[self.number])

    @property
    def refuses_calls(self) -> bool:
        return self.call_consent == self.Consent.REFUSED

    @property
    def refuses_texts(self) -> bool:
        return self.text_consent == self.Consent.REFUSED
