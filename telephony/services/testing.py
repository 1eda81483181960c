"""Talking to an agent without a telephone: the simulator calls its test line."""

import secrets
from dataclasses import dataclass

import httpx
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from agents.models import VoiceAgent
from telephony.models import TestLine

# Twilio's magic numbers (Test Credentials page): nobody has them.
CALLER_NUMBER = "+15005550006"
CALLED_NUMBER = "+15005550010"
CONNECT_TIMEOUT_S = 3
ANSWER_TIMEOUT_S = 5


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
    if not (settings.SIMULATOR and settings.SIMULATOR_URL):
        raise CallNotStarted(_("The simulator is switched off on this installation."))
    if not settings.SIMULATOR_KEY:
        raise CallNotStarted(
            _("SIMULATOR_KEY is not set: the simulator would refuse the call.")
        )
    return _ask_simulator(line_for(agent))


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


def _ask_simulator(line: TestLine) -> SimulatedCall:
    base = settings.PUBLIC_BASE_URL
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
                "voice_url": base + reverse("webhooks:voice", args=[token]),
                "voice_fallback_url": base + reverse("webhooks:fallback", args=[token]),
                "status_callback": base
                + reverse("webhooks:phone_status", args=[token]),
                "typed": True,
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
