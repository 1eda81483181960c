import zoneinfo
from datetime import timedelta
from itertools import groupby

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AccessToken, User, Workspace
from accounts.tenancy import OwnedFormMixin


class OwnedForm(OwnedFormMixin, forms.ModelForm):
    """The base of every form that writes a row of a workspace: give it `owner=`."""


def time_zone_choices():
    """All IANA zones, those of one region together; UTC first."""

    def region(name):
        return name.partition("/")[0] if "/" in name else str(_("Other"))

    names = sorted(zoneinfo.available_timezones(), key=lambda n: (region(n), n))
    groups = [
        (title, [(name, name.replace("_", " ")) for name in members])
        for title, members in groupby(names, key=region)
    ]
    return [("UTC", "UTC"), *groups]


class ProfileForm(forms.ModelForm):
    timezone = forms.ChoiceField(
        label=_("Time zone"),
        choices=time_zone_choices,
        help_text=_("Times are shown to you in this zone."),
    )

    class Meta:
        model = User
        fields = ["name", "timezone"]
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}


class WorkspaceForm(forms.ModelForm):
    timezone = forms.ChoiceField(
        label=_("Time zone"),
        choices=time_zone_choices,
        help_text=_("Where a day of your business begins and ends."),
    )

    class Meta:
        model = Workspace
        fields = ["name", "timezone"]


class ApiKeyForm(forms.Form):
    LIFETIMES = [
        ("30", _("30 days")),
        ("90", _("90 days")),
        ("365", _("1 year")),
        ("never", _("Never")),
    ]

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What will use it, so that you know which one to revoke."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=AccessToken.Scope.choices,
        initial=[AccessToken.Scope.READ],
        widget=forms.CheckboxSelectMultiple,
    )
    lifetime_days = forms.ChoiceField(
        label=_("Expires after"), choices=LIFETIMES, initial="365"
    )

    @property
    def expires_at(self):
        """When the key ends, counted from now; None for never."""
        days = self.cleaned_data["lifetime_days"]
        if days == "never":
            return None
        return timezone.now() + timedelta(days=int(days))
