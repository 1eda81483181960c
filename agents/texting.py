"""How a message agent answers texts: what its model is shown, when a person takes over.

It knows no carrier: who calls it says what was written and sends what is answered. The
model may use tools before it answers; who calls it says how.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import count
from time import monotonic
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format

from agents import llm, services
from agents.chat import Message, ToolCall
from agents.dialogue import contains_phrase
from agents.dialogue.history import messages_of
from agents.dialogue.script import ToolUse, Turn
from agents.hours import is_open
from agents.known import NOTHING, Known
from agents.models import MessageAgent
from agents.prompts import TEXTING_PREAMBLE, placeholders, render, with_preamble
from agents.tools import Outcome, Toolbox
from agents.tools.built_in import DO_NOT_CALL, HAND_OVER

Sender = Literal["texter", "agent"]
SENDERS = {"texter": "caller", "agent": "agent"}

MAX_USES = 8  # of tools, for one answer
MODEL_WITHIN_S = 45
TOOL_WITHIN_S = 25  # more than a tool's own limit
CONCLUDE_WITHIN_S = 12  # is kept for the answer once tools were used
TOOK_TOO_LONG = "It took too long and was given up. Perhaps it was done."
# What the built-in tool answers.
HANDED_OVER = "A person will go on. Tell them so: it is the last text of yours."


@dataclass(frozen=True)
class Text:
    """One text of a conversation."""

    sender: Sender
    body: str


@dataclass(frozen=True)
class Use:
    """One use of a tool; `text` is what the model is shown of it."""

    name: str
    arguments: str
    status: str
    text: str
    elapsed_ms: int = 0


Entry = Text | Use
UseTool = Callable[[ToolCall, float], Awaitable[Use]]
"""Use a tool within so many seconds."""


@dataclass(frozen=True)
class Thread:
    """What the model is shown: instructions, then what was written and done in turn."""

    instructions: str
    entries: tuple[Entry, ...] = ()
    known: str = ""

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was written, or is known, is never part of the instructions."""
        turns = map(_turn, self.entries, count(1))
        return messages_of(self.instructions, turns, known=self.known)

    def after(self, *entries: Entry) -> "Thread":
        return replace(self, entries=(*self.entries, *entries))


def _turn(entry: Entry, number: int) -> Turn:
    if isinstance(entry, Text):
        return Turn(number, SENDERS[entry.sender], entry.body, 0)
    use = ToolUse(entry.name, entry.arguments, entry.status, entry.elapsed_ms)
    return Turn(number, "tool", entry.text, 0, tool=use)


@dataclass(frozen=True)
class Answer:
    """What to do about the latest texts: send `body`, if there is any.

    `hands_over`: a person is asked for, and the agent is silent from then on. `uses`
    are the tools that were used for it.
    """

    body: str
    is_away: bool = False
    hands_over: bool = False
    uses: tuple[Use, ...] = ()


def answer(
    agent: MessageAgent,
    entries: Sequence[Entry],
    *,
    number: str,
    at: datetime,
    deadline_s: float,
    pretend_open: bool = False,
    toolbox: Toolbox,
) -> Answer:
    """What `agent` answers at the moment `at` to the latest text of `number`.

    Asks the model, so never within a transaction. Raises `llm.ModelFailed`.
    """
    asked = [entry.body for entry in entries if isinstance(entry, Text)][-1]
    known = answer_without_model(
        agent, asked, number=number, at=at, pretend_open=pretend_open
    )
    if known is not None:
        return known
    thread = thread_of(agent, entries, number=number, at=at)
    provider = services.provider_of(agent.owner, agent.model)
    use = partial(run_tool, toolbox)
    asking = ask(agent, provider, thread, toolbox.schemas, use, deadline_s=deadline_s)
    return llm.run(asking)


async def run_tool(toolbox: Toolbox, call: ToolCall, within_s: float) -> Use:
    """Use a tool once. Raises nothing, and ends in time."""
    began = monotonic()
    try:
        async with asyncio.timeout(within_s):
            done = await toolbox.run(call.name, call.arguments)
    except TimeoutError:
        elapsed_ms = int((monotonic() - began) * 1000)
        done = Outcome("timed_out", TOOK_TOO_LONG, elapsed_ms)
    return Use(call.name, call.arguments, done.status, done.text, done.elapsed_ms)


