from datetime import timedelta

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from agents.forms.fields import VARIABLE, variable_field
from agents.limits import MAX_VARIABLES
from agents.models import VoiceAgent
from telephony.forms.dialling import NumberField
from telephony.models import Call


class AgentVariables:
    """A form with a choice of agents, and an input for each placeholder."""

    def offer_agents(self, also=None):
        """Those that place calls, and `also` (an id) whatever it does by now."""
        field = self.fields["agent"]
        agents = field.queryset.for_owner(self.owner)
        usable = agents.placing() | agents.filter(pk=also)
        field.queryset = usable.order_by("name").select_related(
            "owner", "phone__carrier_account", "prompt", "prompt_version"
        )
        field.empty_label = None

    def add_variables(self, given):
        agent = self.chosen_agent
        if agent is None:
            return
        for name in agent.wanted_variables[:MAX_VARIABLES]:
            usual = agent.variables.get(name, "")
            field = variable_field(name, given.get(name, usual))
            field.required = not usual
            self.fields[VARIABLE + name] = field

    @property
    def chosen_agent(self):
        """The agent that was chosen, else the first; None where there is none."""
        field = self.fields["agent"]
        try:
            return field.clean(self["agent"].value())
        except ValidationError:
            return None if self.is_bound else field.queryset.first()

    @property
    def variable_fields(self):
        return [self[name] for name in self.fields if name.startswith(VARIABLE)]

    @property
    def variables(self):
        """The values that are for this call alone."""
        usual = self.cleaned_data["agent"].variables
        given = {
            name.removeprefix(VARIABLE): value
            for name, value in self.cleaned_data.items()
            if name.startswith(VARIABLE)
        }
        return {n: value for n, value in given.items() if value != usual.get(n, "")}


class CallForm(AgentVariables, forms.Form):
    """Whom to call now, and by whom."""

    agent = forms.ModelChoiceField(label=_("Agent"), queryset=VoiceAgent.objects.all())
    number = NumberField(label=_("Number to call"))

    def __init__(self, data, *, owner, initial=None):
        super().__init__(data, initial=initial)
        self.owner = owner
        self.offer_agents()
        self.add_variables({})


class StuckForm(forms.Form):
    """Which calls that stand still, and since when at least."""

    STEPS = [
        (Call.Placement.UNKNOWN, _("Nobody knows if it rang")),
        (Call.Placement.LOST, _("Being looked for")),
        (Call.Placement.ASKED, _("Asked for, no answer")),
        (Call.Placement.OPENED, _("Not asked for yet")),
    ]

    placement = forms.ChoiceField(label=_("Where it stands"), choices=STEPS)
    hours = forms.IntegerField(
        label=_("Asked for at least so many hours ago"),
        required=False,
        min_value=0,
        max_value=10_000,
    )

    def chosen(self, at):
        """The step, and before when; what makes no sense chooses nothing."""
        self.is_valid()
        given = getattr(self, "cleaned_data", {})
        hours = given.get("hours")
        before = None if hours is None else at - timedelta(hours=hours)
        return given.get("placement") or Call.Placement.UNKNOWN, before


class SettleForm(forms.Form):
    """What a person knows of a call whose answer was lost."""

    OUTCOMES = [
        ("again", _("It did not ring: dial again")),
        ("not_placed", _("It did not ring: leave it")),
        ("no-answer", _("It rang, and nobody answered")),
        ("busy", _("The line was busy")),
        ("completed", _("Somebody answered")),
    ]

    outcome = forms.ChoiceField(
        label=_("What became of it?"), choices=OUTCOMES, widget=forms.RadioSelect
    )
    reason = forms.CharField(
        label=_("How do you know?"),
        max_length=120,
        help_text=_("For example: not in the carrier's log, or asked the person."),
    )
