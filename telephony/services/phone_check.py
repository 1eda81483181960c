"""Do calls reach us? Every link between the carrier and an agent, looked at once."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.cache import cache
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from agents.models import VoiceAgent
from telephony import twilio
from telephony.models import Call, Phone
from telephony.services import carrier
from voiceops import limits

OWN_ADDRESS_TIMEOUT_S = 3
CHECKS_A_MINUTE = 12  # of a workspace: each asks the carrier twice
SLOW_S = 5  # a carrier that took so long for one answer is not asked for another
# RFC 6761, RFC 6762 and what routers use.
PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".test")


@dataclass(frozen=True)
class Finding:
    """One link of the chain. `ok` is None where nobody can tell yet."""

    ok: bool | None
    title: str
    what_to_do: str = ""


def refused_key(phone: Phone) -> str:
    """The cache key under which the webhooks note a refused signature (ISO time)."""
    return f"webhook-refused:{phone.pk}"


def check_phone(phone: Phone) -> list[Finding]:
    """Look at everything between the carrier and an agent, and say what to do.

    Asks the carrier twice and our own public address once; raises nothing.
    """
    calls = Call.unscoped.filter(phone=phone, direction=Call.Direction.INCOMING)
    last_call = calls.order_by("-id").first()
    return [
        *_carrier_findings(phone),
        _public_address(),
        _own_answer(),
        _agent(phone),
        _last_call(last_call),
        *_refused_request(phone, last_call),
    ]


def _carrier_findings(phone: Phone) -> list[Finding]:
    usage = limits.count("phone-check", phone.owner_id, CHECKS_A_MINUTE)
    if settings.RATE_LIMITS and not usage.is_allowed:
        wait = _("Check again in %(seconds)d seconds.") % {"seconds": usage.reset_s}
        return [Finding(None, _("The carrier was asked very often just now."), wait)]
    began = monotonic()
    try:
        identity = twilio.fetch_account(phone.carrier_account)
        if monotonic() - began > SLOW_S:
            slow = _("The carrier answers slowly: the rest of its part is not known.")
            return [_account(identity), Finding(None, slow, _("Check again later."))]
        held = twilio.find_number(phone.carrier_account, phone.number)
    except twilio.BadCredentials as error:
        return [
            Finding(
                False,
                str(error),
                _("Put the current auth token into the carrier account here."),
            )
        ]
    except twilio.CarrierError as error:
        return [Finding(None, str(error), _("The rest of its part is not known."))]
    return [_account(identity), *_number_findings(phone, held)]


def _account(identity: twilio.CarrierIdentity) -> Finding:
    if identity.status == "active":
        return Finding(True, _("The carrier accepts the account's credentials."))
    return Finding(
        False,
        str(carrier.AccountNotActive(identity.status)),
        _("Look at the account in the carrier's console."),
    )


def _number_findings(phone: Phone, held: twilio.CarrierNumber | None) -> list[Finding]:
    if held is None:
        return [
            Finding(
                False,
                _("The number is no longer on the carrier account."),
                _("Remove it here, or move it back at the carrier."),
            )
        ]
    findings = [Finding(True, _("The number is on the carrier account."))]
    if not held.takes_calls:
        findings.append(
            Finding(
                False,
                _("The carrier offers no calls on this number, only messages."),
                _("Register a number that can take calls."),
            )
        )
    checks = (_voice, _fallback, _status, _texts)
    return [*findings, *(check(phone, held) for check in checks)]


def _voice(phone: Phone, held: twilio.CarrierNumber) -> Finding:
    if held.handled_by:
        return Finding(
            False,
            _("A TwiML app or trunk (%(sid)s) takes this number's calls.")
            % {"sid": held.handled_by},
            _("Choose “Point it here again”: the number is taken off it."),
        )
    if (held.voice_url, held.voice_method) == (carrier.voice_url(phone), "POST"):
        return Finding(True, _("Incoming calls are sent here."))
    return Finding(
        False,
        _("Incoming calls are sent elsewhere: %(where)s")
        % {"where": _where(phone, held.voice_url, held.voice_method)},
        _("Choose “Point it here again”."),
    )


def _fallback(phone: Phone, held: twilio.CarrierNumber) -> Finding:
    if held.voice_fallback_url == carrier.fallback_url(phone):
        return Finding(True, _("If an answer gets lost, the call is taken up again."))
    return Finding(
        False,
        _("If an answer gets lost, the carrier does not know where to ask again."),
        _("Choose “Point it here again”; until then such a call ends."),
    )


def _status(phone: Phone, held: twilio.CarrierNumber) -> Finding:
    expected = (carrier.status_callback(phone), "POST")
    if (held.status_callback, held.status_callback_method) == expected:
        return Finding(True, _("The end of calls is reported here."))
    where = _where(phone, held.status_callback, held.status_callback_method)
    return Finding(
        False,
        _("The end of calls is reported elsewhere: %(where)s") % {"where": where},
        _("Choose “Point it here again”; until then calls may look unfinished."),
    )


def _texts(phone: Phone, held: twilio.CarrierNumber) -> Finding:
    if not held.takes_texts:
        return Finding(None, _("The carrier offers no texts on this number."))
    if held.sms_handled_by:
        return Finding(
            False,
            _("A TwiML app (%(sid)s) takes this number's texts.")
            % {"sid": held.sms_handled_by},
            _("Choose “Point it here again”: the number is taken off it."),
        )
    if (held.sms_url, held.sms_method) == (carrier.sms_url(phone), "POST"):
        return Finding(True, _("Incoming texts are sent here."))
    return Finding(
        False,
        _("Incoming texts are sent elsewhere: %(where)s")
        % {"where": _where(phone, held.sms_url, held.sms_method)},
        _("Choose “Point it here again”."),
    )


def _where(phone: Phone, url: str, method: str) -> str:
    if not url:
        return _("nowhere")
    if phone.webhook_token in url:  # not shown: whoever has it has the address
        address = urlsplit(url)
        url = _("an earlier address of this number, at %(host)s") % {
            "host": f"{address.scheme}://{address.netloc}"
        }
    return url if method == "POST" else f"{url} ({method})"


def _public_address() -> Finding:
    """Whether the carrier can come to us; the simulator can, wherever it runs."""
    address = urlsplit(settings.PUBLIC_BASE_URL)
    title = _("The carrier is told to come to %(url)s.") % {
        "url": settings.PUBLIC_BASE_URL
    }
    if settings.TWILIO_API_BASE_URL:
        return Finding(True, title)
    if is_private(address.hostname or ""):
        return Finding(
            False,
            _("Twilio cannot reach this machine at %(url)s.")
            % {"url": settings.PUBLIC_BASE_URL},
            _(
                "Open a tunnel to this machine (for example with cloudflared or ngrok),"
                " set PUBLIC_BASE_URL to its https address, start again and choose"
                " “Point it here again”."
            ),
        )
    if address.scheme != "https":
        return Finding(
            False,
            _("%(url)s is not encrypted.") % {"url": settings.PUBLIC_BASE_URL},
            _("Streaming agents need https: set PUBLIC_BASE_URL to an https address."),
        )
    return Finding(True, title)


def is_private(host: str) -> bool:
    """Whether a host name or address means something only on this machine or net."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(PRIVATE_SUFFIXES)


