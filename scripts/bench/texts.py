"""Texts that come in against a bare view, under the same server in the same run.

Ours keeps the text and has it answered; the bare view does two look-ups and checks the
same signature. The broker is a real one: a text tells a worker that there is one.
"""

import asyncio
import itertools
import secrets

from twilio.request_validator import RequestValidator

from scripts.bench.pairs import SIGNATURE, Request, compare, serve
from scripts.bench.world import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    NUMBER,
    furnish,
    world_of_stores,
)

PUBLIC_URL = "https://voice.example.com"
TEXTERS = 200
BUDGET = 3.2


def run() -> bool:
    """Print the comparison; whether it is within the budget."""
    with world_of_stores(PUBLIC_URL) as (env, running):
        token = furnish()
        _add_texters()
        ours = serve("voiceops.wsgi:application", env)
        bare = serve("scripts.bench.bare:application", env | {"BENCH_BARE": "webhook"})
        running += [ours, bare]
        for server in running:
            server.wait_until_up("/livez")
        path, texters = f"/webhooks/twilio/texts/{token}", itertools.cycle(_texters())
        print(f"Text webhook: granian WSGI, PostgreSQL, {TEXTERS} people")
        cpu = asyncio.run(compare(ours, bare, lambda: _text(path, next(texters))))
        print(f"  budget {BUDGET}")
        return cpu <= BUDGET


def _texters() -> list[str]:
    return [f"+1628555{place:04}" for place in range(TEXTERS)]


def _add_texters() -> None:
    """An agent that answers, and people who have written before."""
    from agents.models import MessageAgent
    from telephony.models import Conversation, Phone

    phone = Phone.unscoped.get()
    MessageAgent.unscoped.create(
        owner=phone.owner,
        name="Bench by text",
        phone=phone,
        is_active=True,
        instructions="You answer the texts of a dentist. " * 20,
    )
    Conversation.unscoped.bulk_create(
        Conversation(owner=phone.owner, phone=phone, address=address)
        for address in _texters()
    )


def _text(path: str, texter: str) -> Request:
    fields = {
        "MessageSid": "SM" + secrets.token_hex(16),
        "AccountSid": ACCOUNT_SID,
        "From": texter,
        "To": NUMBER,
        "Body": "Do you have anything on Thursday?",
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
        "FromCountry": "US",
        "ToCountry": "US",
    }
    validator = RequestValidator(AUTH_TOKEN)
    signature = validator.compute_signature(PUBLIC_URL + path, fields)
    return Request(path, "<Response", {SIGNATURE: signature}, fields)
