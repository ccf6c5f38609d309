"""`serve start --workers`: several processes on one gallery of either engine; one that dies is replaced."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.drawn_faces import drawn_face, save_people
from tests.gallery.conftest import location, new_database, postgres_server, pytest_generate_tests
from tests.serve.conftest import encoded

__all__ = ["location", "new_database", "postgres_server", "pytest_generate_tests"]

Call = Callable[..., Any]
WORKERS = 3


@pytest.fixture
def service(
    call: Call,
    start: Callable[..., "subprocess.Popen[str]"],
    first_line: Callable[["subprocess.Popen[str]"], str],
    location: str | Path,
    tmp_path: Path,
) -> Iterator[tuple["subprocess.Popen[str]", httpx.Client]]:
    """A service of several processes that know Ada and Bob, and a client whose every request is a new connection."""
    gallery = ("--gallery", str(location))
    assert call("facebank", save_people(tmp_path / "people", {"ada": 2, "bob": 2}), *gallery).code == 0
    scopes = [word for scope in ("recognise", "people:write", "admin") for word in ("--scope", scope)]
    key = call("serve", "keys", "new", "test", *scopes, *gallery, "--json").document()["key"]
    process = start(
        "serve", "start", "--port", "0", "--workers", str(WORKERS), "--threads", "1", *gallery, "--json"
    )
    address = json.loads(first_line(process))["address"]
    headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
        ready(client)
        yield process, client
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, 130), err
        assert "Traceback" not in err, err


def ready(client: httpx.Client, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            client.get("/people").raise_for_status()
            return
        except httpx.TransportError:
            assert time.monotonic() < until
            time.sleep(0.1)


def workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    found = list[psutil.Process]()
    for one in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one, too
            if "spawn_main" in " ".join(one.cmdline()):
                found.append(one)
    return found


def eventually(wanted: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.1)


def test_whom_one_enrols_all_find_and_a_dead_one_is_replaced(
    service: tuple["subprocess.Popen[str]", httpx.Client],
) -> None:
    process, client = service
    eventually(lambda: len(workers(process)) == WORKERS)
    picture = {"content": encoded(drawn_face("cleo")), "headers": {"Content-Type": "image/jpeg"}}
    made = client.post("/people?name=Cleo", **picture)  # type: ignore[arg-type]
    assert made.status_code == 201, made.text
    time.sleep(1.0)
    names = [
        client.post("/identify", **picture).json()["pictures"][0]["faces"][0]["name"]  # type: ignore[arg-type]
        for _ in range(12)
    ]
    assert names == ["Cleo"] * 12

    before = {one.pid for one in workers(process)}
    os.kill(sorted(before)[0], signal.SIGKILL)
    eventually(lambda: len(workers(process)) == WORKERS and {one.pid for one in workers(process)} != before)
    ready(client)
    assert client.get("/people", params={"q": "Cleo"}).json()["people"][0]["name"] == "Cleo"


def test_workers_end_with_the_service_even_if_it_is_killed(
    service: tuple["subprocess.Popen[str]", httpx.Client],
) -> None:
    process, _ = service
    eventually(lambda: len(workers(process)) == WORKERS)
    left = workers(process)
    process.kill()
    process.wait(10)
    gone, alive = psutil.wait_procs(left, timeout=30)
    assert len(gone) == WORKERS and not alive
