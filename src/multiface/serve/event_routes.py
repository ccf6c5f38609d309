"""Events of cameras over HTTP: by page, and as they happen."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from multiface.errors import GalleryError
from multiface.gallery import Gallery
from multiface.gallery.service import camera_events
from multiface.gallery.service.camera_events import CameraEvent
from multiface.serve.access import Access
from multiface.serve.camera_routes import CAMERA_ID
from multiface.serve.cursors import LARGEST_ROW, MOST, Limit
from multiface.serve.server_events import STREAM, event_text, kept_alive

Document = dict[str, Any]
_LOOK = 0.3
"""Seconds between two looks for new events."""
_FRESH = 0.25


class NewestEvent:
    """The number of the newest event, asked at most four times a second for all streams together."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._lock = asyncio.Lock()
        self._asked = float("-inf")
        self._number = 0

    async def number(self) -> int:
        """0 for none. Raises GalleryError."""
        async with self._lock:
            if time.monotonic() - self._asked > _FRESH:
                self._number = await run_in_threadpool(self._read)
                self._asked = time.monotonic()
            return self._number

    def _read(self) -> int:
        with self._gallery.database.reading() as connection:
            return camera_events.last_number(connection)


def event_routes(gallery: Gallery, access: Access, route: type[APIRoute]) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["cameras"], route_class=route)
    database, newest = gallery.database, NewestEvent(gallery)
    read = Depends(access.needs("events:read"))

    def page(after: int, most: int, camera: str | None) -> list[CameraEvent]:
        with database.reading() as connection:
            return camera_events.events(connection, after, most, camera)

    @router.get("/events", dependencies=[read], summary="List camera events")
    def events(
        after: int = Query(0, ge=0, le=LARGEST_ROW),
        limit: Limit = 50,
        camera: str | None = Query(None, pattern=CAMERA_ID),
        latest: bool = False,
    ) -> Document:
        """The events after a number, or the latest, oldest first. next: the number to go on after; null if there are no
        more now.
        """
        if latest:
            with database.reading() as connection:
                newest_ones = camera_events.latest(connection, limit, camera)
            return {"events": [one.document() for one in newest_ones], "next": None}
        found = page(after, limit, camera)
        return {
            "events": [one.document() for one in found],
            "next": found[-1].number if len(found) == limit else None,
        }

    @router.get("/events/stream", dependencies=[read], summary="Follow camera events")
    async def follow(
        request: Request,
        after: int | None = Query(None, ge=0, le=LARGEST_ROW),
        camera: str | None = Query(None, pattern=CAMERA_ID),
        last_event_id: str | None = Header(None, pattern="^[0-9]{1,18}$"),
    ) -> StreamingResponse:
        """Server-sent events from now on, or after the number in Last-Event-ID (or `after`). The stream ends when
        the key is revoked.
        """
        begin = after if last_event_id is None else int(last_event_id)
        reached = await newest.number() if begin is None else begin

        async def told(reached: int) -> AsyncIterator[str]:
            while await access.still_holds(request):
                found: list[CameraEvent] = []
                with suppress(GalleryError):  # away for a moment; nothing is missed
                    now = await newest.number()
                    if now > reached:
                        found = await run_in_threadpool(page, reached, MOST, camera)
                        reached = found[-1].number if found else now
                for one in found:
                    yield event_text(one.kind, one.document(), one.number)
                await asyncio.sleep(0 if found else _LOOK)

        return StreamingResponse(
            kept_alive(told(reached)), media_type=STREAM, headers={"X-Accel-Buffering": "no"}
        )

    return router
