"""The chunks of a streamed chat completion: bytes in, text and tool calls out. Pure."""

import json
from dataclasses import dataclass, field
from typing import Any

from agents.chat import Meter, ModelFailed, ToolCall

MAX_LINE_BYTES = 1_000_000
MAX_TOOL_CALLS = 16  # in one answer
MAX_ARGUMENT_CHARACTERS = 20_000  # of all its calls together


class EventData:
    """Server-sent events out of bytes; here every event is one line of data."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise ModelFailed("malformed")
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]


def read_chunk(data: bytes) -> tuple[str, str | None, list[Any]]:
    """One chunk's text, why the answer ends, if it does, and parts of tool calls."""
    try:
        chunk = json.loads(data)
        if chunk.get("error"):
            raise ModelFailed("cut")
        if not chunk["choices"]:  # usage figures, a filter's verdict on the prompt
            return "", None, []
        choice = chunk["choices"][0]
        delta = choice.get("delta") or {}
        text = delta.get("content") or ""
        parts = delta.get("tool_calls") or []
        finish = choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ModelFailed("malformed") from None
    if not (isinstance(text, str) and isinstance(parts, list)):
        raise ModelFailed("malformed")
    return text, finish, parts


def read_usage(data: bytes, meter: Meter) -> None:
    """Count what the chunk says of tokens: by the protocol one without choices does.

    The text of every other chunk is not parsed for it a second time.
    """
    if b'"choices":[]' not in data and b'"choices": []' not in data:
        return
    try:
        usage = json.loads(data)["usage"]
        tokens = usage["prompt_tokens"], usage["completion_tokens"]
    except (ValueError, LookupError, TypeError):
        return
    if all(isinstance(count, int) and count >= 0 for count in tokens):
        meter.count(*tokens)


@dataclass
class _OpenCall:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ToolCallParts:
    """Tool calls put together of their parts.

    By the protocol a part has the index of its call, and the first one an id and a
    name. Some providers leave the index out and send whole calls; some repeat the name.
    """

    def __init__(self) -> None:
        self._calls: dict[int, _OpenCall] = {}
        self._characters = 0

    def add(self, parts: list[Any]) -> None:
        try:
            for part in parts:
                self._add(part)
        except (AttributeError, TypeError):
            raise ModelFailed("malformed") from None
        if (
            len(self._calls) > MAX_TOOL_CALLS
            or self._characters > MAX_ARGUMENT_CHARACTERS
        ):
            raise ModelFailed("malformed")

    def _add(self, part: dict[str, Any]) -> None:
        index = part.get("index")
        if index is None:
            is_new = bool(part.get("id")) or not self._calls
            index = len(self._calls) if is_new else len(self._calls) - 1
        call = self._calls.setdefault(index, _OpenCall())
        function = part.get("function") or {}
        call.id = call.id or part.get("id") or ""
        call.name = call.name or function.get("name") or ""
        given = function.get("arguments") or ""
        text = given if isinstance(given, str) else json.dumps(given)
        self._characters += len(text)
        call.arguments.append(text)

    def whole(self) -> list[ToolCall]:
        """In the order of their first parts; a call without a name is none."""
        names = [call.name for call in self._calls.values()]
        if not all(isinstance(name, str) and name for name in names):
            raise ModelFailed("malformed")
        return [
            ToolCall(str(call.id), call.name, "".join(call.arguments) or "{}")
            for call in self._calls.values()
        ]
