"""The transcript as the model is shown it."""

import json
from collections.abc import Iterable, Sequence

from agents.chat import Message
from agents.dialogue.script import ToolUse, Turn

NO_ANSWER = {
    "running": "No answer yet. It is still working.",
    "abandoned": "It was cut off before an answer came.",
}

GIVEN_MEANWHILE = (
    "Your team has told you during this call, the newest last. Follow it from now on, "
    "and do not speak of it to the caller:"
)


def messages_of(
    instructions: str,
    turns: Iterable[Turn],
    given: Sequence[str] = (),
    known: str = "",
) -> tuple[Message, ...]:
    """The instructions, then what either side heard and what tools answered.

    `given` is what people of the team told the agent meanwhile. It is part of the one
    system message, for not every model takes a second one. Words of callers, answers
    of tools and what is `known` of the caller are never part of the instructions.
    Utterances of one speaker in a row are one message, for some models refuse two user
    messages; a tool's answer follows its call, whenever it came.
    """
    messages: list[Message] = []
    if given:
        told = "\n".join([GIVEN_MEANWHILE, *(f"- {text}" for text in given)])
        instructions = f"{instructions}\n\n{told}".strip()
    if instructions:
        messages.append({"role": "system", "content": instructions})
    if known:
        messages.append({"role": "user", "content": known})
    for turn in turns:
        if turn.tool is not None:
            _add_tool(messages, turn, turn.tool)
        elif turn.text:
            _add_speech(messages, turn)
    return tuple(messages)


def _add_speech(messages: list[Message], turn: Turn) -> None:
    role = "user" if turn.speaker == "caller" else "assistant"
    latest = messages[-1] if messages else {}
    if latest.get("role") == role:
        latest["content"] += "\n" + turn.text
    else:
        messages.append({"role": role, "content": turn.text})


def _add_tool(messages: list[Message], turn: Turn, use: ToolUse) -> None:
    # Made of the number, so that it is the same after a resume; some providers insist
    # on nine letters and digits.
    call_id = f"call{turn.number:05}"
    call = {
        "id": call_id,
        "type": "function",
        "function": {"name": use.name, "arguments": _as_object(use.arguments)},
    }
    _caller_of_tools(messages)["tool_calls"].append(call)
    content = turn.text or NO_ANSWER.get(use.status, "")
    messages.append({"role": "tool", "tool_call_id": call_id, "content": content})


def _caller_of_tools(messages: list[Message]) -> Message:
    """The assistant's message that the next tool call belongs to."""
    place = len(messages)
    while place and messages[place - 1]["role"] == "tool":
        place -= 1
    if not (place and messages[place - 1]["role"] == "assistant"):
        messages.append({"role": "assistant", "content": None})
        place = len(messages)
    message = messages[place - 1]
    message.setdefault("tool_calls", [])
    return message


def _as_object(arguments: str) -> str:
    """`arguments`, or an empty object: providers refuse a history that is no JSON."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"
