"""Talking to an agent without a telephone: the simulator calls its test line."""

import secrets
from dataclasses import dataclass
from uuid import UUID

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from accounts import halts
from agents.models import VoiceAgent
from telephony.addresses import webhook_url
from telephony.models import TestLine

# Twilio's magic numbers (Test Credentials page): nobody has them.
CALLER_NUMBER = "+15005550006"
CALLED_NUMBER = "+15005550010"
CONNECT_TIMEOUT_S = 3
ANSWER_TIMEOUT_S = 5
# Nobody listens: talk takes a fifth of its time. Silences and replies take their own.
REHEARSAL_SPEED = 0.2


class CallNotStarted(Exception):
    """No test call was started; `str()` says why, in words for people."""


@dataclass(frozen=True)
class SimulatedCall:
    """A call in the simulator: its SID, and the token of its browser API."""

    sid: str
    token: str


def open_test_call(agent: VoiceAgent) -> SimulatedCall:
    """Let the simulator call the agent, with a person typing what the caller says.

    It comes in through the voice webhook like any call. Raises `CallNotStarted`.
    """
    if not has_simulator():
        raise CallNotStarted(_("The simulator is switched off on this installation."))
    return _ask_simulator(line_for(agent), caller={"typed": True})


def has_simulator() -> bool:
    return bool(settings.SIMULATOR and settings.SIMULATOR_URL)


def open_rehearsal(agent: VoiceAgent, rehearsal_id: UUID, steps: list[dict]) -> None:
    """Let the simulator call the agent and play the steps. Raises `CallNotStarted`.

    The call that comes in says which rehearsal it is.
    """
    caller = {
        "script": steps,
        "ring_s": 0,
        "speed": REHEARSAL_SPEED,
        "real_silences": True,
    }
    _ask_simulator(line_for(agent), caller=caller, rehearsal=rehearsal_id)


def line_for(agent: VoiceAgent) -> TestLine:
    """The agent's test line, made on first use. Safe to repeat and to race."""
    line, _created = TestLine.unscoped.get_or_create(
        agent=agent,
        defaults={
            "owner_id": agent.owner_id,
            "account_sid": f"AC{secrets.token_hex(16)}",
            "auth_token": secrets.token_hex(16),
        },
    )
    return line


def _ask_simulator(line: TestLine, *, caller: dict, **query) -> SimulatedCall:
    if why := halts.why_halted(line.owner):
        raise CallNotStarted(why)
    if not settings.SIMULATOR_KEY:
        raise CallNotStarted(
            _("SIMULATOR_KEY is not set: the simulator would refuse the call.")
        )
    token = line.webhook_token
    try:
        answer = httpx.post(
            f"{settings.SIMULATOR_URL}/control/calls",
            headers={"Authorization": f"Bearer {settings.SIMULATOR_KEY}"},
            json={
                "to": CALLED_NUMBER,
                "from": CALLER_NUMBER,
                "account_sid": line.account_sid,
                "auth_token": line.auth_token,
                "voice_url": webhook_url("voice", token, **query),
                "voice_fallback_url": webhook_url("fallback", token, **query),
                "status_callback": webhook_url("phone_status", token),
                **caller,
            },
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
        )
        answer.raise_for_status()
        told = answer.json()
        return SimulatedCall(sid=told["sid"], token=told["token"])
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise CallNotStarted(
            _("The simulator refused the call (HTTP %(status)d).") % {"status": status}
        ) from error
    except httpx.HTTPError as error:
        raise CallNotStarted(
            _("The simulator is not running. Start it, then try again.")
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CallNotStarted(
            _("What answers at the simulator's address is not the simulator.")
        ) from error
