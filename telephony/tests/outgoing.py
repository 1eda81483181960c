"""What tests of outgoing calls share: an agent that may call, at a real carrier."""

from datetime import time

import httpx
from django.utils.timezone import now

from agents.models import VoiceAgent
from telephony.models import Call, CallingRules
from telephony.services import placing
from telephony.tests.carriers import KEY
from telephony.tests.conftest import Number, make_number
from tests.processes import WITHIN_S

CALLEE = "+16285550142"
BUSY, NOBODY, NOT_REACHED = "+16285550486", "+16285550408", "+16285550404"


def make_placing_number(carrier, **agent_fields) -> Number:
    """A number of an account at the carrier, whose agent may call at any time."""
    number = make_number(**{"direction": VoiceAgent.Direction.BOTH, **agent_fields})
    login = carrier.open_account(count=1)
    account = number.account
    account.account_sid, account.auth_token = login.sid, login.auth_token
    account.calls_per_second = 100
    account.save()
    number.phone.number = login.numbers[0]
    number.phone.save()
    allow_always(number.phone.owner)
    return number


def allow_always(owner, **changes) -> None:
    always = {"window_start": time(0), "window_end": time(0)}
    CallingRules.unscoped.update_or_create(owner=owner, defaults=always | changes)


def open_call(number, to=CALLEE, **more) -> Call:
    call = placing.call_now(
        agent=number.agent,
        number=to,
        **{"variables": {}, "by": None, "at": now(), **more},
    )
    return call


def begin_asking(call: Call, at=None) -> bool:
    """As the one process that may ask for it does."""
    return bool(Call.unscoped.begin_asking([call], at or now()))


def calls_at(carrier, number, to=CALLEE) -> list[dict]:
    """The calls that the carrier has been asked for, newest first."""
    sid, token = number.account.account_sid, number.account.auth_token
    answer = httpx.get(
        f"{carrier.url}/2010-04-01/Accounts/{sid}/Calls.json",
        params={"To": to},
        auth=(sid, token),
        timeout=WITHIN_S,
    )
    return answer.raise_for_status().json()["calls"]


def arrange(carrier, number: str, **plan) -> None:
    """How `number` behaves when it is called."""
    httpx.put(
        f"{carrier.url}/control/callees/{number}",
        headers={"Authorization": f"Bearer {KEY}"},
        json=plan,
        timeout=WITHIN_S,
    ).raise_for_status()


def fail(carrier, number, **fault) -> None:
    """What goes wrong with the account's next requests; see `simulator.faults`."""
    httpx.post(
        f"{carrier.url}/control/accounts/{number.account.account_sid}/faults",
        headers={"Authorization": f"Bearer {KEY}"},
        json=fault,
        timeout=WITHIN_S,
    ).raise_for_status()
