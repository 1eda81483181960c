"""Is it up yet? One question to a service, answered by a bool; nothing is raised.

As a command, for a container's health check (exit status 0 or 1):
`python -m voiceops.run.probes http://127.0.0.1:8000/livez`, or the SIGN_OF_LIFE of a
worker or beat, which must be young: `python -m voiceops.run.probes /tmp/alive`
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from urllib.parse import urlsplit

from voiceops.run.children import Probe

ANSWER_TIMEOUT_S = 2
SILENT_S = 60


def answers_ping(socket_path: Path) -> Probe:
    """The Redis protocol's PING; a server still loading its data says no."""

    async def probe() -> bool:
        opened = asyncio.open_unix_connection(str(socket_path))
        return (await _ask(opened, b"PING\r\n")).startswith(b"+PONG")

    return probe


def answers_ok(port: int, path: str, *, host: str = "127.0.0.1", name: str) -> Probe:
    """HTTP 200 for `path`; `name` is the Host header, which Django checks."""
    request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"

    async def probe() -> bool:
        opened = asyncio.open_connection(host, port)
        return b" 200 " in await _ask(opened, request.encode())

    return probe


async def _ask(
    opened: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    question: bytes,
) -> bytes:
    """The first line of the answer, or nothing."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await opened
            try:
                writer.write(question)
                return await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


def was_touched_lately(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime < SILENT_S
    except OSError:
        return False


def main() -> int:
    asked = urlsplit(sys.argv[1])
    if not asked.scheme:
        return 0 if was_touched_lately(asked.path) else 1
    name = urlsplit(os.environ.get("PUBLIC_BASE_URL", "")).netloc or asked.netloc
    probe = answers_ok(asked.port or 80, asked.path, host=asked.hostname, name=name)
    return 0 if asyncio.run(probe()) else 1


if __name__ == "__main__":
    sys.exit(main())
