from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from agents.segments import MAX_TEXT_CHARACTERS
from telephony.forms.dialling import NumberField
from telephony.models import Phone
from telephony.models.texts import WHATSAPP
from telephony.services import inbox
from voiceops.filters import FilterForm
from voiceops.paging import Place, latest_first

PER_PAGE = 30
TABS = [
    ("needs-human", _("Needs human")),
    ("open", _("Open")),
    ("closed", _("Closed")),
]
UNREAD = [("1", _("Unread"))]


class PlaceField(forms.CharField):
    """A place in the list, as it writes itself."""

    def __init__(self):
        super().__init__(required=False, max_length=60, widget=forms.HiddenInput)

    def clean(self, value):
        text = super().clean(value)
        try:
            return Place.read(text) if text else None
        except ValueError as error:
            raise ValidationError(_("This is no place in the list.")) from error


class InboxFilterForm(FilterForm):
    """What the list of conversations can be narrowed to."""

    first_day = last_day = None

    tab = forms.ChoiceField(choices=TABS, required=False, widget=forms.HiddenInput)
    unread = forms.ChoiceField(choices=UNREAD, required=False, widget=forms.HiddenInput)
    q = forms.CharField(label=_("Search"), max_length=100, required=False)
    before = PlaceField()
    after = PlaceField()

    def clean_tab(self):
        return self.cleaned_data["tab"] or TABS[0][0]

    def page_of(self, conversations):
        """A page of the conversations of the chosen tab."""
        wanted = self.cleaned_data
        rows = inbox.TABS[wanted["tab"]](inbox.with_last_texts(conversations))
        if wanted["unread"]:
            rows = rows.unread()
        return latest_first(
            rows,
            "last_message_at",
            size=PER_PAGE,
            before=wanted["before"],
            after=wanted["after"],
        )

    def query_with(self, **changes):
        """The query string of the same list with some filters changed, from its top."""
        data = self.data.copy()
        for name in self.POSITION:
            data.pop(name, None)
        for name, value in changes.items():
            data[name] = value
        return type(self)(data).query()


class TextsForm(forms.Form):
    """Where to read in a long conversation: before or after a text."""

    texts_before = forms.UUIDField(required=False)
    texts_after = forms.UUIDField(required=False)

    @property
    def place(self):
        self.full_clean()
        return {name: self.cleaned_data.get(name) for name in self.fields}


class BodyField(forms.CharField):
    def __init__(self, **options):
        attrs = {"rows": 2, "data-key": "r"}
        super().__init__(
            max_length=MAX_TEXT_CHARACTERS,
            widget=forms.Textarea(attrs=attrs),
            **{"label": _("Text"), **options},
        )


class ReplyForm(forms.Form):
    """What a person writes in a conversation."""

    body = BodyField(label=_("Reply"))
    takes_over = forms.BooleanField(required=False, widget=forms.HiddenInput)


class RepeatForm(forms.Form):
    """Whether it may arrive twice."""

    may_arrive_twice = forms.BooleanField(required=False, widget=forms.HiddenInput)


class NewTextForm(forms.Form):
    """The first text to somebody, or the next one."""

    WAYS = [("sms", _("SMS")), ("whatsapp", _("WhatsApp"))]

    phone = forms.ModelChoiceField(
        label=_("From"), queryset=Phone.objects.all(), empty_label=None
    )
    number = NumberField(label=_("To"))
    way = forms.ChoiceField(
        label=_("By"), choices=WAYS, widget=forms.RadioSelect, initial="sms"
    )
    body = BodyField()
    leaves_to_agent = forms.BooleanField(
        label=_("Let the agent answer what they write back"),
        required=False,
        help_text=_("Otherwise the conversation is yours until you hand it back."),
    )

    def __init__(self, data, *, owner, initial=None):
        super().__init__(data, initial=initial)
        phones = self.fields["phone"]
        phones.queryset = phones.queryset.for_owner(owner).order_by("-pk")

    @property
    def address(self):
        prefix = WHATSAPP if self.cleaned_data["way"] == "whatsapp" else ""
        return prefix + self.cleaned_data["number"]
