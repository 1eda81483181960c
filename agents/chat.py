"""What passes between an agent and its model: messages, tool calls, failures. Pure."""

from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
"""One message of the chat format: role, content, tool calls or whose answer it is."""


@dataclass(frozen=True)
class ToolCall:
    """The model asks for a tool; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


PLAIN = {
    "unreachable": "The model provider could not be reached.",
    "rate_limited": "The model provider refused more requests for now.",
    "refused": "The model provider refused the request: check its key and the model.",
    "slow": "The model took too long to answer.",
    "cut": "The model's answer broke off.",
    "malformed": "The model provider sent something that is not an answer.",
    "empty": "The model answered nothing.",
}


class ModelFailed(Exception):
    """No answer, or not all of it; `reason` is a key of `PLAIN`, `str()` its text."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(PLAIN[reason])
        self.reason = reason
        self.status = status
