"""What bringing prompts, agents and tools back means."""

from django.utils.translation import gettext_lazy as _

from accounts.deleted import Kind, register
from agents.models import MessageAgent, Prompt, Tool, VoiceAgent

register(
    Kind(
        Prompt,
        means=_("It comes back with all its versions, and agents can use it again."),
        parts=("versions",),
    )
)
register(
    Kind(
        VoiceAgent,
        means=_("It comes back inactive: activate it to let it take calls again."),
        needs=("prompt",),
    )
)
register(
    Kind(
        MessageAgent,
        means=_("It comes back inactive: activate it to let it answer texts again."),
        needs=("prompt",),
    )
)
register(Kind(Tool, means=_("Agents that had it when it was deleted have it again.")))
