"""Events over HTTP: by page, as a stream that goes on where it ended, and to a webhook, at least once and in order."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from multiface import Gallery
from multiface.gallery.service import access_keys, camera_events, camera_rows
from multiface.gallery.service.camera_events import NewEvent
from multiface.serve import access
from tests.serve.cameras import until
from tests.serve.conftest import Client
from tests.video.test_webhook import Receiver, in_turn, status


@pytest.fixture
def camera(gallery: Gallery) -> Iterator[str]:
    """A camera that is paused, so that its events are the test's own."""
    with gallery.database.writing() as connection:
        number = camera_rows.add_camera(connection, "door", "0", None, None, None, False, True)
    yield number
    with gallery.database.writing() as connection:
        camera_rows.remove_camera(connection, number)


Happen = Callable[..., list[int]]


@pytest.fixture
def happen(gallery: Gallery, camera: str) -> Happen:
    """`happen(3)`: so many events are written, as the camera's process does it; their numbers."""

    def write(count: int = 1, person: str | None = None) -> list[int]:
        new = NewEvent(
            "2026-05-01T12:00:00.000+00:00", "appeared", 1, person, None, 0.5, 0.4, (1.0, 2.0, 3.0, 4.0)
        )
        until(_leads(gallery))
        with gallery.database.writing() as connection:
            lease = camera_rows.lease(connection)
            assert lease is not None
            return camera_events.add_events(connection, camera, "run", lease.owner, [new] * count)

    return write


def _leads(gallery: Gallery) -> Callable[[], bool]:
    def leads() -> bool:
        with gallery.database.reading() as connection:
            return camera_rows.lease(connection) is not None

    return leads


@contextmanager
def following(client: httpx.Client, **headers: str) -> Iterator[list[dict[str, Any]]]:
    """A stream that is read in a thread: its messages so far, each with what its lines say."""
    got: list[dict[str, Any]] = []

    def read(answer: httpx.Response) -> None:
        message: dict[str, Any] = {}
        try:
            for line in answer.iter_lines():
                field, _, value = line.partition(":")
                if not line and message:
                    got.append(message)
                    message = {}
                elif line:
                    message[field or "comment"] = value.strip()
        except httpx.HTTPError:
            return
        got.append({"ended": True})

    with client.stream("GET", "/v1/events/stream", headers=headers, timeout=30) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        thread = threading.Thread(target=read, args=(answer,), daemon=True)
        thread.start()
        yield got


def test_by_page(client: Client, happen: Happen, gallery: Gallery) -> None:
    reader = client("events:read")
    assert client("people:read").get("/v1/events").status_code == 403
    numbers = happen(5, gallery.person("bob").id)
    first = reader.get("/v1/events", params={"after": numbers[0] - 1, "limit": 3}).json()
    assert [one["number"] for one in first["events"]] == numbers[:3] and first["next"] == numbers[2]
    rest = reader.get("/v1/events", params={"after": first["next"], "limit": 3}).json()
    assert [one["number"] for one in rest["events"]] == numbers[3:] and rest["next"] is None
    assert rest["events"][0]["name"] == "bob"
    latest = reader.get("/v1/events", params={"latest": True, "limit": 2}).json()
    assert [one["number"] for one in latest["events"]] == numbers[3:] and latest["next"] is None
    assert reader.get("/v1/events", params={"camera": "c_0000000000000000"}).json()["events"] == []
    assert reader.get("/v1/events", params={"after": 2**63}).status_code == 422


def test_where_a_person_was_seen_last(client: Client, happen: Happen, camera: str, gallery: Gallery) -> None:
    ada = gallery.person("ada").id
    place = f"/v1/people/{ada}/last_seen"
    both = client("people:read", "events:read")
    assert both.get(place).json() == {"album": None, "cameras": []}
    happen(2, ada)
    (seen,) = both.get(place).json()["cameras"]
    assert seen == {"camera": camera, "name": "door", "time": "2026-05-01T12:00:00.000+00:00"}
    assert client("people:read").get(place).json()["cameras"] is None
    kept = {one["place"]: one["count"] for one in both.get(f"/v1/people/{ada}/kept").json()["places"]}
    assert kept["camera_events"] == 2


def test_a_stream_goes_on_where_it_ended(client: Client, happen: Happen) -> None:
    reader = client("events:read")
    assert client("people:read").get("/v1/events/stream").status_code == 403
    happen(2)  # before anybody listened
    with following(reader) as got:
        numbers = happen(3)
        until(lambda: len(got) == 3)
        assert [int(one["id"]) for one in got] == numbers
        assert {one["event"] for one in got} == {"appeared"}
        assert json.loads(got[0]["data"])["number"] == numbers[0]
    assert reader.get("/v1/events/stream", headers={"Last-Event-ID": "x"}).status_code == 422
    missed = happen(300)
    with following(reader, **{"Last-Event-ID": str(numbers[1])}) as got:
        until(lambda: len(got) == 301)
        assert [int(one["id"]) for one in got] == [numbers[2], *missed]


def test_a_stream_ends_with_its_key(
    client: Client, happen: Happen, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_LOOKED_UP_EVERY", 0.3)
    reader = client("events:read")
    number = reader.headers["authorization"].split("_")[1]
    with following(reader) as got:
        time.sleep(1.0)
        assert {"ended": True} not in got
        with gallery.database.writing() as connection:
            access_keys.revoke_key(connection, number, "here")
        until(lambda: {"ended": True} in got, 5)
        happen(1)
        time.sleep(0.5)
        assert not any("id" in one for one in got)


def test_a_webhook_that_was_down_gets_all_in_order(
    client: Client, happen: Happen, camera: str, gallery: Gallery
) -> None:
    receiver = Receiver(status(200))
    receiver.start()
    receiver.stop()  # its port is known, and nobody answers there
    admin, place = client("admin"), f"/v1/cameras/{camera}"
    url = receiver.url.replace("http://", "http://user:s3cretWord@") + "?token=s3cretWord"
    shown = admin.patch(place, json={"webhook": url}).text
    until(lambda: admin.get(place).json()["webhook_problem"] is None and _told(gallery, camera))
    numbers = happen(4, gallery.person("bob").id)
    until(lambda: admin.get(place).json()["webhook_problem"])
    shown += admin.get(place).text
    assert "it cannot be reached" in shown and "s3cretWord" not in shown
    assert f"http://127.0.0.1:{receiver.port}" in shown
    numbers += happen(4)
    receiver.answer = in_turn(status(200), status(500), status(200))
    receiver.start()
    until(lambda: len(receiver.numbers) == 8)
    numbers += happen(1)
    until(lambda: len(receiver.numbers) == 9)
    assert receiver.numbers == numbers  # once each, and in order, though one was refused first
    assert receiver.received == admin.get("/v1/events", params={"camera": camera}).json()["events"]
    until(lambda: admin.get(place).json()["webhook_problem"] is None)
    assert admin.patch(place, json={"webhook": None}).json()["webhook"] is None
    receiver.stop()


def _told(gallery: Gallery, camera: str) -> bool:
    with gallery.database.reading() as connection:
        found = connection.execute("SELECT 1 FROM camera_told WHERE camera_id = ?", (camera,)).fetchone()
    return found is not None
