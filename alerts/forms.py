from datetime import timedelta

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from accounts.models import Membership
from agents.forms.hours import HoursForm
from agents.models import VoiceAgent
from alerts.metrics import KINDS, Metric, Unit, plain
from alerts.models import ADMINS, Alert
from telephony.forms.calls import HistoryChoiceField

MUTES = [
    ("60", _("1 hour")),
    ("240", _("4 hours")),
    ("1440", _("1 day")),
    ("10080", _("1 week")),
]
THRESHOLDS = {
    Metric.ANSWER_RATE: _("Answered, less than (%)"),
    Metric.FAILURE_RATE: _("Failed, more than (%)"),
    Metric.REPLY_P95: _("Slower than (ms)"),
    Metric.SPEND: _("More than"),
}


class AlertForm(OwnedForm):
    """An alert of a metric that is chosen already: only what counts for it is asked."""

    agent = HistoryChoiceField(
        label=_("Voice agent"),
        queryset=VoiceAgent.objects.all(),
        empty_label=_("All calls"),
        required=False,
    )
    mail_to = forms.MultipleChoiceField(
        label=_("E-mails go to"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Alert
        fields = [
            "name",
            "agent",
            "direction",
            "threshold",
            "currency",
            "window_minutes",
            "minimum_calls",
            "mail_to",
            "tells_webhooks",
        ]
        widgets = {"currency": forms.TextInput(attrs={"autocomplete": "off"})}

    def __init__(self, data=None, *, owner, instance):
        super().__init__(data, owner=owner, instance=instance)
        self._offer_agents(owner)
        self.fields["direction"].choices = [
            ("", _("Both directions")),
            *self.fields["direction"].choices[1:],
        ]
        self.fields["mail_to"].choices = [
            (ADMINS, _("The owner and the admins")),
            *_people(owner, instance.mail_to),
        ]
        self.fields["tells_webhooks"].help_text = _(
            "Those that want alert.started and alert.ended."
        )
        self._ask_what_counts(instance.metric)
        self.hours = None
        if instance.metric == Metric.NO_CALLS:
            self.hours = HoursForm(
                data,
                business_hours=instance.working_hours,
                timezone=owner.timezone,
            )

    def _offer_agents(self, owner):
        """Those there are; a deleted one where it is the alert's."""
        agents = VoiceAgent.objects.for_owner(owner, with_deleted=True).order_by("name")
        offered = Q(deleted_at=None) | Q(pk=self.instance.agent_id)
        self.fields["agent"].queryset = agents.filter(offered)

    def _ask_what_counts(self, metric):
        kind = KINDS[metric]
        if not kind.has_threshold:
            del self.fields["threshold"]
        else:
            threshold = self.fields["threshold"]
            threshold.label, threshold.required = THRESHOLDS[metric], True
            threshold.widget.attrs |= {"min": plain(kind.least), "step": "any"}
            if self.instance.threshold is not None:
                self.initial["threshold"] = plain(self.instance.threshold)
        if not kind.counts_calls:
            del self.fields["minimum_calls"]
        else:
            self.fields["minimum_calls"].help_text = _("With fewer, nobody can tell.")
        if kind.unit != Unit.MONEY:
            del self.fields["currency"]
        else:
            self.fields["currency"].required = True
            self.fields["currency"].help_text = _("Three letters, such as USD.")

    def clean_currency(self):
        return self.cleaned_data["currency"].upper()

    def clean(self):
        cleaned = super().clean()
        if self.hours is None:
            return cleaned
        if self.hours.is_valid():
            self.instance.working_hours = self.hours.business_hours
        else:
            self.add_error(None, _("The working hours are not right yet: see below."))
        return cleaned


def _people(owner, chosen):
    """Everybody in the workspace, and those who were chosen and have left."""
    members = Membership.objects.for_owner(owner).select_related("user")
    known = {
        str(member.pk): f"{member.user.get_short_name()} ({member.user.email})"
        for member in members.order_by("user__email")
    }
    gone = [one for one in chosen if one not in known and one != ADMINS]
    return [*known.items(), *((one, _("Somebody who has left")) for one in gone)]


class MuteForm(forms.Form):
    minutes = forms.ChoiceField(label=_("Mute for"), choices=MUTES)

    @property
    def length(self):
        return timedelta(minutes=int(self.cleaned_data["minutes"]))


class MetricForm(forms.Form):
    """Which kind of alert; none where nothing was chosen yet."""

    metric = forms.ChoiceField(choices=Metric.choices)


class HistoryForm(forms.Form):
    """A place in the list of episodes."""

    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)
