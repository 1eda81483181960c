"""What stands in front of several web processes: connections go to one that lives."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

CONNECT_WITHIN_S = 1


class Front:
    """A proxy for whole connections, on a port of its own."""

    def __init__(self):
        self.ports: list[int] = []  # of the processes behind, the preferred one first
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def cut(self) -> None:
        """Break every connection off, without a word."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def serve(self) -> None:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _carry(self, reader, writer) -> None:
        for port in self.ports:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_WITHIN_S):
                    there = await asyncio.open_connection("127.0.0.1", port)
                ways = (_copy(reader, there[1]), _copy(there[0], writer))
                self._open |= {writer, there[1]}
                await asyncio.gather(*ways)
                self._open -= {writer, there[1]}
                return
        writer.transport.abort()


async def _copy(reader, writer) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def running_front() -> Iterator[Front]:
    front = Front()
    loop = front._loop
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(front.serve(), loop).result()
    try:
        yield front
    finally:
        front.cut()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
