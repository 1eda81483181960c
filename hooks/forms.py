import uuid
from urllib.parse import urlencode

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from hooks.models import TEST_EVENT, Delivery, Endpoint, Event


class EndpointForm(OwnedForm):
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[
            (name, format_lazy("{}: {}", name, does)) for name, does in Event.choices
        ],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Endpoint
        fields = ["url", "description", "events"]
        widgets = {"url": forms.URLInput(attrs={"placeholder": "https://"})}
        help_texts = {
            "url": _("Where requests are sent: https, and reachable from the internet.")
        }


class DeliveryFilterForm(forms.Form):
    """What the log can be narrowed to; every filter is a query parameter."""

    EVENTS = [("", _("Any event")), *Event.choices, (TEST_EVENT, _("A test event"))]

    status = forms.ChoiceField(
        label=_("Status"),
        choices=[("", _("Any status")), *Delivery.Status.choices],
        required=False,
    )
    event = forms.ChoiceField(label=_("Event"), choices=EVENTS, required=False)
    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)

    def __init__(self, data):
        super().__init__(data, auto_id="filter-%s", use_required_attribute=False)

    def apply(self, deliveries):
        wanted = {name: self.cleaned_data[name] for name in ("status", "event")}
        return deliveries.filter(**{n: value for n, value in wanted.items() if value})

    def address(self, **place: uuid.UUID):
        """The query for these filters, at another place of the list."""
        given = [(name, self[name].data) for name in ("status", "event")]
        return "?" + urlencode([pair for pair in given if pair[1]] + [*place.items()])
