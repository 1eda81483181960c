from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from telephony.dialling.numbers import number_for_reading
from telephony.models import CarrierAccount, Phone
from telephony.services import carrier

AUTH_TOKEN = RegexValidator(
    r"^[!-~]{16,200}$", _("An auth token is 32 letters and digits, without spaces.")
)
MESSAGES_ONLY = _("messages only")


def token_field(**options):
    """A secret that goes in and never comes back."""
    return forms.CharField(
        max_length=200,
        validators=[AUTH_TOKEN],
        widget=forms.PasswordInput(
            attrs={"autocomplete": "off", "spellcheck": "false"}
        ),
        **options,
    )


class AccountForm(OwnedForm):
    """What can be changed about a carrier account; an empty token stays as it is."""

    auth_token = token_field(
        label=_("New auth token"),
        required=False,
        help_text=_(
            "To replace the one that is stored: make a secondary token at Twilio, put"
            " it in here, then promote it at Twilio within 24 hours; until then both"
            " are accepted, and no call is lost. Empty keeps the one that is stored."
        ),
    )

    class Meta:
        model = CarrierAccount
        fields = ["label", "calls_per_second", "max_concurrent_calls"]
        help_texts = {
            "label": _("What you call it here, for example “Main account”."),
            "calls_per_second": _(
                "Twilio starts one call a second, unless it gave you more."
            ),
            "max_concurrent_calls": _("Further calls wait until one has ended."),
        }


class ConnectAccountForm(AccountForm):
    auth_token = token_field(
        label=_("Auth token"),
        help_text=_(
            "The account's own token, not an API key: calls are signed with it. It is"
            " stored encrypted and never shown again."
        ),
    )
    field_order = ["label", "account_sid", "auth_token"]

    class Meta(AccountForm.Meta):
        fields = [*AccountForm.Meta.fields, "account_sid"]
        help_texts = AccountForm.Meta.help_texts | {
            "account_sid": _(
                "In the Twilio Console, on the first page under “Account Info”: it"
                " starts with AC. The auth token is right below it."
            ),
        }
        widgets = {
            "account_sid": forms.TextInput(
                attrs={"autocomplete": "off", "spellcheck": "false"}
            )
        }


class ChooseAccountForm(OwnedForm):
    """Whose free numbers to show."""

    class Meta:
        model = Phone
        fields = ["carrier_account"]


class RegisterPhoneForm(OwnedForm):
    """A number out of those that the carrier account has free."""

    class Meta:
        model = Phone
        fields = ["carrier_account", "number", "label"]
        widgets = {"carrier_account": forms.HiddenInput}
        help_texts = {"label": _("What it is for, for example “Front desk”.")}

    def offer(self, numbers):
        """Let people choose among `numbers` of the carrier."""
        self.fields["number"].widget = forms.Select(
            choices=[(number.number, _described(number)) for number in numbers]
        )

    def clean_number(self):
        try:
            return carrier.e164(self.cleaned_data["number"])
        except carrier.InvalidNumber as error:
            raise forms.ValidationError(str(error)) from error


class PhoneForm(OwnedForm):
    class Meta:
        model = Phone
        fields = ["label"]


def _described(number) -> str:
    notes = [] if number.label in ("", number.number) else [number.label]
    if not number.takes_calls:
        notes.append(str(MESSAGES_ONLY))
    shown = number_for_reading(number.number)
    return f"{shown} ({', '.join(notes)})" if notes else shown
