"""Is it up yet? One question to a service, answered by a bool; nothing is raised."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

from voiceops.run.children import Probe

ANSWER_TIMEOUT_S = 2


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
