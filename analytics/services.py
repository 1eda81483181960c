"""What a new workspace does first."""

from dataclasses import dataclass

from django.db.models import Exists
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Workspace
from agents.models import VoiceAgent
from telephony.models import Call, CarrierAccount, Phone


@dataclass(frozen=True)
class Step:
    """One thing to do on the way to the first answered call."""

    title: str
    url: str
    state: str  # "done", "current" or "todo"


def onboarding_steps(owner: Workspace) -> list[Step]:
    """What a new workspace does first, as its rows tell it, in one statement."""
    calls = Call.objects.for_owner(owner)
    rows_of_step = [
        VoiceAgent.objects.for_owner(owner),
        calls.filter(is_test=True),
        CarrierAccount.objects.for_owner(owner),
        Phone.objects.for_owner(owner),
        calls.filter(is_test=False, direction=Call.Direction.INCOMING),
    ]
    answers = Workspace.objects.filter(pk=owner.pk).values_list(
        *(Exists(rows) for rows in rows_of_step)
    )
    return _steps(list(answers.get()))


def _steps(done: list[bool]) -> list[Step]:
    steps = [
        (_("Create a voice agent"), "agents:agent_create"),
        (_("Talk to it in the browser"), "telephony:agent_test_choose"),
        (_("Connect a carrier account"), "telephony:carrier_account_create"),
        (_("Add a phone number"), "telephony:phone_create"),
        (_("Receive a first call"), "telephony:phone_list"),
    ]
    current = done.index(False) if False in done else None
    return [
        Step(
            title,
            reverse(url_name),
            "done" if done[place] else "current" if place == current else "todo",
        )
        for place, (title, url_name) in enumerate(steps)
    ]
