"""What an agent brings into a call: its words filled in, its model, its tools."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import override

from agents import dialogue, llm, services
from agents.known import Known
from agents.models import PromptVersion, VoiceAgent
from agents.prompts import placeholders, render, with_preamble
from agents.tools import Toolbox
from telephony import built_ins, words
from telephony.models import Call, CallEvent, Intervention
from telephony.services import acquaintances, recordings, rehearsals
from telephony.transcripts import other_party
from voiceops import metrics

# What the model is shown of a call: a long one must not make every turn slower, dearer
# and at last too large for the model.
HISTORY_TURNS = 200
MAX_TOOL_NAME = 100
MAX_TRANSFERS = 2  # tries, while nobody answers
TOOL_WITHIN_S = 30  # whatever a tool's own limit is
TOOK_TOO_LONG = "It took too long and was given up."
OUT_OF_ORDER = "It is out of order."

logger = logging.getLogger(__name__)


def toolbox_of(call: Call) -> Toolbox:
    """The tools of the call's agent, read once."""
    withheld = {dialogue.TRANSFER_CALL} if _is_transfer_no_use(call) else set()
    answers = rehearsals.tool_answers(call) if call.is_test else {}
    return Toolbox.of(call.agent, built_ins.of_call(call), withheld, answers)


def _is_transfer_no_use(call: Call) -> bool:
    """Whether it was tried often enough, in vain."""
    if not (call.agent.transfer_number and call.times_resumed):
        return False
    failed = CallEvent.unscoped.filter(call=call, status="transfer-failed")
    return failed.count() >= MAX_TRANSFERS


def settings_of(
    call: Call, *, at: datetime, toolbox: Toolbox | None = None
) -> dialogue.Settings:
    """How the call's agent behaves in this call; `at` decides what today is.

    With its tools, the model is going to be asked: then all is read that it is shown.
    """
    agent = call.agent
    with override(agent.language or None):
        known = acquaintances.of_call(call, with_records=toolbox is not None)
        facts = _facts(call, at, known)
        greeting = _filled(_greeting(call), facts).strip()
        return dialogue.Settings(
            greeting=greeting,
            instructions=with_preamble(_filled(_prompt_text_of(call), facts)),
            known=words.speakable(known.as_message),
            end_call_phrases=tuple(str(phrase) for phrase in agent.end_call_phrases),
            end_call_message=_filled(agent.end_call_message, facts),
            caller_speaks_first=not greeting,
            dtmf=agent.dtmf_detection,
            silence_message=str(words.STILL_THERE),
            silence_reminders=agent.silence_reminders,
            silence_reminder_s=agent.silence_reminder_s,
            silence_timeout_s=agent.silence_timeout_s,
            filler=_filled(agent.filler, facts) or str(words.FILLER),
            apology=words.apology(),
            time_warning=str(words.TIME_SHORT),
            time_up_message=str(words.TIME_UP),
            screening_message=_screening_message(call, facts),
            history_limit=HISTORY_TURNS,
            tools=_meanwhiles(toolbox, facts) if toolbox else {},
        )


def _meanwhiles(toolbox: Toolbox, facts: dict[str, str]) -> Mapping[str, str]:
    names = (schema["function"]["name"] for schema in toolbox.schemas)
    return {name: _filled(toolbox.meanwhile(name), facts) for name in names}


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
    return _filled_for(call, at, _greeting(call)).strip()


def _greeting(call: Call) -> str:
    """The first words; that the call is recorded is said also if the caller begins."""
    agent = call.agent
    notice = agent.recording_notice if recordings.recording_url(call) else ""
    is_first = agent.greeting_mode == VoiceAgent.GreetingMode.AGENT_FIRST
    greeting = agent.greeting if is_first else ""
    return f"{notice} {greeting}"


def voicemail_of(call: Call, *, at: datetime) -> str:
    """What a voicemail is told; nothing if the agent only hangs up."""
    return _filled_for(call, at, call.agent.voicemail_message).strip()


