"""`camera` on a real stream: numbered events that are kept, replayed and delivered; how it ends."""

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest

from multiface.video.events.event_store import EventStore
from multiface.video.results import Event


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server that keeps what it is sent."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://user:secret@127.0.0.1:{server.server_port}/hook", got
    server.shutdown()
    server.server_close()


@pytest.fixture
def stream_server(clip: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The clip from its second second on, sent as MPEG-TS over TCP at its own pace, again and again."""
    code = """
import socket, sys, time, av
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
class Pipe:
    def __init__(self, client): self.client = client
    def write(self, data): self.client.sendall(data); return len(data)
while True:
    client, _ = listening.accept()
    try:
        with av.open(sys.argv[1]) as source, av.open(Pipe(client), "w", format="mpegts") as out:
            video = source.streams.video[0]
            stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "tune": "zerolatency"})
            stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
            start = None
            for number, frame in enumerate(source.decode(video)):
                if frame.time < 1: continue
                start = start or time.monotonic() - frame.time
                time.sleep(max(0, start + frame.time - time.monotonic()))
                again = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
                again.pts = number
                out.mux(stream.encode(again))
            time.sleep(30)
    except OSError:
        pass
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(clip)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert select.select([server.stdout], [], [], 30)[0]
        yield f"tcp://127.0.0.1:{int(server.stdout.readline())}", server
        server.kill()


@pytest.fixture
def stream(stream_server: tuple[str, subprocess.Popen[str]]) -> str:
    """Its address."""
    return stream_server[0]


def test_events_are_kept_before_they_are_told_and_can_be_replayed(
    call: Any, stream: str, hook: tuple[str, list[dict[str, Any]]], people: Path, tmp_path: Path
) -> None:
    url, got = hook
    done = call(
        "camera", "--source", stream, "--people", people, "--headless", "--duration", "2.5", "--events", "e.sqlite",
        "--webhook", url, "--out", "seen.mkv", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "secret" not in done.err + done.out
    told = [json.loads(line) for line in done.out.splitlines()]
    assert [event["number"] for event in told] == list(range(1, len(told) + 1))
    assert {"appeared", "left"} <= {event["event"] for event in told}
    assert got == told
    assert {event["source"] for event in told} == {stream}
    replayed = call("camera", "--replay", "0", "--events", "e.sqlite", "--json")
    assert [json.loads(line) for line in replayed.out.splitlines()] == told
    later = call("camera", "--replay", str(told[0]["number"]), "--events", "e.sqlite", "--json")
    assert [json.loads(line) for line in later.out.splitlines()] == told[1:]
    with av.open(str(tmp_path / "seen.mkv")) as recording:
        assert sum(1 for _ in recording.decode(video=0)) > 5


@pytest.mark.skipif(os.name == "nt", reason="needs signals as POSIX has them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl_c", "sigterm"])
def test_a_signal_ends_it_cleanly(
    number: signal.Signals, start: Any, first_line: Any, stream: str, people: Path, tmp_path: Path
) -> None:
    process = start(
        "camera", "--source", stream, "--people", people, "--headless", "--events", "e.sqlite", "--out", "seen.mkv",
        "--json",
    )  # fmt: skip
    first = json.loads(first_line(process))
    assert first["event"] == "appeared"
    asked = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - asked < 10
    assert process.returncode == 0, err
    assert "Traceback" not in err
    events = [first, *map(json.loads, out.splitlines())]
    assert sum(event["event"] == "appeared" for event in events) == sum(
        event["event"] == "left" for event in events
    )
    assert (tmp_path / "seen.mkv").exists()
    with sqlite3.connect(tmp_path / "e.sqlite") as store:
        assert store.execute("SELECT count(*) FROM event").fetchone() == (len(events),)
    store.close()


def test_two_cameras_do_not_share_a_file_of_events(
    start: Any, first_line: Any, call: Any, stream: str, people: Path
) -> None:
    """One's webhook would get the other's people."""
    process = start("camera", "--source", stream, "--people", people, "--headless", "--events", "e.sqlite")
    first_line(process)
    second = call(
        "camera", "--source", "tcp://127.0.0.1:9", "--people", people, "--headless", "--events", "e.sqlite"
    )
    assert second.code == 2 and "a file of its own" in second.err
    assert call("camera", "--replay", "0", "--events", "e.sqlite").code == 0, "reading is free"
    process.terminate()
    assert process.wait(30) == 0


