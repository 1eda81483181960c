from datetime import timedelta
from urllib.parse import urlencode

from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts import deleted
from accounts.audit import Action, Source, people_of
from accounts.audit_words import kinds
from accounts.deleted.listing import Place
from accounts.models import AccessToken, Membership, User, Workspace
from accounts.permissions import ASSIGNABLE_CHOICES, Role
from accounts.tenancy import OwnedFormMixin
from accounts.zones import time_zone_choices
from voiceops.filters import FilterForm, any_of, midnight


class OwnedForm(OwnedFormMixin, forms.ModelForm):
    """The base of every form that writes a row of a workspace: give it `owner=`."""


class ZonedForm(forms.ModelForm):
    """A form with a `timezone`; one that is not offered can be kept."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        field, now_set = self.fields["timezone"], self.instance.timezone
        if not field.valid_value(now_set):
            field.choices = [(now_set, now_set), *field.choices]


class ProfileForm(ZonedForm):
    timezone = forms.ChoiceField(
        label=_("Time zone"),
        choices=time_zone_choices,
        help_text=_("Times are shown to you in this zone."),
    )

    digests = forms.MultipleChoiceField(
        label=_("Weekly e-mail about"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("The week's figures, on Mondays at eight. None in weeks of none."),
    )

    class Meta:
        model = User
        fields = ["name", "timezone"]
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.memberships = list(self.instance.memberships.select_related("workspace"))
        digests = self.fields["digests"]
        digests.choices = [
            (str(one.pk), str(one.workspace)) for one in self.memberships
        ]
        digests.initial = [str(one.pk) for one in self.memberships if one.gets_digest]

    def save(self):
        """The person, and what they get of each of their workspaces."""
        with transaction.atomic():
            for member in self.memberships:
                member.gets_digest = str(member.pk) in self.cleaned_data["digests"]
            Membership.objects.bulk_update(self.memberships, ["gets_digest"])
            return super().save()


class WorkspaceForm(ZonedForm):
    timezone = forms.ChoiceField(
        label=_("Time zone"),
        choices=time_zone_choices,
        help_text=_("Where a day of your business begins and ends."),
    )

    class Meta:
        model = Workspace
        fields = ["name", "timezone"]


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        label=_("Role"),
        choices=ASSIGNABLE_CHOICES,
        initial=Role.MEMBER,
    )


class InvitationForm(RoleForm):
    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["email", "role"]


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


class PlaceField(forms.CharField):
    """A place in the list of what was deleted, as its pages link to it."""

    widget = forms.HiddenInput

    def clean(self, value):
        text = super().clean(value)
        try:
            return Place.parse(text) if text else None
        except ValueError:
            raise forms.ValidationError(_("No page begins here.")) from None


class DeletedFilterForm(forms.Form):
    """What the list of deleted things can be narrowed to."""

    kind = forms.ChoiceField(label=_("Kind"), required=False)
    before = PlaceField(required=False, max_length=80)
    after = PlaceField(required=False, max_length=80)

    def __init__(self, data):
        super().__init__(data, auto_id="filter-%s", use_required_attribute=False)
        known = [(kind.key, kind.title) for kind in deleted.kinds()]
        self.fields["kind"].choices = [("", _("Everything")), *known]

    @property
    def kinds(self):
        key = self.cleaned_data["kind"]
        return [deleted.kind_named(key)] if key else deleted.kinds()

    @property
    def is_narrowed(self):
        return bool(self["kind"].data)

    def query(self, **place):
        """The shortest query string of this list at `before=` or `after=`."""
        kind = self["kind"].data
        return urlencode([*([("kind", kind)] if kind else []), *place.items()])


class RestoreForm(forms.Form):
    """The name that a row shall come back under; empty: its own."""

    name = forms.CharField(label=_("New name"), max_length=100, required=False)

    def tell(self, refusal):
        """Offer a free name, or say why the one given will not do."""
        self.fields["name"].required = True
        if isinstance(refusal, deleted.NameTaken):
            self.data = {"name": refusal.suggestion}
        elif isinstance(refusal, deleted.BadName):
            self.add_error("name", str(refusal))


def _kinds():
    named = sorted(kinds().items(), key=lambda kind: kind[1].casefold())
    return any_of(_("Anything"), [(name, capfirst(label)) for name, label in named])


class AuditFilterForm(FilterForm):
    """What the audit log can be narrowed to."""

    q = forms.CharField(
        label=_("Name of what was changed"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": _("Name"), "data-search": ""}),
    )
    user = forms.ModelChoiceField(
        label=_("Person"),
        queryset=User.objects.none(),
        empty_label=_("Anybody"),
        required=False,
    )
    kind = forms.ChoiceField(
        label=_("What was changed"), choices=_kinds, required=False
    )
    action = forms.ChoiceField(
        label=_("What was done"),
        choices=any_of(
            _("Any action"),
            [(value, capfirst(label)) for value, label in Action.choices],
        ),
        required=False,
    )
    source = forms.ChoiceField(
        label=_("From where"),
        choices=any_of(_("From anywhere"), Source.choices),
        required=False,
    )
    field_order = ["q", "user", "kind", "action", "source"]

    def __init__(self, data, *, owner):
        super().__init__(data)
        self.fields["user"].queryset = people_of(owner).order_by("email")

    def apply(self, entries):
        """The entries that match; days are days of the current time zone."""
        wanted = self.cleaned_data
        for name in ("user", "kind", "action", "source"):
            if wanted[name]:
                entries = entries.filter(**{name: wanted[name]})
        if wanted["q"]:
            entries = entries.called(wanted["q"])
        if first := wanted["first_day"]:
            entries = entries.made_from(midnight(first))
        if last := wanted["last_day"]:
            entries = entries.made_before(midnight(last + timedelta(days=1)))
        return entries
