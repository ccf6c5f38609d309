"""Clients of a MultiFace service: the methods of `Recognizer`, `Gallery` and `Album` over HTTP.

Each request is described once (`people_calls`, `recognition_calls`, `album_calls`), whoever sends it: `Client` waits
for the answer, `AsyncClient` awaits it.
"""

from multiface.client.async_client import AsyncClient
from multiface.client.client import Client

__all__ = ["AsyncClient", "Client"]