def _own_answer() -> Finding:
    url = f"{settings.PUBLIC_BASE_URL}/livez"
    try:
        answer = httpx.get(url, timeout=OWN_ADDRESS_TIMEOUT_S)
        answered = answer.status_code == 200 and answer.text == "ok"
    except httpx.HTTPError:
        answered = False
    if answered:
        return Finding(True, _("Our own public address answers."))
    return Finding(
        False,
        _("Our own public address does not answer: %(url)s") % {"url": url},
        _("Check PUBLIC_BASE_URL, the tunnel or the proxy in front, and the network."),
    )


def _agent(phone: Phone) -> Finding:
    agent = VoiceAgent.unscoped.answering().filter(phone=phone).first()
    if agent is not None:
        return Finding(True, _("%(name)s answers the calls.") % {"name": agent.name})
    return Finding(
        False,
        _("No agent is active for incoming calls."),
        _("Give a voice agent this number and activate it."),
    )


def _last_call(call: Call | None) -> Finding:
    if call is not None:
        when = _time(call.started_at)
        return Finding(True, _("The last call was on %(when)s.") % {"when": when})
    return Finding(
        None,
        _("No call has come in yet."),
        _("Call the number: it should show up here at once."),
    )


def _refused_request(phone: Phone, last_call: Call | None) -> list[Finding]:
    refused = cache.get(refused_key(phone))
    if refused is None:
        return []
    at = datetime.fromisoformat(refused)
    if last_call is not None and last_call.created_at > at:
        return []
    return [
        Finding(
            False,
            _("A request was refused on %(when)s: its signature did not fit.")
            % {"when": _time(at)},
            _(
                "Check that the carrier account here has its current auth token, and"
                " that PUBLIC_BASE_URL is exactly the address that the carrier calls."
            ),
        )
    ]


def _time(at: datetime) -> str:
    return date_format(localtime(at), "j M Y, H:i:s e")
