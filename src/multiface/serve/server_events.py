"""Server-sent events (the HTML standard, 9.2): `text/event-stream`.

While there is nothing to tell, comments say to proxies and clients that the stream lives.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

STREAM = "text/event-stream"
_QUIET = 15.0
"""Seconds without an event after which a comment is sent."""


def event_text(kind: str, data: Any, number: int | None = None) -> str:
    """One event. number: what a client sends back as `Last-Event-ID`."""
    first = "" if number is None else f"id: {number}\n"
    return f"{first}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def kept_alive(events: AsyncIterator[str], quiet: float = _QUIET) -> AsyncIterator[str]:
    """The events, and a comment whenever none has come for so many seconds."""
    following = asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait((following,), timeout=quiet)
            if not done:
                yield ":\n\n"
                continue
            try:
                text = following.result()
            except StopAsyncIteration:
                return
            yield text
            following = asyncio.ensure_future(anext(events))
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await following