def answer_without_model(
    agent: MessageAgent,
    body: str,
    *,
    number: str,
    at: datetime,
    pretend_open: bool = False,
    known: Known = NOTHING,
) -> Answer | None:
    """What hours and phrases for a person say to a text; None: ask the model."""
    asked_for_person = asks_for_person(agent, body)
    if not (pretend_open or is_open(agent.business_hours, at)):
        away = _filled(agent, agent.away_message, number=number, at=at, known=known)
        return Answer(away, is_away=True, hands_over=asked_for_person)
    return Answer("", hands_over=True) if asked_for_person else None


async def ask(
    agent: MessageAgent,
    provider: llm.Provider,
    thread: Thread,
    tools: tuple[dict[str, Any], ...],
    use: UseTool,
    *,
    deadline_s: float,
    begun: Sequence[Use] = (),
    meter: llm.Meter | None = None,
) -> Answer:
    """What the model answers, once it has used what it wanted. Raises `ModelFailed`.

    `begun` was used for this answer before, by somebody who did not come to its end; it
    stands in the thread. `meter` counts the tokens, also of what fails.
    """
    until = monotonic() + deadline_s
    uses = list(begun)
    while not _is_stopped(uses):
        left_s = until - monotonic()
        may_use = len(uses) < MAX_USES and left_s > 2 * CONCLUDE_WITHIN_S
        request = llm.Request(
            messages=thread.messages,
            model=agent.model or None,
            temperature=agent.temperature,
            max_tokens=agent.max_tokens,
            tools=tools,
            may_use_tools=may_use,
            meter=meter,
        )
        within_s = min(left_s, MODEL_WITHIN_S)
        pieces: list[llm.Piece] = []
        try:
            pieces = await llm.collect_pieces(provider, request, within_s)
        finally:
            _estimate_what_was_not_told(request, pieces)
        calls = [piece for piece in pieces if isinstance(piece, ToolCall)]
        if not (calls and may_use):
            body = "".join(p for p in pieces if isinstance(p, str)).strip()
            if calls and not body:
                raise llm.ModelFailed("empty")
            hands_over = asks_for_person(agent, body) or _has_used(uses, HAND_OVER)
            return Answer(body, hands_over=hands_over, uses=tuple(uses))
        # What it writes beside is no text to anybody: it has not heard the answers yet.
        for call in calls[: MAX_USES - len(uses)]:
            left_s = until - monotonic() - CONCLUDE_WITHIN_S
            if left_s <= 0:
                break
            used = await use(call, min(left_s, TOOL_WITHIN_S))
            uses.append(used)
            thread = thread.after(used)
    return Answer("", uses=tuple(uses))


def _estimate_what_was_not_told(
    request: llm.Request, pieces: Sequence[llm.Piece]
) -> None:
    meter = request.meter
    while meter is not None and meter.told < meter.asked:
        meter.estimate(
            sum(len(str(message.get("content"))) for message in request.messages),
            sum(len(str(piece)) for piece in pieces),
        )


def _is_stopped(uses: Sequence[Use]) -> bool:
    """Whether they asked for no more texts: no answer is one too."""
    return _has_used(uses, DO_NOT_CALL)


def _has_used(uses: Sequence[Use], name: str) -> bool:
    return any(use.name == name and use.status == "ok" for use in uses)


def asks_for_person(agent: MessageAgent, body: str) -> bool:
    """Whether a text of either side has one of the agent's phrases for that."""
    return contains_phrase(body, agent.handoff_phrases)


def thread_of(
    agent: MessageAgent,
    entries: Sequence[Entry],
    *,
    number: str,
    at: datetime,
    known: Known = NOTHING,
) -> Thread:
    """What the agent's model is shown: its latest texts, and the tools used since."""
    instructions = _filled(agent, agent.prompt_text, number=number, at=at, known=known)
    told = with_preamble(instructions, TEXTING_PREAMBLE)
    return Thread(told, _latest(entries, agent.history_limit), known.as_message)


def _latest(entries: Sequence[Entry], most_texts: int) -> tuple[Entry, ...]:
    places = [n for n, entry in enumerate(entries) if isinstance(entry, Text)]
    first = places[-most_texts:][:1]
    return tuple(entries[first[0] :] if first else entries)


def _filled(
    agent: MessageAgent,
    text: str,
    *,
    number: str,
    at: datetime,
    known: Known = NOTHING,
) -> str:
    """`text` with its placeholders; one that nobody filled in is left out."""
    today = at.astimezone(ZoneInfo(agent.owner.timezone))
    facts = {
        **agent.variables,
        **known.variables,
        "agent_name": agent.name,
        "caller_number": number,
        "today": date_format(today, "l, j F Y"),
    }
    return render(text, dict.fromkeys(placeholders(text), "") | facts)[0]
