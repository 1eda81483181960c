"""Holds the children where the kernel does not (see `guard`): kills them after us.

Run as a process that reads a pipe from the supervisor: `+<group>` and `-<group>` for
every child that came and went. When the pipe closes, the supervisor is gone, however
it ended, and the groups that are left are killed.
"""

import contextlib
import os
import signal
import sys
from typing import TextIO


def hold(lines: TextIO) -> None:
    """Follow the supervisor's pipe to its end, then kill what it left behind."""
    groups: set[int] = set()
    for line in lines:
        change, group = line[0], int(line[1:])
        if change == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    os.setsid()  # a Ctrl-C at the terminal is not for us
    hold(sys.stdin)
