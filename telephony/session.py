"""What an agent brings into a call: its words filled in, its model, its provider."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import override

from agents import dialogue, llm
from agents.models import PromptVersion, VoiceAgent
from agents.prompts import placeholders, render, with_preamble
from telephony import words
from telephony.models import Call

# What the model is shown of a call: a long one must not make every turn slower, dearer
# and at last too large for the model.
HISTORY_TURNS = 200


def settings_of(call: Call, *, at: datetime) -> dialogue.Settings:
    """How the call's agent behaves in this call; `at` decides what today is."""
    agent = call.agent
    with override(agent.language or None):
        facts = _facts(call, at)
        return dialogue.Settings(
            greeting=_filled(agent.greeting, facts).strip(),
            instructions=with_preamble(_filled(_prompt_text_of(call), facts)),
            end_call_phrases=tuple(str(phrase) for phrase in agent.end_call_phrases),
            end_call_message=_filled(agent.end_call_message, facts),
            caller_speaks_first=(
                agent.greeting_mode == VoiceAgent.GreetingMode.CALLER_FIRST
            ),
            dtmf=agent.dtmf_detection,
            silence_message=str(words.STILL_THERE),
            filler=str(words.FILLER),
            apology=words.apology(),
            time_up_message=str(words.TIME_UP),
            history_limit=HISTORY_TURNS,
        )


def _prompt_text_of(call: Call) -> str:
    """The prompt as the call began with it, also when a newer version was saved since.

    An agent that was given another prompt meanwhile goes on with that one.
    """
    agent = call.agent
    if call.prompt_version not in (None, agent.version_in_use):
        begun_with = PromptVersion.unscoped.filter(
            prompt=agent.prompt_id, number=call.prompt_version
        )
        if version := begun_with.first():
            return version.text
    return agent.prompt_text


def greeting_of(call: Call, *, at: datetime) -> str:
    """What the carrier says when it has answered; nothing if the caller begins."""
    if call.agent.greeting_mode == VoiceAgent.GreetingMode.CALLER_FIRST:
        return ""
    return _filled(call.agent.greeting, _facts(call, at)).strip()


def provider_of(agent: VoiceAgent) -> llm.Provider:
    return llm.configured_provider(agent.model)


def request_of(agent: VoiceAgent, messages: tuple[dict[str, str], ...]) -> llm.Request:
    return llm.Request(
        messages=messages,
        model=agent.model or None,
        temperature=agent.temperature,
        max_tokens=agent.max_tokens,
    )


def _facts(call: Call, at: datetime) -> dict[str, str]:
    given = {str(name): str(value) for name, value in call.agent.variables.items()}
    today = at.astimezone(ZoneInfo(call.owner.timezone))
    return given | {
        "agent_name": call.agent.name,
        "caller_number": call.from_number,
        "today": date_format(today, "l, j F Y"),
    }


def _filled(text: str, facts: dict[str, str]) -> str:
    """`text` with its placeholders; one that nobody filled in is silence."""
    unknown = dict.fromkeys(placeholders(text), "")
    return words.speakable(render(text, unknown | facts)[0])
