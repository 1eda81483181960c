"""Verbs about prompts, for the pages and the API alike."""

from collections.abc import Collection

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from accounts.models import User, Workspace
from agents.models import Agent, MessageAgent, Prompt, PromptVersion, VoiceAgent
from agents.services.refusals import AgentsWouldChange, PromptChanged, PromptInUse
from agents.services.rows import locked, save_named


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
    action: str = Action.CHANGED,
) -> Prompt:
    """Make a prompt (`prompt` is None) or change one.

    Another text is another version, a new name alone is not. `based_on` is the version
    that the author saw, by default the one that `prompt` was read with. `agents_seen`
    are the ids of the agents that they know will change; None: they were not asked.
    `action` is what the audit log calls a change.
    Raises NameTaken, Gone, PromptChanged if the text is not what they saw any more, and
    AgentsWouldChange if an agent follows the prompt that they have not seen.
    """
    with transaction.atomic():
        if prompt is None:
            saved, is_new_text = Prompt(owner=owner, text=text), True
        else:
            saved = locked(Prompt, prompt.pk)
            is_new_text = saved.text != text
            if is_new_text and saved.version != (based_on or prompt.version):
                raise PromptChanged(saved.version)
            if is_new_text and agents_seen is not None:
                _refuse_unseen(saved, agents_seen)
            saved.version += is_new_text
        saved.name, saved.text = name, text
        with audit.changing(saved, action) as told:
            save_named(saved)
            if is_new_text:
                told["version"] = [prompt and saved.version - 1, saved.version]
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
    followers = agents_following(prompt)
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
        action=Action.RESTORED,
    )


def delete_prompt(prompt: Prompt) -> None:
    """Put the prompt away; its versions stay. Raises PromptInUse and Gone."""
    with transaction.atomic():
        held = locked(Prompt, prompt.pk)
        users = agents_using(held)
        if users:
            raise PromptInUse(users)
        held.put_away()
        audit.record(Action.DELETED, held)


def agents_using(prompt: Prompt) -> list[Agent]:
    """The agents of `prompt`, pinned or not: the active ones first, by name."""
    found: list[Agent] = []
    for kind in (VoiceAgent, MessageAgent):
        agents = kind.objects.for_owner(prompt.owner_id).filter(prompt=prompt)
        found += agents.select_related("phone", "prompt", "prompt_version")
    return sorted(found, key=lambda agent: (not agent.is_active, agent.name))


def agents_following(prompt: Prompt) -> list[Agent]:
    """Those of `agents_using` that change with the prompt."""
    return [agent for agent in agents_using(prompt) if agent.prompt_version_id is None]
