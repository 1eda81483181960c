"""Sockets of open calls while a server ends: `uvicorn --ws=voiceops.sockets:Lasting`.

uvicorn closes every socket the moment it is told to end; its time for a graceful end is
for answers, and for what is done after a socket is gone.
"""

from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

# `--timeout-graceful-shutdown` must leave time besides for what is yet to be written.
CALLS_END_WITHIN_S = 25


class Lasting(AutoWebSocketsProtocol):
    """Lets its call go on for a while; then the call goes on in another process."""

    def shutdown(self) -> None:
        self.loop.call_later(CALLS_END_WITHIN_S, self._end)

    def _end(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
