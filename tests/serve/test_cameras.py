"""Cameras of a service: real streams, a real process each; how they are started, fail, come back and end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import psutil
import pytest

from multiface import Gallery, Recognizer
from multiface.gallery.service import camera_rows
from multiface.serve.cameras import running_camera
from multiface.serve.cameras.camera_order import CameraOrder
from multiface.serve.serve_settings import ServeSettings
from tests.serve.cameras import FilmServer, camera_processes, until
from tests.serve.conftest import Client, key_for, serving
from tests.video.conftest import PASSWORD, USER, Server


@pytest.fixture
def made(client: Client) -> Iterator[Callable[..., dict[str, Any]]]:
    """`made(source=..., ...)`: a new camera. All are removed in the end."""
    admin, ids = client("admin"), []

    def make(**wanted: Any) -> dict[str, Any]:
        answer = admin.post("/v1/cameras", json={"name": "door", **wanted})
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"/v1/cameras/{document['camera']}"
        ids.append(document["camera"])
        return document

    yield make
    for one in ids:
        admin.delete(f"/v1/cameras/{one}")
    until(lambda: not camera_processes(), 3)


def state(client: httpx.Client, camera: dict[str, Any]) -> str:
    return str(client.get(f"/v1/cameras/{camera['camera']}").json()["state"])


def events(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/events", params=query).json()["events"]
    return found


def test_the_life_of_a_camera(
    client: Client, made: Callable[..., dict[str, Any]], film_server: FilmServer, gallery: Gallery
) -> None:
    one = made(source=film_server.address, unknown_alert=True)
    seen, reader = client("cameras"), client("events:read")
    assert client("recognise").get("/v1/cameras").status_code == 403
    assert seen.post("/v1/cameras", json={"name": "x", "source": "0"}).status_code == 403
    until(lambda: state(seen, one) == "running")
    until(lambda: any(e["event"] == "unknown" for e in events(reader)))
    bob = gallery.person("bob")
    found = events(reader)
    known = next(e for e in found if e["event"] == "recognised")
    assert (known["name"], known["person"], known["camera"]) == ("bob", bob.id, one["camera"])
    assert known["similarity"] > known["threshold"] and len(known["box"]) == 4
    stranger = next(e for e in found if e["event"] == "unknown")
    assert stranger["name"] is None and stranger["track"] != known["track"]
    assert [e["number"] for e in found] == list(range(found[0]["number"], found[0]["number"] + len(found)))
    # Nobody asked for pictures of strangers.
    assert gallery.strangers.list() == () and all(e["stranger"] is None for e in found)

    assert seen.patch(f"/v1/cameras/{one['camera']}", json={"source": "tcp://127.0.0.1:1"}).status_code == 403
    asked = time.monotonic()
    assert seen.patch(f"/v1/cameras/{one['camera']}", json={"paused": True}).json()["state"] == "stopped"
    until(lambda: not camera_processes(), 2.0 - (time.monotonic() - asked))
    # Who was there has left: each track that appeared did.
    ended = events(reader)
    assert [e["event"] for e in ended].count("appeared") == [e["event"] for e in ended].count("left")
    assert len({e["run"] for e in ended}) == 1
    seen.patch(f"/v1/cameras/{one['camera']}", json={"paused": False, "name": "gate"})
    until(lambda: state(seen, one) == "running")
    assert seen.delete(f"/v1/cameras/{one['camera']}").json() == {"removed": one["camera"]}
    until(lambda: not camera_processes(), 2.0)
    assert events(reader) == [] and seen.get("/v1/cameras").json() == {"cameras": []}
    assert seen.get(f"/v1/cameras/{one['camera']}").status_code == 404


def test_strangers_are_kept_when_asked_for_and_for_the_time_asked(
    client: Client, made: Callable[..., dict[str, Any]], film_server: FilmServer, gallery: Gallery
) -> None:
    made(source=film_server.address, keep_strangers=2)
    reader = client("events:read")
    until(lambda: any(e["stranger"] for e in events(reader)))
    until(lambda: gallery.strangers.list()[0].sightings)
    (kept,) = gallery.strangers.list()
    assert kept.kept_until[:10] > kept.last_seen[:10]
    days = (_moment(kept.kept_until) - _moment(kept.last_seen)) / 86400
    assert days == pytest.approx(2)
    (number,) = {e["stranger"] for e in events(reader) if e["event"] == "recognised" and e["name"] is None}
    named = gallery.strangers.name(number, "Dora")
    assert {e["name"] for e in events(reader) if e["event"] == "recognised"} == {"bob", "Dora"}
    last = events(reader)[-1]["number"]
    # The camera's process, which has the gallery open, learns of the new person.
    until(lambda: any(e["person"] == named.id for e in events(reader, after=last)))
    assert gallery.remove(named.id).purged  # though the camera's process reads the file too
    assert not any(e["stranger"] == number or e["name"] == "Dora" for e in events(reader))


def test_a_process_that_is_killed_is_started_again_and_no_stored_event_is_lost(
    client: Client, made: Callable[..., dict[str, Any]], film_server: FilmServer
) -> None:
    one = made(source=film_server.address)
    seen, reader = client("cameras"), client("events:read")
    until(lambda: len(events(reader)) > 3)
    (process,) = camera_processes()
    os.kill(process.pid, signal.SIGKILL)
    before = events(reader)
    until(lambda: "signal 9" in str(client("cameras").get("/v1/cameras").json()["cameras"][0]["detail"]))
    until(lambda: state(seen, one) == "running" and len({e["run"] for e in events(reader)}) == 2)
    after = events(reader)
    assert after[: len(before)] == before
    assert [e["number"] for e in after] == sorted({e["number"] for e in after})
    assert seen.get("/v1/cameras").json()["cameras"][0]["detail"] is None


def test_a_process_that_hangs_is_ended(
    client: Client,
    made: Callable[..., dict[str, Any]],
    film_server: FilmServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running_camera, "SILENT_SECONDS", 2.5)
    one = made(source=film_server.address)
    seen = client("cameras")
    until(lambda: state(seen, one) == "running")
    (process,) = camera_processes()
    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: "stopped responding" in str(seen.get("/v1/cameras").json()["cameras"][0]["detail"]))
    until(lambda: state(seen, one) == "running")
    (other,) = camera_processes()
    assert other.pid != process.pid
    os.kill(other.pid, signal.SIGSTOP)
    seen.patch(f"/v1/cameras/{one['camera']}", json={"paused": True})
    until(lambda: not camera_processes(), 2.0)


def test_a_camera_that_is_dead_comes_back(
    client: Client, made: Callable[..., dict[str, Any]], film_server: FilmServer
) -> None:
    film_server.stop()
    one = made(source=film_server.address)
    seen = client("cameras")
    until(lambda: state(seen, one) == "waiting")
    detail = seen.get("/v1/cameras").json()["cameras"][0]["detail"]
    assert "Connection refused" in detail and "tried again" in detail
    film_server.start()
    until(lambda: state(seen, one) == "running")
    film_server.stop()  # while it runs: its process stays and connects again
    (process,) = camera_processes()
    until(lambda: state(seen, one) == "waiting")
    film_server.start()
    until(lambda: state(seen, one) == "running")
    assert camera_processes() == [process]


def test_a_password_is_used_and_shown_nowhere(
    client: Client,
    made: Callable[..., dict[str, Any]],
    gallery: Gallery,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(1)
    server = Server("http", secret=True)
    wrong = PASSWORD[::-1]
    try:
        one = made(source=server.address(f"{USER}:{wrong}"))
        seen, admin = client("cameras"), client("admin")
        until(lambda: state(seen, one) == "waiting")
        shown = seen.get("/v1/cameras").text
        assert "401" in shown and server.address() in shown
        # Another host does not get the password of this one.
        place = f"/v1/cameras/{one['camera']}"
        admin.patch(place, json={"password": PASSWORD, "source": server.address(USER)})
        until(lambda: state(seen, one) == "running")
        (process,) = camera_processes()
        shown += admin.get("/v1/cameras").text + admin.get("/v1/events").text
        lines = "".join(psutil.Process(process.pid).cmdline())
        lines += json.dumps(psutil.Process(process.pid).environ())
        admin.patch(place, json={"source": "tcp://127.0.0.1:1"})
        until(lambda: "refused" in str(seen.get(place).json()["detail"]))
        shown += seen.get(place).text
        with gallery.database.reading() as connection:
            assert camera_rows.camera(connection, one["camera"], "here").password is None
    finally:
        server.stop()
    captured = capfd.readouterr()
    for secret in (PASSWORD, wrong):
        assert secret not in shown + lines + caplog.text + captured.out + captured.err


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"source": "clip.mp4"}, "a camera is a webcam"),
        ({"source": "file:///etc/passwd"}, "not a known kind of stream"),
        ({"source": "rtsp://"}, "names no host"),
        ({"source": "rtsp://host/@other/live"}, "none may stand"),
        ({"source": "rtsp://host/live", "password": "secret1"}, "names a user"),
        ({"source": "0", "password": "secret1"}, "no password"),
        ({"source": "0", "webhook": "ftp://secret1@host"}, "http"),
        ({"source": "0", "keep_strangers": 0}, "greater"),
        ({"source": "0", "colour": "red"}, "Extra"),
        ({"source": "0", "name": " "}, "name"),
        ({"source": "0", "name": "a\0b"}, "name"),
        ({"source": "0", "name": "\ud800"}, "name"),
        ({"source": "rtsp://u@host/\0"}, "printed"),
        ({"source": "rtsp://u@host/\ud800"}, "unicode"),
        ({"source": "rtsp://u@host/", "password": "secret1\0"}, "printed"),
        ({"source": "rtsp://u@host/", "password": "secret1\ud800"}, "unicode"),
        ({"source": "rtsp://u:secret1%00@host/"}, "printed"),
        ({"source": "0", "webhook": "http://secret1\ud800@host/"}, "webhook"),
        ({"source": "0", "webhook": "http://host/\ud800"}, "webhook"),
    ],
)
def test_what_is_no_camera(client: Client, wanted: dict[str, Any], words: str) -> None:
    body = json.dumps({"name": "x", **wanted})
    answer = client("admin").post("/v1/cameras", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and words in answer.text
    assert "secret1" not in answer.text
    assert client("cameras").get("/v1/cameras").json() == {"cameras": []}


def test_only_named_hosts(recognizer: Recognizer, gallery: Gallery) -> None:
    headers = {"Authorization": f"Bearer {key_for(gallery, 'admin')}"}
    settings = ServeSettings(camera_hosts=("10.1.0.0/16", "door.example", "127.0.0.0/8"))
    with (
        serving(recognizer, settings) as address,
        httpx.Client(base_url=address, headers=headers) as admin,
    ):
        answers = {
            source: admin.post("/v1/cameras", json={"name": "x", "source": source, "paused": True})
            for source in (
                *("rtsp://10.1.2.3/live", "rtsp://u:p@door.example:554/live", "rtsp://localhost/live", "0"),
                *("rtsp://10.2.0.1/live", "rtsp://169.254.169.254/x", "rtsp://[::1]/live"),
                *(
                    "rtsp://door.example@10.2.0.1/live",
                    "rtsp://10.2.0.1/door.example",
                    "rtsp://no.invalid/live",
                ),
            )
        }
        assert [one.status_code for one in answers.values()] == [201] * 4 + [422] * 6
        assert "accepts no cameras" in answers["rtsp://[::1]/live"].text
        (first, *_) = admin.get("/v1/cameras").json()["cameras"]
        moved = admin.patch(f"/v1/cameras/{first['camera']}", json={"source": "rtsp://10.2.0.1/"})
        assert moved.status_code == 422
        for one in admin.get("/v1/cameras").json()["cameras"]:
            admin.delete(f"/v1/cameras/{one['camera']}")


def test_read_only(recognizer: Recognizer, gallery: Gallery) -> None:
    headers = {"Authorization": f"Bearer {key_for(gallery, 'admin')}"}
    with (
        serving(recognizer, ServeSettings(read_only=True)) as address,
        httpx.Client(base_url=address, headers=headers) as admin,
    ):
        for answer in (
            admin.post("/v1/cameras", json={"name": "x", "source": "0"}),
            admin.patch("/v1/cameras/c_0", json={"paused": True}),
            admin.delete("/v1/cameras/c_0"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:multiface:read_only")
        assert admin.get("/v1/cameras").json() == {"cameras": []}


def test_a_process_without_an_order_ends() -> None:
    done = run_alone(b"")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_missing_library_is_told() -> None:
    order = CameraOrder({}, "c_1", "tcp://127.0.0.1:1", None, False, "me")
    done = run_alone(order.line(), "import sys; sys.modules['av'] = None; ")
    assert done.returncode == 1 and "video and cameras need PyAV" in json.loads(done.stdout)["failed"]


def run_alone(said: bytes, before: str = "") -> "subprocess.CompletedProcess[bytes]":
    """A camera's process that is told this, with its standard input open for a while."""
    module = "multiface.serve.cameras.camera_process"
    code = f"{before}import runpy; runpy.run_module({module!r}, run_name='__main__')"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(said)
        process.stdin.flush()
        if not said:
            process.stdin.close()
        process.wait(30)
        return subprocess.CompletedProcess(
            [], process.returncode, process.stdout.read(), process.stderr.read()
        )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
