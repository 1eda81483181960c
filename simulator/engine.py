"""All calls of this process: how they begin, where to find them, how they end."""

import asyncio
import logging
import time
from typing import Any

from simulator.call import Call, Callbacks, Detection, Webhook
from simulator.caller import BadScript, read_script
from simulator.life import PERSON, Life, Plan
from simulator.line import Pace
from simulator.sids import is_number, make_sid, make_token
from simulator.store import Store
from simulator.webhooks import Courier

logger = logging.getLogger(__name__)

CLOSING_S = 5  # how long the end of the process waits for last callbacks
RING_S = 1
ANSWERS = {"answer", "machine", "busy", "no-answer", "failed", PERSON}
# A called number whose last four digits are a SIP code behaves like it.
MAGIC_ENDINGS = {
    "0486": {"answer": "busy"},
    "0408": {"answer": "no-answer"},
    "0404": {"answer": "failed"},
    "0600": {
        "answer": "machine",
        "script": [{"say": "You have reached my voicemail. Speak after the beep."}],
    },
    # An assistant answers, asks who calls, and fetches its person: Apple's words.
    "0183": {
        "answer": "answer",
        "script": [
            {
                "say": "Hi, if you record your name and reason for calling, I’ll see "
                "if this person is available."
            },
            {"wait_for": "agent_done"},
            {"say": "Thanks. Please stay on the line."},
            {"silence_s": 12},
            {"say": "Hello?", "now": True},
            {"wait_for": "agent_done"},
            {"say": "That suits me. Goodbye."},
            {"wait_for": "agent_done"},
            {"hang_up": True},
        ],
    },
}
POLITE_CALLEE = [
    {"wait_for": "agent_done"},
    {"say": "Yes, hello?"},
    {"say": "Thank you, that is all. Goodbye."},
    {"wait_for": "agent_done"},
    {"hang_up": True},
]


class BadPlan(Exception):
    """A caller or callee cannot behave like that; says why."""


