"""A server of uvicorn that ends the answers that would go on, such as streams of events, before it waits for others."""

import socket

import uvicorn

from multiface.serve.guard import Guard


class EndingServer(uvicorn.Server):
    """app: the application of the configuration."""

    def __init__(self, config: uvicorn.Config, app: Guard) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn when it is to end."""
        self._app.end_streams()
        await super().shutdown(sockets)
