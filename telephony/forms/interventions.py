from django import forms
from django.utils.translation import gettext_lazy as _

from telephony.models import Intervention

Kind = Intervention.Kind


class WordsForm(forms.Form):
    text = forms.CharField(
        label=_("Your words"),
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Type what to say.")},
    )

    @property
    def words(self):
        return self.cleaned_data["text"]


class HandOverForm(forms.Form):
    number = forms.CharField(
        label=_("Hand over to"),
        max_length=30,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
        error_messages={"required": _("Type a number.")},
    )

    @property
    def words(self):
        return self.cleaned_data["number"]


class EndForm(forms.Form):
    words = ""


FORMS = {
    Kind.SAY: WordsForm,
    Kind.WHISPER: WordsForm,
    Kind.TRANSFER: HandOverForm,
    Kind.END: EndForm,
}


class TakePartForm(WordsForm, HandOverForm):
    """What is offered: the fields of all kinds."""