def test_a_replay_without_events_says_so(call: Any, tmp_path: Path) -> None:
    missing = call("camera", "--replay", "0", "--events", "nosuch.sqlite")
    assert missing.code == 3 and "nosuch.sqlite: there is no such file" in missing.err
    assert not (tmp_path / "nosuch.sqlite").exists()
    EventStore(tmp_path / "e.sqlite").close()
    nothing = call("camera", "--replay", "7", "--events", "e.sqlite")
    assert nothing.code == 0 and "no events after number 7" in nothing.err


def test_old_events_wait_for_a_webhook_and_that_is_said(call: Any, people: Path, tmp_path: Path) -> None:
    told = Event(1.0, "appeared", 1, None, None, (1, 2, 3, 4))
    with EventStore(tmp_path / "e.sqlite") as store:
        store.set_delivered("webhook", 0)
        store.add("s", told)
    with closing(sqlite3.connect(tmp_path / "e.sqlite")) as connection, connection:
        connection.execute("UPDATE event SET stored = '1999-01-01T00:00:00.000+00:00'")
    arguments = ("camera", "--source", "7", "--people", people, "--headless", "--events", "e.sqlite")
    assert "1 event older than 30 days kept until a webhook has taken them" in call(*arguments).err
    with EventStore(tmp_path / "e.sqlite") as store:
        assert store.next_after(0) is not None
        store.set_delivered("webhook", 1)
    assert "kept until" not in call(*arguments).err
    with EventStore(tmp_path / "e.sqlite") as store:
        assert store.next_after(0) is None and store.last() == 1


def test_a_stream_that_is_lost_is_told_at_once(
    start: Any, first_line: Any, stream_server: tuple[str, subprocess.Popen[str]], people: Path
) -> None:
    address, server = stream_server
    process = start("camera", "--source", address, "--people", people, "--headless", "--events", "e.sqlite")
    assert process.stderr is not None
    first_line(process)
    lost = time.monotonic()
    server.kill()
    told = next(line for line in process.stderr if "trying again" in line)
    assert address in told and time.monotonic() - lost < 5
    process.terminate()
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("option", "days"), [((), 30.0), (("--keep-days", "2"), 2.0), (("--keep-days", "0.5"), 0.5)]
)
def test_events_are_kept_for_days(option: tuple[str, ...], days: float, call: Any, tmp_path: Path) -> None:
    """Of two events, an hour on either side of the limit, the younger one stays; the source is never reached."""
    file = tmp_path / "e.sqlite"
    with EventStore(file) as store:
        kept = [store.add("s", Event(0.0, "appeared", 1, None, None, (0, 0, 1, 1))) for _ in range(2)]
    now = datetime.now(UTC)
    with closing(sqlite3.connect(file)) as connection, connection:
        for event, hours in zip(kept, (1, -1), strict=True):
            age = (now - timedelta(days=days, hours=hours)).isoformat(timespec="milliseconds")
            connection.execute("UPDATE event SET stored = ? WHERE number = ?", (age, event.number))
    done = call("camera", "--source", "0", "--people", "none", "--headless", "--events", file, *option)
    assert done.code == 3 and "none" in done.err
    with EventStore(file) as store:
        assert [one.number for one in store.since(0)] == [2]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--source", "7"), 3, "7"),
        (("--source", "clip.mp4"), 2, "live"),
        (("--source", "tcp://user:secret@127.0.0.1:9"), 3, "127.0.0.1"),
        (("--source", "0", "--size", "big"), 2, "1280x720"),
        (("--source", "0", "--keep-days", "0"), 2, "keep-days"),
        (("--source", "0", "--keep-days", "nan"), 2, "keep-days"),
        (("--source", "0", "--keep-days", "36501"), 2, "keep-days"),
        (("--source", "tcp://127.0.0.1:9", "--webhook", "ftp://user:secret@x"), 2, "http"),
    ],
)
def test_bad_input_is_told(
    arguments: tuple[str, ...], code: int, words: str, call: Any, people: Path
) -> None:
    done = call("camera", *arguments, "--people", people, "--headless", "--events", "e.sqlite")
    assert done.code == code, done
    assert words in done.err
    assert "secret" not in done.err + done.out
