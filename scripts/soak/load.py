"""What happens all the time: calls that are talked in, webhooks, scheduled calls.

We are the carrier of the calls that come in, so that every answer can be timed; what is
scheduled is dialled by way of the pocket carrier.
"""

import asyncio
import json
import random
import re
import secrets
import ssl
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape

import aiohttp
from twilio.request_validator import RequestValidator

from scripts.soak.world import World

CALLS = 50
SOON = timedelta(seconds=2)  # what is over is refused
TURNS = (6, 16)  # of a call; then somebody else calls
THINK_S = (4, 10)  # between two sentences of a caller
FIRST_TOKEN_MS = 50
WEBHOOKS_A_SECOND = 5
ANSWER_WITHIN_S = 15  # the carrier does not wait longer
AFTER_AN_ERROR_S = 1
# Ends of numbers decide what happens: busy, no answer, or a person who talks.
ENDINGS = ("0486", "0408", "")
SHARES = (40, 30, 30)
TEXTERS = [f"+1628555{place:04}" for place in range(2000, 2200)]


@dataclass
class Series:
    """How long something took, in milliseconds: ever, and since it was last told."""

    ever: list[float] = field(default_factory=list)
    told: int = 0

    def lately(self) -> list[float]:
        since, self.told = self.told, len(self.ever)
        return self.ever[since:]


class Told:
    """What was asked, how long it took, and what went wrong."""

    def __init__(self):
        self.webhooks, self.turns = Series(), Series()
        self.scheduled = 0
        self.errors: Counter[str] = Counter()

    def lately(self) -> str:
        return self._words(self.webhooks.lately(), self.turns.lately())

    def __str__(self) -> str:
        return self._words(self.webhooks.ever, self.turns.ever)

    def _words(self, webhooks: list[float], turns: list[float]) -> str:
        errors = ", ".join(f"{name} {n}" for name, n in self.errors.most_common(8))
        return (
            f"  {len(webhooks)} webhooks, ms: {_percentiles(webhooks)}\n"
            f"  {len(turns)} turns, ms over the model's own: {_percentiles(turns)}\n"
            f"  {self.scheduled} calls scheduled so far; errors: {errors or 'none'}"
        )

    def broken(self, most: float) -> list[str]:
        errors = self.errors.total()
        done = len(self.webhooks.ever) + len(self.turns.ever) + self.scheduled
        rate = errors / max(done + errors, 1)
        return [f"{rate:.2%} went wrong"] if rate > most or not done else []


def _percentiles(values: list[float]) -> str:
    if len(values) < 2:
        return "none"
    cuts = statistics.quantiles(values, n=100)
    return f"p50 {cuts[49]:.1f}, p99 {cuts[98]:.1f}, longest {max(values):.0f}"


