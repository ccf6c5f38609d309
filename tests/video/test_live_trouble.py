"""Live sources in trouble: servers that go and come back, that say nothing, or want a password; and memory."""

import io
import re
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV (extra `video`)")

import av

from multiface.errors import InputError, UsageError
from multiface.video.sources.live_connection import Feed, Patience
from multiface.video.sources.live_source import LiveSource, open_live

USER, PASSWORD = "warden", "S3cretPa55wordXYZ"
Server = Any  # tests/video/conftest.py
Start = Callable[..., Server]
QUICK = Patience(opening=4.0, stall=1.0)


def test_back_within_five_seconds_of_the_servers_return(server: Server) -> None:
    """One return of three: the server itself needs seconds to start encoding beside other tests."""
    took = []
    with open_live(server.address(), QUICK) as source:
        frames = source.frames()
        next(frames)
        while not took or (took[-1] >= 5 and len(took) < 3):
            server.stop()
            time.sleep(2.2)
            assert source.trouble is not None
            server.start()
            returned = time.monotonic()
            gap = next(frame.gap for frame in frames if frame.gap is not None)
            took.append(time.monotonic() - returned)
            assert source.trouble is None
            assert float(re.findall(r"no frames for (\d+\.\d) s", gap)[0]) > 2
    assert min(took) < 5, took


def test_an_attempt_that_hangs_is_given_up_soon_after_its_time_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where even FFmpeg's time limits do not help, as in a name server that does not answer."""
    monkeypatch.setattr("multiface.video.sources.live_source.ANSWER", 0.8)
    monkeypatch.setattr("multiface.video.sources.live_connection.SLACK", 0.5)
    data, release, limits = piece((320, 240)), threading.Event(), []

    def connect(given: tuple[float, float]) -> av.container.InputContainer:
        limits.append(given)
        if len(limits) == 2:
            release.wait(60)
            raise InputError("too late")
        return av.open(io.BytesIO(data))

    try:
        with LiveSource(Feed("camera", connect), Patience(opening=10.0, stall=5.0)) as source:
            start = time.monotonic()
            gap = next(frame.gap for frame in source.frames() if frame.gap is not None)
            assert time.monotonic() - start < 1 + 2 * 0.8 + 0.5 + 1.5  # the piece, opening, slack, looking
        assert "the stream ended" in gap
        assert limits == [(10.0, 5.0), (0.8, 5.0), (0.8, 5.0)]
    finally:
        release.set()


