"""Calls that have happened, for the tests of pages."""

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import Workspace
from agents.models import VoiceAgent
from telephony.models import Call, CarrierAccount, Phone, Turn
from telephony.samples import id_of

LENGTH_S = 61


def make_agent(owner: Workspace, name: str = "Reception", **fields) -> VoiceAgent:
    return VoiceAgent.unscoped.create(owner=owner, name=name, **fields)


def make_call(owner: Workspace, at: datetime | None = None, **fields) -> Call:
    """A call that was answered, talked on and ended, where `fields` say no other."""
    made = {"id": id_of(at)} if at else {}  # by default after all that were made before
    at = at or timezone.now()
    given = {
        **made,
        "direction": "incoming",
        "status": "completed",
        "end_reason": "caller_hung_up",
        "from_number": "+14155550100",
        "to_number": "+14155550142",
        "started_at": at,
        "answered_at": at,
        "ended_at": at + timedelta(seconds=LENGTH_S),
        "duration_s": LENGTH_S,
    }
    return Call.unscoped.create(owner=owner, **{**given, **fields})


def make_live_call(owner: Workspace, at: datetime | None = None, **fields) -> Call:
    given = {
        "status": "in-progress",
        "end_reason": "",
        "ended_at": None,
        "duration_s": None,
    }
    return make_call(owner, at, **{**given, **fields})


def make_turn(call: Call, number: int, text: str, **fields) -> Turn:
    given = {"speaker": "caller", "at": call.started_at, "at_ms": number * 1000}
    return Turn.unscoped.create(
        owner_id=call.owner_id,
        call=call,
        number=number,
        text=text,
        **{**given, **fields},
    )


def make_phone(owner: Workspace, number: str = "+14155550142") -> Phone:
    account = CarrierAccount.unscoped.create(
        owner=owner, label="Main", account_sid=f"AC{uuid.uuid4().hex}", auth_token="t"
    )
    return Phone.unscoped.create(
        owner=owner, carrier_account=account, number=number, carrier_sid="PN1"
    )
