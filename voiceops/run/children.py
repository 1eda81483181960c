"""One child process: started in a group of its own, read line by line, ended."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voiceops.run.console import Console
from voiceops.run.guard import die_with_parent

REMEMBERED_LINES = 20
LONGEST_LINE_BYTES = 64 * 1024
PROJECT_DIR = Path(__file__).resolve().parents[2]

Probe = Callable[[], Awaitable[bool]]


@dataclass
class Service:
    """What to run and how to know that it is ready (None: as soon as it runs)."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Probe | None = None
    was_ready: bool = False
    last_lines: deque[str] = field(
        default_factory=lambda: deque(maxlen=REMEMBERED_LINES)
    )


class Child:
    """A running service. `wait` ends when it has ended and its last line was shown."""

    def __init__(self, service: Service, process: asyncio.subprocess.Process):
        self.service = service
        self.process = process

    @classmethod
    async def start(cls, service: Service) -> "Child":
        process = await asyncio.create_subprocess_exec(
            *service.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=service.environment,
            cwd=PROJECT_DIR,
            process_group=0,
            preexec_fn=die_with_parent(),
        )
        return cls(service, process)

    async def wait(self, console: Console) -> int:
        """Show its lines until it ends; its exit status (negative: the signal)."""
        shown = asyncio.create_task(self._show_lines(console))
        status = await self.process.wait()
        self.sweep()
        await shown
        return status

    def terminate(self) -> None:
        if self.process.returncode is None:
            self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        if self.process.returncode is None:
            self._signal_group(signal.SIGKILL)

    def sweep(self) -> None:
        """Once it has ended: kill what it may have started and left behind."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    async def _show_lines(self, console: Console) -> None:
        async for line in _lines(self.process.stdout):
            self.service.last_lines.append(line)
            console.child(self.service.name, line)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of any length: `readline` would raise on one longer than its buffer."""
    pending = b""
    while chunk := await stream.read(LONGEST_LINE_BYTES):
        *complete, pending = (pending + chunk).split(b"\n")
        if len(pending) > LONGEST_LINE_BYTES:
            complete, pending = [*complete, pending], b""
        for line in complete:
            yield line.decode(errors="replace").rstrip("\r")
    if pending:
        yield pending.decode(errors="replace")


class Leash:
    """The supervisor's end of `voiceops.run.leash`; does nothing on Linux."""

    def __init__(self, process: asyncio.subprocess.Process | None):
        self.process = process

    @classmethod
    async def start(cls) -> "Leash":
        if die_with_parent() is not None:
            return cls(None)
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "voiceops.run.leash",
                stdin=asyncio.subprocess.PIPE,
                cwd=PROJECT_DIR,
            )
        )

    def add(self, child: Child) -> None:
        self._tell(f"+{child.process.pid}")

    def remove(self, child: Child) -> None:
        self._tell(f"-{child.process.pid}")

    async def close(self) -> None:
        if self.process is not None:
            self.process.stdin.close()
            await self.process.wait()

    def _tell(self, change: str) -> None:
        if self.process is not None:
            self.process.stdin.write(f"{change}\n".encode())
