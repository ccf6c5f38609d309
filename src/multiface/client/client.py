"""`Client`: a MultiFace service as the library: the same methods, the same answers, the same errors."""

import time
from collections.abc import Callable, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec

import httpx

from multiface.client import album_calls, camera_calls, people_calls, recognition_calls
from multiface.client.call import Answer, Call, Item, Page
from multiface.client.sending import Place, answer_of, no_answer, request_of, wait_before_next
from multiface.errors import UsageError

Given = ParamSpec("Given")


def _sent(make: Callable[Given, Call[Answer]]) -> Callable[Concatenate["Client", Given], Answer]:
    @wraps(make)
    def method(self: "Client", /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        return self.send(make(*args, **kwargs))

    return method


def _all_pages(
    make: Callable[Given, Call[Page[Item]]],
) -> Callable[Concatenate["Client", Given], Iterator[Item]]:
    @wraps(make)
    def method(self: "Client", /, *args: Given.args, **kwargs: Given.kwargs) -> Iterator[Item]:
        while True:
            page = self.send(make(*args, **kwargs))
            yield from page.items
            if page.cursor is None:
                return
            kwargs["cursor"] = page.cursor

    return method


class Client:
    """A MultiFace service. Use it in a `with` statement or close it; threads may share one.

    address: such as `http://127.0.0.1:8410`. key: `mf_...`. seconds: to wait for each step of an answer. What is busy
    is asked again, as often and as late as it says; a write is sent with an Idempotency-Key, so it happens once
    however often it was sent.

    Every method raises the errors of the library's, and ServiceFailed where the service refuses or does not answer.
    """

    def __init__(self, address: str, key: str | None = None, *, seconds: float = 60.0) -> None:
        self._place = Place(address, key, seconds)
        self._transport = httpx.HTTPTransport()
        self._closed = False

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; closing twice is fine."""
        self._closed = True
        self._transport.close()

    def send(self, call: Call[Answer]) -> Answer:
        """The answer to a call; the other methods make calls."""
        if self._closed:
            raise UsageError("this client is closed")
        request, tries = request_of(self._place, call), 0
        while True:
            tries += 1
            response, failed = None, None
            try:
                response = self._transport.handle_request(request)
                response.read()
            except httpx.HTTPError as error:
                response, failed = None, error
            wait = wait_before_next(response, tries)
            if wait is not None:
                time.sleep(wait)
            elif response is not None:
                return answer_of(call, response)
            elif failed is not None:
                raise no_answer(self._place, failed) from failed

    def wait(self, job: str, seconds: float | None = None) -> dict[str, Any]:
        """A job when it has ended. seconds: to wait at most; then it is as far as it is."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            now = self.job(job)
            if now["ended"] is not None or (end is not None and time.monotonic() >= end):
                return now
            time.sleep(0.5)

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
