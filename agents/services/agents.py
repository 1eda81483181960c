"""Verbs about agents, for the pages and the API alike."""

from itertools import chain, count
from typing import TypeVar

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from agents.models import Agent
from agents.services.refusals import (
    Gone,
    InstructionsMissing,
    PhoneBusy,
    PhoneMissing,
    VersionOfAnotherPrompt,
)
from agents.services.rows import locked, save_named
from agents.services.tools import keep_tools

AnyAgent = TypeVar("AnyAgent", bound=Agent)


def save_agent(agent: AnyAgent) -> AnyAgent:
    """Save a new agent or the changed settings of one.

    Whether a stored agent is active is not changed here: `activate` and `deactivate`
    do that. Raises InstructionsMissing, NameTaken, Gone, VersionOfAnotherPrompt and,
    for an active agent, PhoneMissing or PhoneBusy.
    """
    if not agent.has_text:
        raise InstructionsMissing
    pinned = agent.prompt_version if agent.prompt_version_id else None
    if pinned is not None and pinned.prompt_id != agent.prompt_id:
        raise VersionOfAnotherPrompt
    with transaction.atomic():
        # Before the agent itself, in the order of `activate`: no deadlock.
        _lock_related(agent, "prompt")
        keep_tools(agent)
        _lock_related(agent, "phone")
        if not agent._state.adding:
            agent.is_active = locked(type(agent), agent.pk).is_active
        if agent.is_active:
            if agent.phone_id is None:
                raise PhoneMissing
            rival = agent.rivals().first()
            if rival is not None:
                raise PhoneBusy(rival)
        with audit.changing(agent):
            save_named(agent)
    return agent


def activate(agent: AnyAgent) -> list[AnyAgent]:
    """Let the agent work on its phone; return the agents that it replaced there.

    They did the same: for calls at most one that answered and one that placed, for
    texts at most one. Safe to repeat. Raises PhoneMissing and Gone.
    """
    with transaction.atomic():
        if agent.phone_id is None:
            raise PhoneMissing
        # Everybody who activates something on this phone waits here for his turn.
        _lock_related(agent, "phone")
        stored = locked(type(agent), agent.pk)
        if stored.phone_id != agent.phone_id:
            raise Gone("phone")
        replaced = list(stored.rivals())
        for rival in replaced:
            with audit.changing(rival, Action.DEACTIVATED) as told:
                _set_active(rival, False)
                told["replaced_by"] = [None, stored.name]
        with audit.changing(stored, Action.ACTIVATED):
            _set_active(stored, True)
    agent.is_active = True
    return replaced


def deactivate(agent: Agent) -> None:
    """Let the agent rest: it gets nothing new, calls that run go on."""
    with audit.changing(agent, Action.DEACTIVATED):
        _set_active(agent, False)


def delete_agent(agent: Agent) -> None:
    """Put the agent away, inactive; its history stays. Raises Gone."""
    with transaction.atomic():
        held = locked(type(agent), agent.pk)
        _set_active(held, False)
        held.put_away()
        audit.record(Action.DELETED, held)


def duplicate_agent(agent: AnyAgent) -> AnyAgent:
    """Make another one like it: inactive, without a number. Raises NameTaken."""
    names = {field.attname for field in agent._meta.concrete_fields}
    own = {"id", "name", "phone_id", "is_active", "created_at", "updated_at"}
    kept = {name: getattr(agent, name) for name in names - own}
    return save_agent(type(agent)(**kept, name=_free_name(agent)))


def _free_name(agent: Agent) -> str:
    """“Sales (copy)”, “Sales (copy 2)” …, within what a name can have."""
    namesakes = type(agent).objects.for_owner(agent.owner_id)
    taken = set(namesakes.values_list("name", flat=True))
    longest = agent._meta.get_field("name").max_length
    endings = chain(
        [_(" (copy)")], (_(" (copy %(number)d)") % {"number": n} for n in count(2))
    )
    names = (agent.name[: longest - len(ending)] + ending for ending in endings)
    return next(name for name in names if name not in taken)


def _set_active(agent: Agent, is_active: bool) -> None:
    agent.is_active = is_active
    agent.save(update_fields=["is_active"])


def _lock_related(agent: Agent, name: str) -> None:
    """Hold what the agent's field `name` points at, if anything."""
    field = agent._meta.get_field(name)
    pk = getattr(agent, field.attname)
    if pk is not None:
        locked(field.related_model, pk, name)
