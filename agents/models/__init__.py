from agents.models.prompts import Prompt, PromptVersion
from agents.models.tools import Tool, ToolQuerySet
from agents.models.voice_agents import VoiceAgent, VoiceAgentQuerySet

__all__ = [
    "Prompt",
    "PromptVersion",
    "Tool",
    "ToolQuerySet",
    "VoiceAgent",
    "VoiceAgentQuerySet",
]