def test_a_source_that_is_slow_to_open_comes_back_too(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short attempts alone would be given up for ever: the fourth one has as long as the first."""
    monkeypatch.setattr("multiface.video.sources.live_source.ANSWER", 0.1)
    monkeypatch.setattr("multiface.video.sources.live_connection.SLACK", 0.2)
    data, attempts = piece((320, 240)), 0

    def connect(_: tuple[float, float]) -> av.container.InputContainer:
        nonlocal attempts
        attempts += 1
        time.sleep(1.2)  # longer than two short answers and the slack, shorter than two long ones
        return av.open(io.BytesIO(data))

    with LiveSource(Feed("camera", connect), Patience(opening=1.0, stall=0.2)) as source:
        gap = next(frame.gap for frame in source.frames() if frame.gap is not None)
    assert "the stream ended" in gap and attempts == 5
    assert sum("trying again" in record.message for record in caplog.records) == 1


def test_silence_and_refusal_at_the_start_are_errors() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for scheme in ("tcp", "http", "rtsp"):
            start = time.monotonic()
            with pytest.raises(InputError, match=r"nothing came for|timed out") as caught:
                open_live(f"{scheme}://u:{PASSWORD}@127.0.0.1:{port}/x", Patience(1.0, 1.0))
            assert time.monotonic() - start < 4
            hidden(caught.value)
    with pytest.raises(InputError, match=rf"rtsp://127.0.0.1:{port}/x: Connection refused") as caught:
        open_live(f"rtsp://u:{PASSWORD}@127.0.0.1:{port}/x")
    hidden(caught.value)


def test_what_is_no_video_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"good morning\n" * 10_000)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(InputError, match="not a readable video"):
            open_live(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    with pytest.raises(UsageError):
        open_live("file:///etc/passwd")


def hidden(error: BaseException) -> None:
    """The password is in nothing that hangs on an error."""
    text = "".join(traceback.format_exception(error)) + repr(error) + str(error.args) + repr(vars(error))
    assert PASSWORD not in text
    assert error.__context__ is None and error.__cause__ is None


@pytest.mark.parametrize("kind", ["rtsp", "http"])
def test_credentials_are_used_and_never_shown(
    kind: str,
    live_server: Start,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(1)
    caplog.set_level(1, logger="multiface")
    server = live_server(kind, secret=True)
    with pytest.raises(InputError, match="401") as caught:
        open_live(server.address(f"{USER}:{PASSWORD[::-1]}"), QUICK)
    assert PASSWORD[::-1] not in str(caught.value)
    hidden(caught.value)
    with open_live(server.address(f"{USER}:{PASSWORD}"), QUICK) as source:
        frames = source.frames()
        next(frames)
        server.stop()
        time.sleep(0.4)
        shown = [repr(source), repr(source.info), repr(vars(source)), str(source.trouble)]
        server.start()
        shown += [str(frame.gap) for frame, _ in zip(frames, range(3), strict=False)]
    assert not any(PASSWORD in text for text in shown)
    assert "trying again" in caplog.text and "back;" in caplog.text
    captured = capfd.readouterr()
    assert PASSWORD not in caplog.text + captured.out + captured.err
    assert PASSWORD[::-1] not in caplog.text + captured.out + captured.err


def piece(size: tuple[int, int], frames: int = 25, **options: str) -> bytes:
    """MPEG-TS, 25 frames a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts", options=options) as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8))))
        out.mux(stream.encode(None))
    return file.getvalue()


def test_a_stream_that_goes_on_as_another_program_is_read_anew() -> None:
    """PyAV passes over packets of streams that it did not know at the start, and never comes back from that."""
    first = piece((320, 240))
    other = piece((160, 120), mpegts_start_pid="768", mpegts_pmt_start_pid="4112")
    ended = threading.Event()
    count = 0

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            while not ended.is_set():
                data = first if count == 0 else other
                step = len(data) // 25 + 1
                for start in range(0, len(data), step):
                    client.sendall(data[start : start + step])
                    ended.wait(0.04)

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        with open_live(
            f"tcp://127.0.0.1:{server.getsockname()[1]}", Patience(1.0, 0.5), duration=15
        ) as source:
            for frame in source.frames():
                count += 1
                if frame.gap is not None:
                    break
        ended.set()
    assert frame.gap is not None and "hung" in frame.gap and frame.width == 160


CONSUMER = """
import gc, sys, time
import psutil
from multiface.video.sources.live_source import open_live

gc.disable()

def resident():
    return psutil.Process().memory_info().rss / 2**20

taken, early = 0, None
with open_live(sys.argv[1]) as source:
    start = time.monotonic()
    for frame in source.frames():
        assert frame.image.shape == (240, 320, 3) and frame.gap is None
        time.sleep(0.02)
        taken += 1
        if early is None and time.monotonic() - start > 2.0:
            early = resident()
        if time.monotonic() - start > 5.5:
            break
    print(taken, early, resident(), sum(type(one).__name__ == "VideoFrame" for one in gc.get_objects()))
"""


def test_memory_stays_flat() -> None:
    """About two thousand frames, 400 a second where the machine can, of which the consumer, a process of its own,
    takes a few. Nothing waits for Python's collector, which is off there.
    """
    data = piece((320, 240), 250)
    sent, ended = [0], threading.Event()

    def serve(server: socket.socket) -> None:
        client, _ = server.accept()
        with client, suppress(OSError):
            while not ended.is_set():
                for start in range(0, len(data), len(data) // 25):
                    client.sendall(data[start : start + len(data) // 25])
                    ended.wait(0.025)
                sent[0] += 250

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", CONSUMER, address], capture_output=True, text=True, timeout=60
        )
        ended.set()
    assert done.returncode == 0, done.stderr
    taken, early, late, alive = map(float, done.stdout.split())
    assert alive < 20, "decoded pictures that hold each other"
    assert taken > 20 and sent[0] > 1200
    assert late - early < 3
