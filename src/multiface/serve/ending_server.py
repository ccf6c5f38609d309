"""A server of uvicorn that ends the answers that would go on, such as streams of events, before it waits for others.

It closes connections on which no request comes, too: uvicorn waits for the first for ever, and refuses everybody else
when too many wait.
"""

import socket
import time
from typing import Any

import uvicorn

from multiface.serve.guard import Guard

HEADER_SECONDS = 20.0
"""In which the headers of a request come in, from when the connection was made or the last answer ended."""


class EndingServer(uvicorn.Server):
    """app: the application of the configuration."""

    def __init__(self, config: uvicorn.Config, app: Guard) -> None:
        super().__init__(config)
        self._app = app
        self._without_request: dict[Any, float] = {}

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        if counter % 10 == 0:
            now = time.monotonic()
            self._without_request = {
                one: self._without_request.get(one, now)
                for one in self.server_state.connections
                if _waits(one)
            }
            for one, since in self._without_request.items():
                if now - since > HEADER_SECONDS:
                    one.transport.close()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn when it is to end."""
        self._app.end_streams()
        await super().shutdown(sockets)


def _waits(connection: Any) -> bool:
    """Whether no request is answered on a connection."""
    cycle = getattr(connection, "cycle", None)
    return cycle is None or cycle.response_complete
