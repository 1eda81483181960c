"""Verbs about prompts and voice agents, for the pages and the API alike."""

import uuid
from collections.abc import Collection, Iterable
from itertools import chain, count
from typing import TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User, Workspace
from accounts.tenancy import SoftDeleteModel
from agents.models import Prompt, PromptVersion, VoiceAgent

Row = TypeVar("Row", bound=SoftDeleteModel)


class Refused(Exception):
    """A rule forbids the change: `str()` says why, `field` which input it is about."""

    field: str | None = None


class NameTaken(Refused):
    field = "name"


class PromptChanged(Refused):
    """Somebody else saved `version` since the author read the text."""

    field = "text"

    def __init__(self, version: int) -> None:
        self.version = version
        super().__init__(
            _(
                "Somebody else saved version %(number)d while you were writing. Look "
                "at it in another tab; if you save again, yours becomes the newest."
            )
            % {"number": version}
        )


class AgentsWouldChange(Refused):
    """`agents` follow the prompt and would talk differently at once."""

    def __init__(self, agents: Iterable[VoiceAgent]) -> None:
        self.agents = list(agents)
        super().__init__(
            _("These voice agents would change too: %(names)s")
            % {"names": _names(self.agents)}
        )


class PromptInUse(Refused):
    """Voice agents follow the prompt or are pinned to a version; they are `agents`."""

    def __init__(self, agents: Iterable[VoiceAgent]) -> None:
        self.agents = list(agents)
        super().__init__(
            _("These voice agents use it: %(names)s") % {"names": _names(self.agents)}
        )


class VersionOfAnotherPrompt(Refused):
    field = "prompt_version"

    def __init__(self) -> None:
        super().__init__(_("Choose a version of this agent's prompt, or its newest."))


class PhoneMissing(Refused):
    field = "phone"

    def __init__(self) -> None:
        super().__init__(_("An active agent needs a phone number: choose one first."))


class PhoneBusy(Refused):
    """`agent` is active on the same phone for the same kind of calls."""

    field = "phone"

    def __init__(self, agent: VoiceAgent) -> None:
        self.agent = agent
        super().__init__(
            _(
                "“%(name)s” is active on this number. Deactivate one of the two first, "
                "or save this one on another number."
            )
            % {"name": agent.name}
        )


def _names(agents: Iterable[VoiceAgent]) -> str:
    return ", ".join(agent.name for agent in agents)


class Gone(Refused):
    """The row, or the one that its `field` points at, was deleted in the meantime."""

    def __init__(self, field: str | None = None) -> None:
        self.field = field
        super().__init__(_("It was changed or deleted in the meantime."))


def save_prompt(
    *,
    owner: Workspace,
    prompt: Prompt | None,
    name: str,
    text: str,
    note: str,
    author: User | None,
    based_on: int | None = None,
    agents_seen: Collection[str] | None = None,
) -> Prompt:
    """Make a prompt (`prompt` is None) or change one.

    Another text is another version, a new name alone is not. `based_on` is the version
    that the author saw, by default the one that `prompt` was read with. `agents_seen`
    are the ids of the agents that they know will change; None: they were not asked.
    Raises NameTaken, Gone, PromptChanged if the text is not what they saw any more, and
    AgentsWouldChange if an agent follows the prompt that they have not seen.
    """
    with transaction.atomic():
        if prompt is None:
            saved, is_new_text = Prompt(owner=owner, text=text), True
        else:
            saved = _locked(Prompt, prompt.pk)
            is_new_text = saved.text != text
            if is_new_text and saved.version != (based_on or prompt.version):
                raise PromptChanged(saved.version)
            if is_new_text and agents_seen is not None:
                _refuse_unseen(saved, agents_seen)
            saved.version += is_new_text
        saved.name, saved.text = name, text
        _save_named(saved)
        if is_new_text:
            PromptVersion(
                owner=owner,
                prompt=saved,
                number=saved.version,
                text=text,
                note=note,
                author=author,
            ).save()
    return saved


def _refuse_unseen(prompt: Prompt, agents_seen: Collection[str]) -> None:
    # Who begins to follow the prompt waits for its lock: nobody slips in behind this.
    followers = list(agents_following(prompt))
    if {str(agent.pk) for agent in followers} - set(agents_seen):
        raise AgentsWouldChange(followers)


def restore_version(
    version: PromptVersion,
    *,
    author: User | None,
    based_on: int,
    agents_seen: Collection[str] | None = None,
) -> Prompt:
    """Make the text of an old version the newest one. Raises what save_prompt does."""
    return save_prompt(
        owner=version.owner,
        prompt=version.prompt,
        name=version.prompt.name,
        text=version.text,
        note=_("Restored version %(number)d") % {"number": version.number},
        author=author,
        based_on=based_on,
        agents_seen=agents_seen,
    )


def delete_prompt(prompt: Prompt) -> None:
    """Put the prompt away; its versions stay. Raises PromptInUse and Gone."""
    with transaction.atomic():
        locked = _locked(Prompt, prompt.pk)
        users = list(agents_using(locked))
        if users:
            raise PromptInUse(users)
        locked.put_away()


def agents_using(prompt: Prompt) -> models.QuerySet[VoiceAgent]:
    """The voice agents of `prompt`, pinned or not: the active ones first, by name."""
    agents = VoiceAgent.objects.for_owner(prompt.owner_id).filter(prompt=prompt)
    related = agents.select_related("phone", "prompt", "prompt_version")
    return related.order_by("-is_active", "name")


def agents_following(prompt: Prompt) -> models.QuerySet[VoiceAgent]:
    """Those of `agents_using` that change with the prompt."""
    return agents_using(prompt).filter(prompt_version=None)


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
            agent.is_active = _locked(VoiceAgent, agent.pk).is_active
        if agent.is_active:
            if agent.phone_id is None:
                raise PhoneMissing
            rival = _rivals(agent).first()
            if rival is not None:
                raise PhoneBusy(rival)
        _save_named(agent)
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
        stored = _locked(VoiceAgent, agent.pk)
        if stored.phone_id != agent.phone_id:
            raise Gone("phone")
        replaced = list(_rivals(stored))
        for rival in replaced:
            _set_active(rival, False)
        _set_active(stored, True)
    agent.is_active = True
    return replaced


def deactivate(agent: VoiceAgent) -> None:
    """Let the agent rest: it gets no new calls, calls that run go on."""
    _set_active(agent, False)


def delete_agent(agent: VoiceAgent) -> None:
    """Put the agent away, inactive; its calls stay and its name is free again."""
    agent.is_active = False
    agent.deleted_at = timezone.now()
    agent.save(update_fields=["is_active", "deleted_at"])


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


def _locked(model: type[Row], pk: uuid.UUID, field: str | None = None) -> Row:
    """The row, held until the transaction ends; raise Gone if it is deleted."""
    rows = model.unscoped.select_for_update(no_key=True)
    row = rows.filter(pk=pk, deleted_at=None).first()
    if row is None:
        raise Gone(field)
    return row


def _lock_related(agent: VoiceAgent, name: str) -> None:
    """Hold what the agent's field `name` points at, if anything."""
    field = VoiceAgent._meta.get_field(name)
    pk = getattr(agent, field.attname)
    if pk is not None:
        _locked(field.related_model, pk, name)


def _save_named(row: Prompt | VoiceAgent) -> None:
    """Save; the forms look names up first, the constraint decides a race."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        namesakes = type(row).objects.for_owner(row.owner_id).filter(name=row.name)
        if not namesakes.exclude(pk=row.pk).exists():
            raise
        raise NameTaken(_("Another one of this name was just saved.")) from None
