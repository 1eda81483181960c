from datetime import datetime, time, timedelta

from django import forms
from django.core.exceptions import ValidationError
from django.utils.timezone import localtime, make_aware, now
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from accounts.models import User
from agents.segments import MAX_TEXT_CHARACTERS
from telephony.forms.calls import HistoryChoiceField
from telephony.forms.dialling import NumberField
from telephony.models import CannedReply, Label, Phone
from telephony.models.inbox import MAX_NOTE_CHARACTERS
from telephony.models.texts import WHATSAPP
from telephony.services import conversations, inbox
from voiceops.filters import MOMENTS, FilterForm, any_of
from voiceops.paging import Place, latest_first

PER_PAGE = 30
TABS = [
    ("needs-human", _("Needs human")),
    ("open", _("Open")),
    ("snoozed", _("Snoozed")),
    ("closed", _("Closed")),
]
UNREAD = [("1", _("Unread"))]
ASSIGNED = [("me", _("Mine")), ("nobody", _("Nobody's"))]
MORNING = time(9)


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
    assigned = forms.ChoiceField(
        label=_("Whose"), choices=any_of(_("Anybody's"), ASSIGNED), required=False
    )
    label = HistoryChoiceField(
        label=_("Label"),
        queryset=Label.objects.all(),
        empty_label=_("Any label"),
        required=False,
    )
    before = PlaceField()
    after = PlaceField()

    def __init__(self, data, *, owner, user):
        super().__init__(data)
        self.owner, self.user = owner, user
        labels = self.fields["label"]
        labels.queryset = labels.queryset.for_owner(owner).order_by("name")

    def clean_tab(self):
        return self.cleaned_data["tab"] or TABS[0][0]

    def page_of(self, conversations):
        """A page of the conversations of the chosen tab."""
        wanted = self.cleaned_data
        rows = inbox.TABS[wanted["tab"]](inbox.with_last_texts(conversations))
        if wanted["assigned"] == "me":
            rows = rows.of_person(self.user)
        if wanted["unread"] or wanted["label"] or wanted["assigned"] == "nobody":
            rows = inbox.newest(rows)
        if wanted["unread"]:
            rows = rows.unread()
        if wanted["assigned"] == "nobody":
            rows = rows.unassigned()
        if wanted["label"]:
            rows = inbox.with_label(rows, wanted["label"])
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
        return type(self)(data, owner=self.owner, user=self.user).query()


class TextsForm(forms.Form):
    """Where to read in a long conversation: before or after a text."""

    texts_before = forms.UUIDField(required=False)
    texts_after = forms.UUIDField(required=False)

    @property
    def place(self):
        self.full_clean()
        return {name: self.cleaned_data.get(name) for name in self.fields}


def moment_field(**options):
    widget = forms.DateTimeInput(
        format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}
    )
    return forms.DateTimeField(validators=MOMENTS, widget=widget, **options)


def in_future(moment):
    if moment is not None and moment <= now():
        raise ValidationError(_("This is in the past."))
    return moment


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
    send_at = moment_field(
        label=_("Send it at"),
        required=False,
        help_text=_("In your time zone. Empty: now."),
    )

    def clean_send_at(self):
        return in_future(self.cleaned_data["send_at"])


class NoteForm(forms.Form):
    """What the team tells itself."""

    note = forms.CharField(
        label=_("Private note"),
        max_length=MAX_NOTE_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Only your team sees it."),
    )


class AssignForm(forms.Form):
    """Whose the conversation is."""

    user = forms.ModelChoiceField(
        label=_("Assigned to"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody"),
    )

    def __init__(self, data=None, *, conversation):
        super().__init__(data, initial={"user": conversation.assigned_to_id})
        members = conversations.members_of(conversation.owner)
        self.fields["user"].queryset = members.order_by("name", "email")


class LabelsForm(forms.Form):
    """Which labels a conversation has."""

    labels = forms.ModelMultipleChoiceField(
        label=_("Labels"),
        queryset=Label.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data=None, *, conversation):
        super().__init__(data, initial={"labels": labels_of(conversation)})
        labels = self.fields["labels"]
        labels.queryset = labels.queryset.for_owner(conversation.owner).order_by("name")


def labels_of(conversation):
    return [one.label_id for one in getattr(conversation, "shown_labels", ())]


class SnoozeForm(forms.Form):
    """Until when a conversation is out of the way."""

    WHENS = [
        ("hour", _("For an hour")),
        ("tomorrow", _("Until tomorrow, 9:00")),
        ("monday", _("Until Monday, 9:00")),
        ("own", _("Until the time below")),
    ]

    when = forms.ChoiceField(label=_("Snooze"), choices=WHENS)
    until = moment_field(
        label=_("Time"), required=False, help_text=_("In your time zone.")
    )

    def clean(self):
        """`until` is the moment, whichever way it was said."""
        when, until = self.cleaned_data.get("when"), self.cleaned_data.get("until")
        if when == "own":
            if until is None and "until" not in self.errors:
                self.add_error("until", _("Say until when."))
            else:
                self.cleaned_data["until"] = in_future(until)
        elif when:
            self.cleaned_data["until"] = _moment(when)
        return self.cleaned_data


def _moment(when):
    """Mornings are those of the viewer's zone."""
    at = localtime()
    if when == "hour":
        return at + timedelta(hours=1)
    days = 1 if when == "tomorrow" else 7 - at.weekday()
    return make_aware(datetime.combine(at.date() + timedelta(days=days), MORNING))


class LabelForm(OwnedForm):
    class Meta:
        model = Label
        fields = ["name"]


class CannedReplyForm(OwnedForm):
    class Meta:
        model = CannedReply
        fields = ["name", "text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3})}


class RepeatForm(forms.Form):
    """Whether it may arrive twice."""

    may_arrive_twice = forms.BooleanField(required=False, widget=forms.HiddenInput)


class NewTextForm(forms.Form):
    """The first text to somebody, or the next one."""

    WAYS = [("sms", _("SMS")), ("whatsapp", _("WhatsApp"))]

    phone = HistoryChoiceField(
        label=_("From"),
        queryset=Phone.objects.all(),
        empty_label=_("Choose a number"),
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
        phones.initial = next(iter(phones.rows), None)

    @property
    def address(self):
        prefix = WHATSAPP if self.cleaned_data["way"] == "whatsapp" else ""
        return prefix + self.cleaned_data["number"]
