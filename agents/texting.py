"""How a message agent answers texts: what its model is shown, when a person takes over.

It knows no carrier: who calls it says what was written and sends what is answered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format

from agents import llm, services
from agents.chat import Message
from agents.dialogue import contains_phrase
from agents.hours import is_open
from agents.models import MessageAgent
from agents.prompts import TEXTING_PREAMBLE, placeholders, render, with_preamble

Sender = Literal["texter", "agent"]
ROLES = {"texter": "user", "agent": "assistant"}


@dataclass(frozen=True)
class Text:
    """One text of a conversation."""

    sender: Sender
    body: str


@dataclass(frozen=True)
class Answer:
    """What to do about the latest texts: send `body`, if there is any.

    `hands_over`: a person is asked for, and the agent is silent from then on.
    """

    body: str
    is_away: bool = False
    hands_over: bool = False


def answer(
    agent: MessageAgent,
    texts: Sequence[Text],
    *,
    number: str,
    at: datetime,
    deadline_s: float,
    pretend_open: bool = False,
) -> Answer:
    """What `agent` answers at the moment `at` to the texts of `number`, oldest first.

    Asks the model, so never within a transaction. Raises `llm.ModelFailed`.
    """
    known = answer_without_model(
        agent, texts[-1].body, number=number, at=at, pretend_open=pretend_open
    )
    if known is not None:
        return known
    messages = messages_of(agent, texts, number=number, at=at)
    provider = services.provider_of(agent.owner, agent.model)
    return llm.run(ask(agent, provider, messages, deadline_s=deadline_s))


def answer_without_model(
    agent: MessageAgent,
    body: str,
    *,
    number: str,
    at: datetime,
    pretend_open: bool = False,
) -> Answer | None:
    """What hours and phrases for a person say to a text; None: ask the model."""
    asked_for_person = asks_for_person(agent, body)
    if not (pretend_open or is_open(agent.business_hours, at)):
        away = _filled(agent, agent.away_message, number=number, at=at)
        return Answer(away, is_away=True, hands_over=asked_for_person)
    return Answer("", hands_over=True) if asked_for_person else None


async def ask(
    agent: MessageAgent,
    provider: llm.Provider,
    messages: tuple[Message, ...],
    *,
    deadline_s: float,
) -> Answer:
    """What the model answers. Raises `llm.ModelFailed`."""
    request = llm.Request(
        messages=messages,
        model=agent.model or None,
        temperature=agent.temperature,
        max_tokens=agent.max_tokens,
    )
    body = (await llm.collect(provider, request, deadline_s)).strip()
    return Answer(body, hands_over=asks_for_person(agent, body))


def asks_for_person(agent: MessageAgent, body: str) -> bool:
    """Whether a text of either side has one of the agent's phrases for that."""
    return contains_phrase(body, agent.handoff_phrases)


def messages_of(
    agent: MessageAgent, texts: Iterable[Text], *, number: str, at: datetime
) -> tuple[Message, ...]:
    """What the model is shown: the instructions, then the latest texts of both sides.

    What was written is never part of the instructions. Texts of one side in a row are
    one message, for some models refuse two user messages.
    """
    instructions = _filled(agent, agent.prompt_text, number=number, at=at)
    told = with_preamble(instructions, TEXTING_PREAMBLE)
    messages = [{"role": "system", "content": told}]
    for text in list(texts)[-agent.history_limit :]:
        role = ROLES[text.sender]
        if messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n{text.body}"
        else:
            messages.append({"role": role, "content": text.body})
    return tuple(messages)


def _filled(agent: MessageAgent, text: str, *, number: str, at: datetime) -> str:
    """`text` with its placeholders; one that nobody filled in is left out."""
    today = at.astimezone(ZoneInfo(agent.owner.timezone))
    facts = agent.variables | {
        "agent_name": agent.name,
        "caller_number": number,
        "today": date_format(today, "l, j F Y"),
    }
    return render(text, dict.fromkeys(placeholders(text), "") | facts)[0]
