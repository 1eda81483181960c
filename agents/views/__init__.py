from agents.views.prompts import (
    prompt_compare,
    prompt_create,
    prompt_delete,
    prompt_detail,
    prompt_list,
    prompt_preview,
    prompt_restore,
    prompt_version,
)
from agents.views.voice_agents import (
    agent_activate,
    agent_create,
    agent_deactivate,
    agent_delete,
    agent_detail,
    agent_duplicate,
    agent_list,
    agent_variables,
)

__all__ = [
    "agent_activate",
    "agent_create",
    "agent_deactivate",
    "agent_delete",
    "agent_detail",
    "agent_duplicate",
    "agent_list",
    "agent_variables",
    "prompt_compare",
    "prompt_create",
    "prompt_delete",
    "prompt_detail",
    "prompt_list",
    "prompt_preview",
    "prompt_restore",
    "prompt_version",
]
