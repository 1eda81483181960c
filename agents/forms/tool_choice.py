from django import forms
from django.utils.translation import gettext_lazy as _

from agents.forms.agents import AgentForm
from agents.models import Tool
from agents.tools import built_in


class ToolChoiceForm(AgentForm):
    """An agent's form with the tools that it can have."""

    tools = forms.MultipleChoiceField(
        label=_("Tools"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.built_in = built_in.offered_to(self.instance)
        self.own_tools = list(Tool.objects.for_owner(self.owner).order_by("name"))
        names = [one.name for one in self.built_in]
        names += [str(tool.pk) for tool in self.own_tools]
        self.fields["tools"].choices = [(name, name) for name in names]
        self.initial["tools"] = self.instance.tools

    @property
    def chosen_tools(self):
        """Names and ids as they are ticked now."""
        return self["tools"].value() or []

    def clean(self):
        cleaned = super().clean()
        self.instance.tools = cleaned.get("tools", [])
        return cleaned