def screening_of(call: Call, *, at: datetime) -> str:
    """What an assistant is told that asks who calls; nothing if the model answers."""
    return _screening_message(call, _facts(call, at))


def _screening_message(call: Call, facts: dict[str, str]) -> str:
    is_ours = call.direction == Call.Direction.OUTGOING
    return _filled(call.agent.screening_message, facts).strip() if is_ours else ""


def whisper_of(call: Call, *, at: datetime) -> str:
    """What the person hears to whom the call is handed over."""
    return _filled_for(call, at, call.agent.transfer_whisper)


def provider_of(agent: VoiceAgent) -> llm.Provider:
    return services.provider_of(agent.owner, agent.model)


def request_of(
    agent: VoiceAgent,
    question: dialogue.AskModel,
    toolbox: Toolbox,
    meter: llm.Meter | None = None,
) -> llm.Request:
    return llm.Request(
        messages=question.messages,
        model=agent.model or None,
        temperature=agent.temperature,
        max_tokens=agent.max_tokens,
        tools=toolbox.schemas,
        may_use_tools=question.may_use_tools,
        meter=meter,
    )


def event_of(wish: Intervention, at_ms: int) -> dialogue.Event:
    """What a person wants of the call, as the dialogue is told."""
    text, by = words.speakable(wish.text), wish.by_name
    match wish.kind:
        case Intervention.Kind.SAY:
            return dialogue.PersonSpoke(str(wish.pk), text, by, at_ms)
        case Intervention.Kind.WHISPER:
            return dialogue.PersonInstructed(str(wish.pk), text, by, at_ms)
        case Intervention.Kind.TRANSFER:
            return dialogue.PersonTransferred(str(wish.pk), text, by, at_ms)
    return dialogue.PersonEnded(str(wish.pk), words.ended_by(by), at_ms)


def heard_call(call: dialogue.ToolCall) -> dialogue.ToolCall:
    """The model's tool call in characters that every database takes."""
    name, arguments = words.speakable(call.name), words.speakable(call.arguments)
    return dialogue.ToolCall(call.id, name[:MAX_TOOL_NAME], arguments)


async def use_tool(
    toolbox: Toolbox, call: dialogue.ToolCall, *, within_s: float | None = None
) -> dict[str, Any]:
    """Run a tool: status, text and elapsed_ms, as `ToolAnswered` has them.

    Raises nothing and ends in time: a tool that is broken is the model's to explain.
    """
    began = monotonic()
    try:
        async with asyncio.timeout(TOOL_WITHIN_S if within_s is None else within_s):
            outcome = await toolbox.run(call.name, call.arguments)
        status, text = outcome.status, words.speakable(outcome.text)
    except TimeoutError:
        status, text = "timed_out", TOOK_TOO_LONG
    except Exception:  # a bug in a tool must not end the call
        logger.exception("a tool broke")
        status, text = "failed", OUT_OF_ORDER
    elapsed_ms = int((monotonic() - began) * 1000)
    metrics.note_tool_use(status)
    return {"status": status, "text": text, "elapsed_ms": elapsed_ms}


def _facts(call: Call, at: datetime, known: Known | None = None) -> dict[str, str]:
    """What fills the placeholders: of the agent, the contact and the call itself."""
    known = known or acquaintances.of_call(call)
    values = {**call.agent.variables, **known.variables, **call.variables}
    given = {str(name): str(value) for name, value in values.items()}
    today = at.astimezone(ZoneInfo(call.owner.timezone))
    return given | {
        "agent_name": call.agent.name,
        "caller_number": other_party(call),
        "today": date_format(today, "l, j F Y"),
    }


def _filled_for(call: Call, at: datetime, text: str) -> str:
    """As below, by the facts of the call; looked up if there is anything to fill in."""
    return _filled(text, _facts(call, at) if placeholders(text) else {})


def _filled(text: str, facts: dict[str, str]) -> str:
    """`text` with its placeholders; one that nobody filled in is silence."""
    unknown = dict.fromkeys(placeholders(text), "")
    return words.speakable(render(text, unknown | facts)[0])
