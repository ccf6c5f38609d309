"""Several services on one gallery, services that are killed, and a database that goes away."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from multiface import Recognizer, RecognizerSettings
from multiface.gallery.service import camera_rows
from multiface.serve.cameras import supervisor
from multiface.serve.serve_settings import ServeSettings
from tests.gallery.postgres_server import Server, running
from tests.serve.cameras import FilmServer, camera_processes, until
from tests.serve.conftest import key_for, serving


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[Server]:
    with running() as server:
        yield server


def opened(place: str | Path) -> Recognizer:
    return Recognizer(gallery=place, create=True, settings=RecognizerSettings(threads=1, rate=0.01))


def with_key(address: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def test_of_two_services_one_runs_each_camera(
    postgres_server: Server, film_server: FilmServer, people_pictures: Path
) -> None:
    url = postgres_server.new_database("two")
    with ExitStack() as stack:
        one, other = (stack.enter_context(opened(url)) for _ in range(2))
        one.sync(people_pictures)
        assert one.gallery is not None
        key = key_for(one.gallery, "admin")
        second = stack.enter_context(with_key(stack.enter_context(serving(other, ServeSettings())), key))
        with serving(one, ServeSettings()) as address, with_key(address, key) as first:
            for name in ("door", "gate"):
                wanted = {"name": name, "source": film_server.address}
                assert first.post("/v1/cameras", json=wanted).status_code == 201

            def states(asked: httpx.Client) -> list[str]:
                return [camera["state"] for camera in asked.get("/v1/cameras").json()["cameras"]]

            until(lambda: states(first) == ["running"] * 2 == states(second))
            until(lambda: len(second.get("/v1/events").json()["events"]) > 6)
            assert len(camera_processes()) == 2
            with one.gallery.database.reading() as connection:
                lease = camera_rows.lease(connection)
            assert lease is not None
            # The database goes away and comes back: the processes stay, and go on.
            before = {process.pid for process in camera_processes()}
            postgres_server.stop("immediate")
            assert first.get("/v1/events").status_code == 503
            time.sleep(1.0)
            postgres_server.start()
            count = len(second.get("/v1/events?limit=200").json()["events"])
            until(lambda: len(second.get("/v1/events?limit=200").json()["events"]) > count + 3)
            assert {process.pid for process in camera_processes()} == before
        # Whichever of the two ran them: the other one goes on with them.
        until(lambda: len(camera_processes()) == 2 and states(second) == ["running"] * 2)
        numbers = [event["number"] for event in second.get("/v1/events?limit=200").json()["events"]]
        assert numbers == sorted(set(numbers))
    until(lambda: not camera_processes(), 3)


@contextmanager
def service(gallery: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`serve start` as a process of its own, and its address."""
    line = [sys.executable, "-m", "multiface", "serve", "start", "--port", "0", "--gallery", str(gallery)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[0].removesuffix("/v1")
        finally:
            process.kill()


def test_a_service_that_ends_or_is_killed_leaves_no_process_behind(
    tmp_path: Path, film_server: FilmServer, people_pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "g.sqlite") as recognizer:
        recognizer.sync(people_pictures)
        assert recognizer.gallery is not None
        key = key_for(recognizer.gallery, "admin")
    with service(tmp_path / "g.sqlite") as (process, address), with_key(address, key) as client:
        client.post("/v1/cameras", json={"name": "door", "source": film_server.address})
        until(lambda: client.get("/v1/cameras").json()["cameras"][0]["state"] == "running")
        (camera,) = camera_processes(process.pid)
        process.send_signal(signal.SIGKILL)
        until(lambda: not camera.is_running() or camera.status() == psutil.STATUS_ZOMBIE, 3)
    # The next one waits until the lease has stood still; then it runs the camera, and goes on with the numbers.
    monkeypatch.setattr(supervisor, "TAKE_OVER_SECONDS", 1.0)
    monkeypatch.setattr(supervisor, "BEAT_SECONDS", 0.3)
    with (
        opened(tmp_path / "g.sqlite") as recognizer,
        serving(recognizer, ServeSettings()) as address,
        with_key(address, key) as client,
    ):
        before = len(client.get("/v1/events").json()["events"])
        until(lambda: len(client.get("/v1/events").json()["events"]) > before + 3)
        assert len(camera_processes()) == 1
    until(lambda: not camera_processes(), 3)
    with service(tmp_path / "g.sqlite") as (process, address), with_key(address, key) as client:
        until(lambda: client.get("/v1/cameras").json()["cameras"][0]["state"] == "running")
        (camera,) = camera_processes(process.pid)
        ended = threading.Event()

        def follow() -> None:
            with client.stream("GET", "/v1/events/stream") as answer:
                for _ in answer.iter_lines():
                    pass
            ended.set()

        threading.Thread(target=follow, daemon=True).start()
        time.sleep(1.0)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - begin < 5 and ended.wait(2)
        assert "Traceback" not in err and key not in err, err
        assert not camera.is_running()
