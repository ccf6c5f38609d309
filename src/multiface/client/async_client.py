"""`AsyncClient`: as `Client`, for programs that await."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec

import httpx

from multiface.client import album_calls, camera_calls, people_calls, recognition_calls
from multiface.client.call import Answer, Call, Item, Page
from multiface.client.sending import Place, answer_of, no_answer, request_of, wait_before_next
from multiface.errors import UsageError

Given = ParamSpec("Given")


def _sent(
    make: Callable[Given, Call[Answer]],
) -> Callable[Concatenate["AsyncClient", Given], Coroutine[Any, Any, Answer]]:
    @wraps(make)
    async def method(self: "AsyncClient", /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        return await self.send(await asyncio.to_thread(make, *args, **kwargs))  # it may read pictures

    return method


def _all_pages(
    make: Callable[Given, Call[Page[Item]]],
) -> Callable[Concatenate["AsyncClient", Given], AsyncIterator[Item]]:
    @wraps(make)
    async def method(
        self: "AsyncClient", /, *args: Given.args, **kwargs: Given.kwargs
    ) -> AsyncIterator[Item]:
        while True:
            page = await self.send(make(*args, **kwargs))
            for item in page.items:
                yield item
            if page.cursor is None:
                return
            kwargs["cursor"] = page.cursor

    return method


class AsyncClient:
    """A MultiFace service; everything as in `Client`, with `async with`, `await` and `async for`."""

    def __init__(self, address: str, key: str | None = None, *, seconds: float = 60.0) -> None:
        self._place = Place(address, key, seconds)
        self._transport = httpx.AsyncHTTPTransport()
        self._closed = False

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; closing twice is fine."""
        self._closed = True
        await self._transport.aclose()

    async def send(self, call: Call[Answer]) -> Answer:
        """The answer to a call; the other methods make calls."""
        if self._closed:
            raise UsageError("this client is closed")
        request, tries = request_of(self._place, call), 0
        while True:
            tries += 1
            response, failed = None, None
            try:
                response = await self._transport.handle_async_request(request)
                await response.aread()
            except httpx.HTTPError as error:
                response, failed = None, error
            wait = wait_before_next(response, tries)
            if wait is not None:
                await asyncio.sleep(wait)
            elif response is not None:
                return answer_of(call, response)
            elif failed is not None:
                raise no_answer(self._place, failed) from failed

    async def wait(self, job: str, seconds: float | None = None) -> dict[str, Any]:
        """A job when it has ended. seconds: to wait at most; then it is as far as it is."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            now = await self.job(job)
            if now["ended"] is not None or (end is not None and time.monotonic() >= end):
                return now
            await asyncio.sleep(0.5)

    identify = _sent(recognition_calls.identify)
    verify = _sent(recognition_calls.verify)
    detect = _sent(recognition_calls.detect)
    embed = _sent(recognition_calls.embed)
    search = _sent(recognition_calls.search)
    enroll = _sent(recognition_calls.enroll)
    add_faces = _sent(recognition_calls.add_faces)

    people = _all_pages(people_calls.people_page)
    person = _sent(people_calls.person)
    rename = _sent(people_calls.rename)
    edit = _sent(people_calls.edit)
    merge = _sent(people_calls.merge)
    split = _sent(people_calls.split)
    remove = _sent(people_calls.remove)
    kept = _sent(people_calls.kept)
    export = _sent(people_calls.export)
    groups = _sent(people_calls.groups)
    changes = _sent(people_calls.changes)
    undo = _sent(people_calls.undo)

    find = _all_pages(album_calls.find_page)
    picture = _sent(album_calls.picture)
    strangers = _all_pages(album_calls.strangers_page)
    alike_strangers = _sent(album_calls.alike_strangers)
    single_faces = _all_pages(album_calls.single_faces_page)
    name_stranger = _sent(album_calls.name_stranger)
    merge_strangers = _sent(album_calls.merge_strangers)
    split_stranger = _sent(album_calls.split_stranger)
    ignore_stranger = _sent(album_calls.ignore_stranger)
    name_face = _sent(album_calls.name_face)
    not_person = _sent(album_calls.not_person)
    ignore_face = _sent(album_calls.ignore_face)
    mark = _sent(album_calls.mark)
    scan = _sent(album_calls.scan)
    backup = _sent(album_calls.backup)
    job = _sent(album_calls.job)
    cancel = _sent(album_calls.cancel)

    events = _all_pages(camera_calls.events_page)
    last_seen = _sent(camera_calls.last_seen)
    cameras = _sent(camera_calls.cameras)
    add_camera = _sent(camera_calls.add_camera)
    change_camera = _sent(camera_calls.change_camera)
    remove_camera = _sent(camera_calls.remove_camera)
