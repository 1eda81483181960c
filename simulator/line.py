"""The line between the agent's voice and the caller's ear, and back.

The agent's side plays words at a person's pace; the caller's side speaks when it is
its turn, cuts in, or presses keys. What the caller did is in `inputs`, in order. How
much of an utterance was *heard* is known at every moment, to the character, so an
interruption can say exactly what Twilio would.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass

from simulator.changes import Changes

CHARACTERS_PER_SECOND = 15
SHORTEST_SILENCE = 0.01  # of its real length: silences keep their order at speed 0
HEARD_AT_ONCE = 3  # characters between two looks at the clock
RECORDING_S = 1  # how long any recording is taken to last
PATIENCE_S = 30  # a caller who is not answered speaks again after this
KEY_PATIENCE_S = 3  # and after this, when only keys were pressed
BOTH = frozenset({"speech", "dtmf"})
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Pace:
    """How fast time goes: a factor on every wait, 1 for real time.

    Silences are real ones for a person, and for whoever wants them to be.
    """

    speed: float
    is_person: bool = False
    has_real_silences: bool = False

    def speaking_s(self, characters: int) -> float:
        return characters / CHARACTERS_PER_SECOND * self.speed

    def ringing_s(self, seconds: float) -> float:
        return seconds * self.speed

    def silence_s(self, seconds: float) -> float:
        """Silences and time limits: never zero."""
        is_real = self.is_person or self.has_real_silences
        return seconds * max(self.speed, 1 if is_real else SHORTEST_SILENCE)


@dataclass(frozen=True)
class Interruption:
    heard: str
    duration_ms: int


@dataclass(frozen=True)
class Words:
    """Something said; `during_speech` if the agent went on speaking meanwhile."""

    text: str
    during_speech: bool = False


@dataclass(frozen=True)
class Keys:
    digits: str
    during_speech: bool = False


@dataclass
class _Mark:
    """Where in the agent's utterance the caller means to cut in."""

    after_chars: int
    outcome: asyncio.Future  # "cut", "not cut" or "too late"

    def settle(self, outcome: str) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class Line:
    def __init__(self, pace: Pace, emit: Callable[..., None]):
        self.pace = pace
        self.changes = Changes()
        self.inputs: asyncio.Queue[Interruption | Words | Keys] = asyncio.Queue()
        self.on_cut: Callable[[], None] = lambda: None
        self.is_callers_turn = False
        self.is_agent_speaking = False
        self.is_caller_speaking = False
        self.turns_done = 0
        self._emit = emit
        self.heard = ""
        self._yields_to: frozenset[str] = BOTH
        self._cut = asyncio.Event()
        self._mark: _Mark | None = None
        self._patience_s = PATIENCE_S

    # the agent's side

    async def play(self, text: str, *, yields_to: frozenset[str] = BOTH) -> bool:
        """Let the caller hear `text`; False if the caller cut it off."""
        self._begin(text, yields_to)
        step = HEARD_AT_ONCE if self.pace.speed else len(text)
        while text:
            size = min(step, len(text), self._chars_to_mark())
            if not await self._uncut_for(self.pace.speaking_s(size)):
                return False
            self.heard, text = self.heard + text[:size], text[size:]
            if self._chars_to_mark() == 0 and self._reach_mark():
                return False
        return True

    async def play_file(self, url: str, *, yields_to: frozenset[str] = BOTH) -> bool:
        """Let the caller hear a recording; it counts for no heard words."""
        self._begin(f"[recording: {url}]", yields_to)
        return await self._uncut_for(self.pace.ringing_s(RECORDING_S))

    async def pause(self, seconds: float) -> bool:
        """Silence within the agent's speech; False if the caller cut in."""
        self._cut.clear()
        return await self._uncut_for(self.pace.silence_s(seconds))

    def finish_turn(self, *, gives_turn: bool) -> None:
        """The agent has said what it had to say."""
        self.is_agent_speaking = False
        self.heard = ""
        self.turns_done += 1
        self.is_callers_turn = gives_turn
        self._emit("agent_done")
        if self._mark is not None:
            self._mark.settle("too late")
        self.changes.tell()

    def listen(self) -> None:
        """Nothing more is said for now: it is the caller's turn."""
        if self.is_agent_speaking:
            self.finish_turn(gives_turn=True)
        self.is_callers_turn = True
        self.changes.tell()

    def forget_inputs(self) -> None:
        """Drop what was said while nobody listened."""
        while not self.inputs.empty():
            self.inputs.get_nowait()
            self.inputs.task_done()

    async def next_input(self, timeout_s: float) -> Interruption | Words | Keys | None:
        """What the caller does next; None after a silence of `timeout_s`.

        A caller who has begun to speak is heard out.
        """
        limit = self.pace.silence_s(timeout_s)
        await self.changes.until(
            lambda: self.is_caller_speaking or not self.inputs.empty(), timeout_s=limit
        )
        await self.changes.until(
            lambda: not self.is_caller_speaking or not self.inputs.empty()
        )
        if self.inputs.empty():
            return None
        taken = self.inputs.get_nowait()
        self.inputs.task_done()
        return taken

    # the caller's side

    async def say(self, text: str) -> None:
        """Speak when it is the caller's turn, or when patience ends."""
        await self._wait_for_turn()
        await self._utter(text)

    async def break_off(self, text: str) -> None:
        """Speak in turn, and get no further than the middle: nobody is told of it."""
        await self._wait_for_turn()
        begun = text[: (len(text) + 1) // 2]
        self._emit("caller", text=begun)
        self.is_callers_turn = False
        self.is_caller_speaking = True
        self.changes.tell()
        await asyncio.sleep(self.pace.speaking_s(len(begun)))

    async def cut_in(self, text: str, *, after_chars: int = 0) -> None:
        """Speak over the agent once `after_chars` of its utterance were heard.

        Words that come too late, because the utterance was shorter, are said in turn.
        """
        if self.is_agent_speaking and len(self.heard) >= after_chars:
            outcome = "cut" if self._interrupt("speech") else "not cut"
        else:
            outcome = await self._mark_outcome(after_chars)
        if outcome == "too late":
            await self.say(text)
        else:
            await self._utter(text, during_speech=True, cut_in=outcome == "cut")

    async def cut_in_now(self, text: str) -> None:
        """Speak at once, over the agent if it is speaking."""
        if self.is_agent_speaking:
            await self.cut_in(text)
        else:
            await self._utter(text)

    def press(self, digits: str) -> None:
        during_speech = self.is_agent_speaking
        self._emit("keys", digits=digits)
        if during_speech:
            self._interrupt("dtmf")
        self._put(Keys(digits, during_speech))

    async def press_in_turn(self, digits: str) -> None:
        await self._wait_for_turn()
        self.is_callers_turn = False
        self._patience_s = KEY_PATIENCE_S
        self.press(digits)

    async def inputs_taken(self, timeout_s: float) -> None:
        """Wait until the application was told everything said so far."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.inputs.join()

    # how it works inside

    async def _wait_for_turn(self) -> None:
        await self.changes.until(
            lambda: self.is_callers_turn, timeout_s=self._patience_s
        )
        self._patience_s = PATIENCE_S

    def _begin(self, text: str, yields_to: frozenset[str]) -> None:
        if not self.is_agent_speaking:
            self.heard = ""
        self.is_agent_speaking = True
        self.is_callers_turn = False
        self._yields_to = yields_to
        self._cut.clear()
        self._emit("agent_text", text=text)
        self.changes.tell()

    async def _uncut_for(self, seconds: float) -> bool:
        """Let time pass; False as soon as the caller cuts in."""
        if seconds and not self._cut.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._cut.wait()
        return not self._cut.is_set()

    async def _mark_outcome(self, after_chars: int) -> str:
        outcome = asyncio.get_running_loop().create_future()
        self._mark = _Mark(max(after_chars, 1), outcome)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await outcome
        except TimeoutError:
            return "too late"
        finally:
            self._mark = None

    def _chars_to_mark(self) -> float:
        if self._mark is None or self._mark.outcome.done():
            return math.inf
        return max(self._mark.after_chars - len(self.heard), 0)

    def _reach_mark(self) -> bool:
        was_cut = self._interrupt("speech")
        self._mark.settle("cut" if was_cut else "not cut")
        return was_cut

    def _interrupt(self, by: str) -> bool:
        """Cut the agent off, if it lets itself be cut off by this."""
        if by not in self._yields_to:
            return False
        heard, self.heard = self.heard, ""
        self.is_agent_speaking = False
        self._cut.set()
        self._emit("agent_cleared", heard=heard)
        self.on_cut()
        duration_ms = round(len(heard) / CHARACTERS_PER_SECOND * 1000)
        self._put(Interruption(heard, duration_ms))
        return True

    async def _utter(
        self, text: str, *, during_speech: bool = False, cut_in: bool = False
    ) -> None:
        self._emit("caller", text=text)
        if cut_in or not during_speech:
            self.is_callers_turn = False
        self.is_caller_speaking = True
        self.changes.tell()
        try:
            await asyncio.sleep(self.pace.speaking_s(len(text)))
        finally:
            self.is_caller_speaking = False
            self._put(Words(text, during_speech and not cut_in))

    def _put(self, given: Interruption | Words | Keys) -> None:
        self.inputs.put_nowait(given)
        self.changes.tell()
