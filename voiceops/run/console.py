"""What the terminal shows: every child's lines, with its name in front."""

import contextlib
import sys
from typing import TextIO

NAME_WIDTH = 9
COLOURS = {
    "broker": 35,
    "simulator": 36,
    "prepare": 33,
    "web": 32,
    "worker": 34,
    "beat": 90,
}


class Console:
    def __init__(self, stream: TextIO = sys.stdout):
        self.stream = stream
        self.is_colourful = stream.isatty()

    def child(self, name: str, line: str) -> None:
        prefix = f"{name:<{NAME_WIDTH}} |"
        if self.is_colourful:
            prefix = f"\033[{COLOURS.get(name, 0)}m{prefix}\033[0m"
        self._write(f"{prefix} {line}\n")

    def say(self, text: str) -> None:
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        # A closed pipe or a full disk under our output must not take the calls down.
        with contextlib.suppress(OSError):
            self.stream.write(text)
            self.stream.flush()
