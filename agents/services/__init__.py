"""Verbs about prompts and agents, for the pages and the API alike."""

from agents.services.agents import (
    activate,
    deactivate,
    delete_agent,
    duplicate_agent,
    save_agent,
)
from agents.services.prompts import (
    agents_following,
    agents_using,
    delete_prompt,
    restore_version,
    save_prompt,
)
from agents.services.refusals import (
    AgentsWouldChange,
    Gone,
    InstructionsMissing,
    NameTaken,
    PhoneBusy,
    PhoneMissing,
    PromptChanged,
    PromptInUse,
    Refused,
    VersionOfAnotherPrompt,
)

__all__ = [
    "AgentsWouldChange",
    "Gone",
    "InstructionsMissing",
    "NameTaken",
    "PhoneBusy",
    "PhoneMissing",
    "PromptChanged",
    "PromptInUse",
    "Refused",
    "VersionOfAnotherPrompt",
    "activate",
    "agents_following",
    "agents_using",
    "deactivate",
    "delete_agent",
    "delete_prompt",
    "duplicate_agent",
    "restore_version",
    "save_agent",
    "save_prompt",
]
