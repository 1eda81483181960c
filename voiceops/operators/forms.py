from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, SwitchedOff, Workspace


class ReasonForm(forms.Form):
    """Why an operator does something that others will read of."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200, widget=forms.TextInput(attrs={"size": 50})
    )


class LookForm(ReasonForm):
    """Through whose eyes an operator looks at a workspace, and why."""

    member = forms.ModelChoiceField(
        label=_("As"), queryset=Membership.objects.none(), empty_label=None
    )
    field_order = ["member", "reason"]

    def __init__(self, data=None, *, workspace):
        super().__init__(data)
        people = Membership.objects.for_owner(workspace).select_related("user")
        others = people.filter(user__is_staff=False, user__is_superuser=False)
        self.fields["member"].queryset = others.order_by("id")


class SwitchForm(ReasonForm):
    """What to switch off or on, for whom; nobody named: for all."""

    feature = forms.ChoiceField(choices=SwitchedOff.Feature)
    workspace = forms.ModelChoiceField(Workspace.objects.all(), required=False)
    wanted = forms.ChoiceField(choices=[("on", "on"), ("off", "off")])
