"""What the tests of this app start from."""

from django.apps import apps

from agents import services
from agents.models import MessageAgent, VoiceAgent

ACCOUNT_SID = "AC" + "0" * 32


def make_phone(owner, number="+15005550001"):
    account, _ = apps.get_model("telephony", "CarrierAccount").unscoped.get_or_create(
        owner=owner, account_sid=ACCOUNT_SID, defaults={"auth_token": "a-token"}
    )
    phone = apps.get_model("telephony", "Phone")(
        owner=owner, carrier_account=account, number=number
    )
    phone.save()
    return phone


def make_agent(owner, name="Reception", **fields):
    fields = {"instructions": "Be brief.", **fields}
    agent = VoiceAgent(owner=owner, name=name, **fields)
    agent.save()
    return agent


def make_message_agent(owner, name="Desk", **fields):
    fields = {"instructions": "Be brief.", **fields}
    agent = MessageAgent(owner=owner, name=name, **fields)
    agent.save()
    return agent


def make_prompt(owner, name="Reception", text="We open at nine.", **fields):
    return services.save_prompt(
        owner=owner,
        prompt=None,
        name=name,
        text=text,
        **{"note": "", "author": None, **fields},
    )
