"""Verbs about agents, for the pages and the API alike."""

from itertools import chain, count

from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from agents.models import VoiceAgent
from agents.services.refusals import (
    Gone,
    PhoneBusy,
    PhoneMissing,
    VersionOfAnotherPrompt,
)
from agents.services.rows import locked, save_named


def save_agent(agent: VoiceAgent) -> VoiceAgent:
    """Save a new agent or the changed settings of one.

    Whether a stored agent is active is not changed here: `activate` and `deactivate`
    do that. Raises NameTaken, Gone, VersionOfAnotherPrompt and, for an active agent,
    PhoneMissing or PhoneBusy.
    """
    pinned = agent.prompt_version if agent.prompt_version_id else None
    if pinned is not None and pinned.prompt_id != agent.prompt_id:
        raise VersionOfAnotherPrompt
    with transaction.atomic():
        # Before the agent itself, in the order of `activate`: no deadlock.
        _lock_related(agent, "prompt")
        _lock_related(agent, "phone")
        if not agent._state.adding:
            agent.is_active = locked(VoiceAgent, agent.pk).is_active
        if agent.is_active:
            if agent.phone_id is None:
                raise PhoneMissing
            rival = _rivals(agent).first()
            if rival is not None:
                raise PhoneBusy(rival)
        with audit.changing(agent):
            save_named(agent)
    return agent


def activate(agent: VoiceAgent) -> list[VoiceAgent]:
    """Let the agent answer or place calls; return the agents that it replaced.

    They were active on the same phone for the same kind of calls: at most one that
    answered and one that placed. Safe to repeat. Raises PhoneMissing and Gone.
    """
    with transaction.atomic():
        if agent.phone_id is None:
            raise PhoneMissing
        # Everybody who activates something on this phone waits here for his turn.
        _lock_related(agent, "phone")
        stored = locked(VoiceAgent, agent.pk)
        if stored.phone_id != agent.phone_id:
            raise Gone("phone")
        replaced = list(_rivals(stored))
        for rival in replaced:
            with audit.changing(rival, Action.DEACTIVATED) as told:
                _set_active(rival, False)
                told["replaced_by"] = [None, stored.name]
        with audit.changing(stored, Action.ACTIVATED):
            _set_active(stored, True)
    agent.is_active = True
    return replaced


def deactivate(agent: VoiceAgent) -> None:
    """Let the agent rest: it gets no new calls, calls that run go on."""
    with audit.changing(agent, Action.DEACTIVATED):
        _set_active(agent, False)


def delete_agent(agent: VoiceAgent) -> None:
    """Put the agent away, inactive: its calls stay, its name is free. Raises Gone."""
    with transaction.atomic():
        held = locked(VoiceAgent, agent.pk)
        _set_active(held, False)
        held.put_away()
        audit.record(Action.DELETED, held)


def duplicate_agent(agent: VoiceAgent) -> VoiceAgent:
    """Make another one like it: inactive, without a number. Raises NameTaken."""
    names = {field.attname for field in VoiceAgent._meta.concrete_fields}
    own = {"id", "name", "phone_id", "is_active", "created_at", "updated_at"}
    kept = {name: getattr(agent, name) for name in names - own}
    return save_agent(VoiceAgent(**kept, name=_free_name(agent)))


def _free_name(agent: VoiceAgent) -> str:
    """“Sales (copy)”, “Sales (copy 2)” …, within what a name can have."""
    namesakes = VoiceAgent.objects.for_owner(agent.owner_id)
    taken = set(namesakes.values_list("name", flat=True))
    longest = VoiceAgent._meta.get_field("name").max_length
    endings = chain(
        [_(" (copy)")], (_(" (copy %(number)d)") % {"number": n} for n in count(2))
    )
    names = (agent.name[: longest - len(ending)] + ending for ending in endings)
    return next(name for name in names if name not in taken)


def _set_active(agent: VoiceAgent, is_active: bool) -> None:
    agent.is_active = is_active
    agent.save(update_fields=["is_active"])


def _rivals(agent: VoiceAgent) -> models.QuerySet[VoiceAgent]:
    """Active agents on the agent's phone that do what it would do."""
    same_calls = Q()
    for directions in (VoiceAgent.ANSWERING, VoiceAgent.PLACING):
        if agent.direction in directions:
            same_calls |= Q(direction__in=directions)
    active = VoiceAgent.unscoped.filter(
        same_calls, phone=agent.phone_id, is_active=True, deleted_at=None
    )
    return active.exclude(pk=agent.pk).order_by("pk")


def _lock_related(agent: VoiceAgent, name: str) -> None:
    """Hold what the agent's field `name` points at, if anything."""
    field = VoiceAgent._meta.get_field(name)
    pk = getattr(agent, field.attname)
    if pk is not None:
        locked(field.related_model, pk, name)
