"""The voice webhook against a bare view, under the same server in the same run."""

import asyncio
import secrets

from twilio.request_validator import RequestValidator

from scripts.bench.pairs import SIGNATURE, Request, compare, serve
from scripts.bench.world import AUTH_TOKEN, call_fields, furnish, servers, world
from tests.postgres import postgres_server

PUBLIC_URL = "https://voice.example.com"
BUDGET, AMBITION = 1.7, 1.25


def run() -> bool:
    """Print the comparison; whether it is within the budget."""
    with (
        postgres_server() as database_url,
        world(PUBLIC_URL, database_url=database_url) as env,
        servers() as running,
    ):
        token = furnish()
        ours = serve("voiceops.wsgi:application", env)
        bare = serve("scripts.bench.bare:application", env | {"BENCH_BARE": "webhook"})
        running += [ours, bare]
        for server in running:
            server.wait_until_up("/livez")
        path = f"/webhooks/twilio/voice/{token}"
        print("Voice webhook: granian WSGI, PostgreSQL")
        cpu = asyncio.run(compare(ours, bare, lambda: call_to(path)))
        print(f"  budget {BUDGET}, ambition {AMBITION}")
        return cpu <= BUDGET


def call_to(path: str) -> Request:
    """A call that comes in, with a SID of its own."""
    fields = call_fields("CA" + secrets.token_hex(16))
    validator = RequestValidator(AUTH_TOKEN)
    signature = validator.compute_signature(PUBLIC_URL + path, fields)
    return Request(path, "<Connect", {SIGNATURE: signature}, fields)
