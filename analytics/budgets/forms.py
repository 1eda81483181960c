from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from telephony.models import Budget


class BudgetForm(OwnedForm):
    class Meta:
        model = Budget
        fields = ["amount", "currency", "warn_percent", "stops_outgoing"]
        widgets = {
            "amount": forms.NumberInput(attrs={"min": "0.01", "step": "0.01"}),
            "currency": forms.TextInput(attrs={"size": 4, "autocomplete": "off"}),
            "warn_percent": forms.NumberInput(attrs={"min": 1, "max": 99}),
        }
        labels = {"warn_percent": _("Warn when so many percent are spent")}
        help_texts = {
            "amount": _("For calls and texts together, from the first of a month on."),
            "currency": _(
                "That of your carrier's prices, such as USD. What is paid in another "
                "one is not counted."
            ),
            "warn_percent": _("Owner and admins get an e-mail, once a month."),
            "stops_outgoing": _(
                "No calls go out, and no texts to people who have not written within "
                "seven days. Calls that come in are answered, and so are texts."
            ),
        }

    def clean_currency(self):
        return self.cleaned_data["currency"].upper()
