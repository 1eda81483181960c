"""An agent's tools for one call."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from agents.tools import built_in, http
from agents.tools.outcome import Outcome, Status, shown
from agents.tools.schema import BadArguments, read_arguments
from voiceops.threads import in_thread

if TYPE_CHECKING:
    from agents.models import Agent, Tool

BUILT_IN_TIMEOUT_S = 5

logger = logging.getLogger(__name__)

BuiltIn = Callable[[dict], Awaitable[str]]


@dataclass(frozen=True)
class _Tool:
    """One tool as the model is told of it, and how it is used."""

    name: str
    description: str
    parameters: dict[str, Any]
    run: Callable[[str], Awaitable[Outcome]]
    meanwhile: str = ""
    is_repeatable: bool = True  # twice does no more than once

    @property
    def schema(self) -> dict[str, Any]:
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        return {"type": "function", "function": function}


class Toolbox:
    """An agent's tools for one call or one answer by text: read once, in a database
    thread, when it begins."""

    def __init__(self, tools: list[_Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self.schemas = tuple(tool.schema for tool in self._tools.values())

    @classmethod
    def of(
        cls,
        agent: "Agent",
        built_ins: Mapping[str, BuiltIn],
        withheld: Set[str] = frozenset(),
        answers: Mapping[str, str] | None = None,
    ) -> "Toolbox":
        """The tools that the agent was given; built-ins only if they can be done now,
        which the `withheld` can't. Those with `answers` are not used but answer that.
        """
        from agents.models import Tool  # whose fields are checked by this package

        chosen = [
            _built_in(one, built_ins.get(one.name, _not_here), agent)
            for one in built_in.given_to(agent)
            if (one.is_of_dialogue or one.name in built_ins)
            and one.name not in withheld
        ]
        tools = [*chosen, *map(_http, Tool.objects.of_agent(agent))]
        return cls([_answering(tool, answers or {}) for tool in tools])

    def meanwhile(self, name: str) -> str:
        """What to say while the tool works; empty for nothing."""
        tool = self._tools.get(name)
        return tool.meanwhile if tool else ""

    def is_repeatable(self, name: str) -> bool:
        """Whether it can be used again where nobody knows if it has been used."""
        tool = self._tools.get(name)
        return tool is None or tool.is_repeatable

    async def run(self, name: str, arguments: str) -> Outcome:
        """Use a tool with the model's JSON text. Never raises; bounded in time."""
        tool = self._tools.get(name)
        if tool is None:
            return Outcome("refused", "There is no tool of this name.", 0)
        started = time.monotonic()
        try:
            return await tool.run(arguments)
        except Exception:  # a bug in a tool must not end the call
            logger.exception("a tool broke")
            text = "The tool could not be used."
            return Outcome("failed", text, _ms_since(started))


def _ms_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _http(tool: "Tool") -> _Tool:
    endpoint = tool.endpoint

    async def run(arguments: str) -> Outcome:
        outcome = await http.call(endpoint, arguments)
        _note_use(tool, outcome)
        return outcome

    return _Tool(
        tool.name,
        tool.description,
        tool.parameters,
        run,
        tool.meanwhile,
        is_repeatable=tool.method in http.REPEATABLE_METHODS,
    )


def _answering(tool: _Tool, answers: Mapping[str, str]) -> _Tool:
    """The tool, or what answers in its place."""
    if tool.name not in answers:
        return tool

    async def run(arguments: str) -> Outcome:
        try:
            read_arguments(arguments, tool.parameters)
        except BadArguments as refusal:
            return Outcome("refused", str(refusal), 0)
        return Outcome("ok", shown(answers[tool.name]), 0)

    return replace(tool, run=run)


_notes: set[asyncio.Task] = set()  # the loop itself holds tasks weakly


def _note_use(tool: "Tool", outcome: Outcome) -> None:
    """Remember how it went, while the model reads on already."""
    note = asyncio.create_task(_noted(tool, outcome.status))
    _notes.add(note)
    note.add_done_callback(_notes.discard)


async def _noted(tool: "Tool", status: str) -> None:
    try:
        await in_thread(tool.note_use, status)
    except DatabaseError:
        logger.warning("tool %s: its use was not noted", tool.pk)


def _built_in(
    description: built_in.Description, function: BuiltIn, agent: "Agent"
) -> _Tool:
    async def run(arguments: str) -> Outcome:
        started = time.monotonic()
        status, text = await attempt(arguments)
        return Outcome(status, shown(text), _ms_since(started))

    async def attempt(arguments: str) -> tuple[Status, str]:
        try:
            given = read_arguments(arguments, description.parameters)
            async with asyncio.timeout(BUILT_IN_TIMEOUT_S):
                return "ok", await function(given)
        except BadArguments as refusal:
            return "refused", str(refusal)
        except TimeoutError:
            return "timed_out", "It took too long."

    meanwhile = getattr(agent, description.meanwhile) if description.meanwhile else ""
    return _Tool(
        description.name, description.told, description.parameters, run, meanwhile
    )


async def _not_here(arguments: dict) -> str:
    """What the dialogue carries out is asked of the dialogue; here it does nothing."""
    return ""
