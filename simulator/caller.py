"""The person at the other end: driven by a script, or by somebody who types.

A script is a list of steps, each an object with one of these:

- `{"say": "words"}` waits for the agent to finish, then speaks; `"now": true` does not
- `{"interrupt": "words", "after_chars": 20}` cuts in once that much was heard
- `{"press": "12#"}` waits for the agent to finish, then presses; `"now": true` does not
- `{"break_off": "words"}` begins to speak like that, and hangs up in the middle
- `{"silence_s": 3}` stays silent
- `{"wait_for": "agent_done"}` (or `"agent_text"`) waits for what was not yet waited for
- `{"hang_up": true}`

After its last step a caller stays on the line in silence.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from simulator.line import PATIENCE_S, Line

STEPS = "say, interrupt, press, break_off, silence_s, wait_for, hang_up"
MAX_STEPS = 500
MAX_CHARACTERS = 2000
DIGITS = re.compile(r"[0-9*#wW]{1,50}")
DELIVERY_S = 2  # how long a hang-up waits for the last words to be delivered


class BadScript(Exception):
    """A step or an action that means nothing; says which and why."""


@dataclass(frozen=True)
class Step:
    kind: str
    text: str = ""
    after_chars: int = 0
    seconds: float = 0
    now: bool = False


def read_script(script: object) -> list[Step]:
    """Check a script. Raises BadScript."""
    if not isinstance(script, list) or len(script) > MAX_STEPS:
        raise BadScript(f"a script is a list of at most {MAX_STEPS} steps")
    steps = []
    for number, given in enumerate(script, 1):
        try:
            steps.append(_read_step(given))
        except BadScript as exc:
            raise BadScript(f"step {number}: {exc}") from exc
    return steps


def read_action(given: object) -> Step:
    """Check what a typing person did: `{type, text?, digits?}`. Raises BadScript."""
    if not isinstance(given, dict):
        raise BadScript("an action is a JSON object")
    match given.get("type"):
        case "say" | "interrupt" as kind:
            return Step(kind, text=_words(given.get("text")))
        case "press":
            return Step("press", text=_digits(given.get("digits")), now=True)
        case "hang_up" | "pick_up" as kind:
            return Step(kind)
    raise BadScript("type must be say, interrupt, press, pick_up or hang_up")


def _read_step(given: object) -> Step:
    match given:
        case {"say": text, **rest}:
            return Step("say", text=_words(text), now=rest.get("now") is True)
        case {"interrupt": text, **rest}:
            after = _seconds(rest.get("after_chars", 0), "after_chars")
            return Step("interrupt", text=_words(text), after_chars=int(after))
        case {"break_off": text}:
            return Step("break_off", text=_words(text))
        case {"press": digits, **rest}:
            return Step("press", text=_digits(digits), now=rest.get("now") is True)
        case {"silence_s": seconds}:
            return Step("silence", seconds=_seconds(seconds, "silence_s"))
        case {"wait_for": "agent_done" | "agent_text" as what}:
            return Step("wait_for", text=what)
        case {"hang_up": True}:
            return Step("hang_up")
    raise BadScript(f"not one of {STEPS}")


def _words(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise BadScript("there are no words")
    if len(text) > MAX_CHARACTERS:
        raise BadScript(f"more than {MAX_CHARACTERS} characters")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise BadScript("the words are not valid Unicode") from exc
    return text


def _digits(digits: object) -> str:
    if not isinstance(digits, str) or not DIGITS.fullmatch(digits):
        raise BadScript("digits are 1 to 50 of 0-9 * # w")
    return digits.replace("w", "").replace("W", "")


def _seconds(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadScript(f"{name} must be a number")
    if not 0 <= value <= 3600:
        raise BadScript(f"{name} must be from 0 to 3600")
    return value


class Caller:
    """Carries out steps on a line, one after the other."""

    def __init__(self, line: Line, hang_up: Callable[[], None], steps: list[Step]):
        self._line = line
        self._hang_up = hang_up
        self._steps: asyncio.Queue[Step] = asyncio.Queue()
        self._turns_seen = 0
        for step in steps:
            self._steps.put_nowait(step)

    async def run(self) -> None:
        """Never ends by itself; cancel it when the call is over."""
        while True:
            await self._do(await self._steps.get())

    def act(self, step: Step) -> None:
        """What a typing person does: keys and hanging up need no turn."""
        if step.kind == "press":
            self._line.press(step.text)
        elif step.kind == "hang_up":
            self._hang_up()
        else:
            self._steps.put_nowait(step)

    async def _do(self, step: Step) -> None:
        line = self._line
        match step.kind:
            case "say" if step.now:
                await line.cut_in_now(step.text)
                self._turns_seen = line.turns_done
            case "say":
                await line.say(step.text)
                self._turns_seen = line.turns_done
            case "interrupt" if line.pace.is_person:
                await line.cut_in_now(step.text)
            case "interrupt":
                await line.cut_in(step.text, after_chars=step.after_chars)
                self._turns_seen = line.turns_done
            case "press" if step.now:
                line.press(step.text)
            case "press":
                await line.press_in_turn(step.text)
                self._turns_seen = line.turns_done
            case "break_off":
                await line.break_off(step.text)
                self._hang_up()
            case "silence":
                await asyncio.sleep(line.pace.silence_s(step.seconds))
            case "wait_for":
                await self._wait_for(step.text)
            case "hang_up":
                await line.inputs_taken(DELIVERY_S)
                self._hang_up()

    async def _wait_for(self, what: str) -> None:
        line = self._line
        if what == "agent_text":
            await line.changes.until(
                lambda: line.is_agent_speaking, timeout_s=PATIENCE_S
            )
            return
        seen = self._turns_seen
        if await line.changes.until(
            lambda: line.turns_done > seen, timeout_s=PATIENCE_S
        ):
            self._turns_seen = seen + 1
