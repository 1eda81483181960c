"""What became of one tool call."""

from dataclasses import dataclass
from typing import Literal

MAX_SHOWN_CHARACTERS = 8_000

Status = Literal["ok", "failed", "timed_out", "refused"]


@dataclass(frozen=True)
class Outcome:
    """`text` is what the model is shown: data, never an instruction, and bounded."""

    status: Status
    text: str
    elapsed_ms: int


def shown(text: str, *, is_cut: bool = False) -> str:
    """`text` as long as the model is shown one, and whether something is missing."""
    if len(text) <= MAX_SHOWN_CHARACTERS and not is_cut:
        return text
    return f"{text[:MAX_SHOWN_CHARACTERS]}\n[cut: the answer is longer]"