class Engine:
    def __init__(self, store: Store, courier: Courier, speed: float):
        self._store = store
        self._courier = courier
        self._speed = speed
        self._calls: dict[str, Call] = {}
        self._lives: dict[str, asyncio.Task] = {}

    def find(self, sid: str) -> Call | None:
        """A call that is still going on."""
        call = self._calls.get(sid)
        return None if call is None or call.has_ended else call

    def secrets_of_lines(self, account_sid: str) -> set[str]:
        """Tokens of the test lines of this account with a call going on."""
        return {
            call.secret
            for call in self._calls.values()
            if call.row["account_sid"] == account_sid
        }

    # beginning

    def ring(
        self,
        number: dict,
        *,
        secret: str,
        from_number: str,
        plan: Plan,
        is_person: bool = False,
    ) -> Call:
        """Somebody calls one of our numbers (a row of `numbers`, or a test line)."""
        row = self._new_row(
            account_sid=number["account_sid"],
            phone_number_sid=number.get("sid"),
            from_number=from_number,
            to_number=number["phone_number"],
            direction="inbound",
            status="ringing",
        )
        call = self._make(
            row,
            secret=secret,
            pace=self._pace(plan, is_person),
            voice=Webhook(number["voice_url"], number["voice_method"]),
            fallback=Webhook(
                number["voice_fallback_url"], number["voice_fallback_method"]
            ),
            callbacks=Callbacks(
                number["status_callback"], number["status_callback_method"]
            ),
        )
        return self._start(call, plan)

    def dial(
        self,
        *,
        account: dict,
        number: dict,
        to_number: str,
        voice: Webhook,
        fallback: Webhook,
        callbacks: Callbacks,
        timeout_s: int,
        detection: Detection | None = None,
    ) -> Call:
        """The application calls somebody, who behaves as was arranged."""
        given = self.callee(to_number) or {"answer": "answer", "script": POLITE_CALLEE}
        is_person = given.get("typed") is True or given["answer"] == PERSON
        plan = read_plan(given)
        if plan.answer == PERSON:
            plan = Plan(PERSON, timeout_s)
        elif plan.answer == "no-answer" or plan.ring_s > timeout_s:
            plan = Plan("no-answer", timeout_s)
        row = self._new_row(
            account_sid=account["sid"],
            phone_number_sid=number["sid"],
            from_number=number["phone_number"],
            to_number=to_number,
            direction="outbound-api",
            status="queued",
        )
        call = self._make(
            row,
            secret=account["auth_token"],
            pace=self._pace(plan, is_person),
            voice=voice,
            fallback=fallback,
            callbacks=callbacks,
            detection=detection,
        )
        return self._start(call, plan)

    def callee(self, number: str) -> dict | None:
        """How this number behaves when called; None if nothing was arranged."""
        if (plan := self._store.callee(number)) is not None:
            return plan
        if (plan := MAGIC_ENDINGS.get(number[-4:])) is not None:
            return plan
        if self._store.get("numbers", phone_number=number):
            return {"answer": "answer", "script": POLITE_CALLEE}
        return None

    # ending

    async def close(self) -> None:
        """End every call, try their last callbacks for a few seconds, and stop."""
        for call in self._calls.values():
            call.hang_up(reason="carrier_stopped", status="canceled")
        lives = list(self._lives.values())
        if lives:
            _, late = await asyncio.wait(lives, timeout=CLOSING_S)
            for life in late:
                life.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._store.fail_open_calls()

    # how it works inside

    def _new_row(self, **columns) -> dict[str, Any]:
        now = time.time()
        return self._store.insert(
            "calls",
            sid=make_sid("CA"),
            token=make_token(),
            created_at=now,
            updated_at=now,
            **columns,
        )

    def _pace(self, plan: Plan, is_person: bool) -> Pace:
        speed = self._speed if plan.speed is None else plan.speed
        return Pace(speed, is_person, plan.has_real_silences)

    def _make(self, row: dict, **how) -> Call:
        return Call(row, store=self._store, courier=self._courier, **how)

    def _start(self, call: Call, plan: Plan) -> Call:
        life = Life(call, plan, self.callee)
        self._calls[call.sid] = call
        self._lives[call.sid] = asyncio.create_task(self._live(call, life))
        return call

    async def _live(self, call: Call, life: Life) -> None:
        try:
            await life.run()
        except Exception:  # the outermost edge of a call: one must not stop others
            logger.exception("call %s: broke", call.sid)
            if not call.has_ended:
                call.end("failed", "simulator_error")
        finally:
            del self._calls[call.sid], self._lives[call.sid]


def read_plan(given: dict) -> Plan:
    """Read `{answer?, ring_s?, script? | typed, speed?, real_silences?}`.

    Raises BadPlan.
    """
    answer = given.get("answer", "answer")
    if answer not in ANSWERS:
        raise BadPlan(f"answer is one of {', '.join(sorted(ANSWERS))}")
    ring_s = _number(given, "ring_s", RING_S, most=600)
    speed = _number(given, "speed", None, most=100)
    if given.get("typed") and given.get("script"):
        raise BadPlan("a caller is typed or scripted, not both")
    try:
        steps = read_script(given.get("script") or [])
    except BadScript as exc:
        raise BadPlan(str(exc)) from exc
    real_silences = given.get("real_silences") is True
    return Plan(answer, ring_s, steps, speed, real_silences)


def _number(given: dict, name: str, default: float | None, *, most: float):
    value = given.get(name, default)
    if value is None and default is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadPlan(f"{name} must be a number")
    if not 0 <= value <= most:
        raise BadPlan(f"{name} must be from 0 to {most}")
    return value


def check_numbers(*numbers: object) -> None:
    """Raises BadPlan unless each is an E.164 number."""
    for number in numbers:
        if not isinstance(number, str) or not is_number(number):
            raise BadPlan(f"{number!r} is not an E.164 number")
