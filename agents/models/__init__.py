from agents.models.agents import Agent
from agents.models.language_models import LanguageModel
from agents.models.message_agents import MessageAgent
from agents.models.prices import ModelPrice
from agents.models.prompts import Prompt, PromptVersion
from agents.models.tools import Tool, ToolQuerySet
from agents.models.voice_agents import VoiceAgent, VoiceAgentQuerySet

__all__ = [
    "Agent",
    "LanguageModel",
    "MessageAgent",
    "ModelPrice",
    "Prompt",
    "PromptVersion",
    "Tool",
    "ToolQuerySet",
    "VoiceAgent",
    "VoiceAgentQuerySet",
]