class Load:
    def __init__(self, world: World, certificates: ssl.SSLContext, told: Told):
        self._world, self._told = world, told
        self._certificates = certificates
        self._validator = RequestValidator(world.account.auth_token)
        self._chance = random.Random(1)
        self._session: aiohttp.ClientSession

    def __str__(self) -> str:
        return (
            f"{CALLS} live calls with pauses of {THINK_S[0]} to {THINK_S[1]} s,"
            f" {WEBHOOKS_A_SECOND} webhooks a second besides, a scheduled call a second"
        )

    async def run(self) -> None:
        """For ever; what goes wrong is counted, and it goes on."""
        connector = aiohttp.TCPConnector(
            ssl=self._certificates,
            limit=0,
            keepalive_timeout=2,  # as the carrier's
        )
        limit = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
            self._session = session
            async with asyncio.TaskGroup() as group:
                for place in range(CALLS):
                    group.create_task(self._again(self._call, place / 5))
                group.create_task(self._every(1, self._second_of_webhooks))
                group.create_task(self._every(1, self._schedule))

    async def _again(self, work: Callable[[], Awaitable[None]], after_s: float) -> None:
        await asyncio.sleep(after_s)  # not all at once
        while True:
            if not await self._try(work()):
                await asyncio.sleep(AFTER_AN_ERROR_S)

    async def _every(self, pause_s: float, work: Callable[[], Awaitable[None]]) -> None:
        """Also while the one before is not done: nobody waits for us in life."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._try(work()))
                await asyncio.sleep(pause_s)

    async def _try(self, work: Awaitable[None]) -> bool:
        try:
            await work
        except Exception as error:  # whatever it is, it is what is counted here
            self._told.errors[f"{type(error).__name__} {error}"[:80]] += 1
            return False
        return True

    # -- A call that is talked in -----------------------------------------------------

    async def _call(self) -> None:
        fields = self._fields_of_a_call()
        document = await self._post(self._world.voice_url, fields)
        relay, action = (
            unescape(re.search(rf'\b{name}="([^"]+)"', document)[1])
            for name in ("url", "action")
        )
        headers = {"X-Twilio-Signature": self._validator.compute_signature(relay, {})}
        async with self._session.ws_connect(relay, headers=headers) as socket:
            setup = {
                "type": "setup",
                "sessionId": "VX" + secrets.token_hex(16),
                "callSid": fields["CallSid"],
                "accountSid": fields["AccountSid"],
            }
            await socket.send_json(setup)
            for turn in range(self._chance.randint(*TURNS)):
                await asyncio.sleep(self._chance.uniform(*THINK_S))
                await self._turn(socket, f"Question {turn}: are you open then?")
        over = fields | {"CallStatus": "completed", "CallDuration": "60"}
        await self._post(action, over | {"SessionStatus": "completed"})
        await self._post(self._world.status_url, over)

    async def _turn(self, socket: aiohttp.ClientWebSocketResponse, words: str) -> None:
        began, first_ms = time.perf_counter(), None
        await socket.send_json({"type": "prompt", "voicePrompt": words, "last": True})
        while True:
            frame = json.loads(await socket.receive_str(timeout=ANSWER_WITHIN_S))
            if frame["type"] != "text":
                raise RuntimeError(f"a frame of type {frame['type']}")
            if first_ms is None and frame["token"]:
                first_ms = (time.perf_counter() - began) * 1000
                self._told.turns.ever.append(first_ms - FIRST_TOKEN_MS)
            if frame["last"]:
                return

    # -- Webhooks ---------------------------------------------------------------------

    async def _second_of_webhooks(self) -> None:
        """Two calls whose callers hang up at once, and a text."""
        await asyncio.gather(self._missed(), self._missed(), self._text())

    async def _missed(self) -> None:
        fields = self._fields_of_a_call()
        await self._post(self._world.voice_url, fields)
        over = fields | {"CallStatus": "completed", "CallDuration": "1"}
        await self._post(self._world.status_url, over)

    async def _text(self) -> None:
        fields = {
            "MessageSid": "SM" + secrets.token_hex(16),
            "AccountSid": self._world.account.sid,
            "From": self._chance.choice(TEXTERS),
            "To": self._world.business.number,
            "Body": "Do you have anything on Thursday?",
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "ApiVersion": "2010-04-01",
        }
        await self._post(self._world.text_url, fields)

    def _fields_of_a_call(self) -> dict[str, str]:
        return {
            "CallSid": "CA" + secrets.token_hex(16),
            "AccountSid": self._world.account.sid,
            "From": self._chance.choice(TEXTERS),
            "To": self._world.business.number,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
        }

    async def _post(self, url: str, fields: dict[str, str]) -> str:
        signature = self._validator.compute_signature(url, fields)
        began = time.perf_counter()
        async with self._session.post(
            url, data=fields, headers={"X-Twilio-Signature": signature}
        ) as answer:
            text = await answer.text()
            answer.raise_for_status()
        self._told.webhooks.ever.append((time.perf_counter() - began) * 1000)
        return text

    # -- Scheduled calls --------------------------------------------------------------

    async def _schedule(self) -> None:
        body = {
            "agent_id": self._world.calling_agent,
            "to": self._number(),
            "scheduled_for": (datetime.now(UTC) + SOON).isoformat(),
        }
        ask = self._world.business.ask
        await asyncio.to_thread(ask, "POST", "/api/scheduled-calls", body)
        self._told.scheduled += 1

    def _number(self) -> str:
        (ending,) = self._chance.choices(ENDINGS, SHARES)
        ending = ending or f"{self._chance.randrange(1000, 10_000)}"
        return f"+1212{self._chance.randrange(220, 910)}{ending}"
