from django import forms

from accounts.tenancy import OwnedFormMixin


class OwnedForm(OwnedFormMixin, forms.ModelForm):
    """The base of every form that writes a row of a workspace: give it `owner=`."""
