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


CHARACTERS_PER_TOKEN = 4  # of English, roughly


@dataclass
class Meter:
    """Counts the tokens of requests: `told` of the answers `asked` for were counted."""

    asked: int = 0
    told: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    is_estimate: bool = False

    def count(self, input_tokens: int, output_tokens: int) -> None:
        self.told += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens

    def estimate(self, input_characters: int, output_characters: int) -> None:
        """Count an answer of which the provider told nothing."""
        self.is_estimate = True
        self.count(
            input_characters // CHARACTERS_PER_TOKEN,
            output_characters // CHARACTERS_PER_TOKEN,
        )


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
