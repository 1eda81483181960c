"""Verbs about tools and who has them, for the pages and the API alike."""

import asyncio
import json
from collections.abc import Collection, Iterable
from typing import Any

from django.conf import settings
from django.db import transaction
from yarl import URL

from accounts import audit
from accounts.audit import Action
from accounts.models import Workspace
from agents.models import Agent, MessageAgent, Tool, VoiceAgent
from agents.models.tools import is_id
from agents.services.refusals import (
    SecretsLeftBehind,
    ToolInUse,
    TooManyTests,
    UnknownTool,
)
from agents.services.rows import locked, save_named
from agents.tools import Outcome, built_in, guard, http
from voiceops import limits

KINDS: tuple[type[Agent], ...] = (VoiceAgent, MessageAgent)
TESTS_A_MINUTE = 10  # each can hold a web thread for as long as the tool waits


def save_tool(tool: Tool, *, entered: Collection[str] = ()) -> Tool:
    """Save a new tool or the changed settings of one.

    `entered` are the secret headers whose values were just written. The others follow
    to no other host: whoever may change a tool could read them there. Raises NameTaken,
    Gone and SecretsLeftBehind.
    """
    with transaction.atomic():
        if not tool._state.adding:
            stored = locked(Tool, tool.pk)
            if guard.origin(URL(stored.url)) != guard.origin(URL(tool.url)):
                _refuse_old_secrets(tool, entered)
        with audit.changing(tool):
            save_named(tool)
    return tool


def _refuse_old_secrets(tool: Tool, entered: Collection[str]) -> None:
    if old := [name for name in tool.secret_headers if name not in entered]:
        raise SecretsLeftBehind(old)


def delete_tool(tool: Tool) -> None:
    """Put the tool away; its name is free again. Raises ToolInUse and Gone."""
    with transaction.atomic():
        stored = locked(Tool, tool.pk)
        if agents := agents_with(stored):
            raise ToolInUse(agents)
        audit.record(Action.DELETED, stored)
        stored.put_away()


def agents_with(tool: Tool) -> list[Agent]:
    """The agents that have the tool: the active ones first, by name."""
    agents = [
        agent
        for kind in KINDS
        for agent in kind.objects.for_owner(tool.owner_id).select_related("phone")
        if str(tool.pk) in agent.tools
    ]
    return sorted(agents, key=lambda agent: (not agent.is_active, agent.name))


def count_agents(tools: Iterable[Tool], owner: Workspace) -> None:
    """Set `agents` of each tool: how many agents have it."""
    given = [
        tools_of_agent
        for kind in KINDS
        for tools_of_agent in kind.objects.for_owner(owner).values_list(
            "tools", flat=True
        )
    ]
    names = [name for tools_of_agent in given for name in tools_of_agent]
    for tool in tools:
        tool.agents = names.count(str(tool.pk))


def check_choice(agent: Agent) -> None:
    """Raise UnknownTool for one that the agent cannot be given."""
    offered = {one.name for one in built_in.offered_to(agent)}
    found = {str(tool.pk) for tool in Tool.objects.of_agent(agent)}
    for name in agent.tools:
        if name not in offered | found:
            raise UnknownTool(name)


def keep_tools(agent: Agent) -> None:
    """Hold the agent's own tools until the transaction ends; it loses deleted ones."""
    ids = [name for name in agent.tools if is_id(name)]
    tools = Tool.objects.for_owner(agent.owner_id).select_for_update(no_key=True)
    found = {str(tool.pk) for tool in tools.filter(pk__in=ids).order_by("pk")}
    agent.tools = [name for name in agent.tools if name in found or not is_id(name)]


def try_tool(tool: Tool, arguments: dict[str, Any]) -> Outcome:
    """Use the tool once, now and for real. Raises TooManyTests."""
    usage = limits.count("tool-test", tool.owner_id, TESTS_A_MINUTE)
    if settings.RATE_LIMITS and not usage.is_allowed:
        raise TooManyTests(usage.reset_s)
    audit.record(Action.TESTED, tool)
    return asyncio.run(http.call(tool.endpoint, json.dumps(arguments)))
