"""Live sources against real servers: GStreamer's RTSP server, and MPEG-TS and MJPEG over TCP and HTTP."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV (extra `video`)")

from multiface.errors import UsageError
from multiface.net.address import shown_address
from multiface.video.sources.live_connection import Patience
from multiface.video.sources.live_source import LiveSource, open_live

Server = Any  # tests/video/conftest.py
Start = Callable[..., Server]
QUICK = Patience(opening=4.0, stall=1.0)


def collected(
    server: Server, source: LiveSource, seconds: float, pause: float = 0.0
) -> list[tuple[float, float, str | None]]:
    """Of the frames of some seconds: time, age in seconds when it was handed out, gap."""
    seen = []
    end = time.monotonic() + seconds
    for frame in source.frames():
        seen.append((frame.time, time.monotonic() - server.made(frame.image), frame.gap))
        if time.monotonic() > end:
            break
        time.sleep(pause)
    return seen


def test_the_newest_frame_wins(server: Server) -> None:
    """A consumer six times slower than the stream sees frames that are no older at the end than at the start."""
    with open_live(server.address()) as source:
        assert source.info.live and (source.info.width, source.info.height) == (320, 240)
        seen = collected(server, source, 3.0, 0.25)
    times, ages = np.array([one[0] for one in seen]), np.array([one[1] for one in seen])
    assert 9 <= len(seen) <= 14
    assert np.median(ages[-5:]) - np.median(ages[1:6]) < 0.1
    assert np.median(ages) < 0.3
    assert np.all(np.diff(times) > 0) and 0 <= times[0] < 0.5
    assert times[-1] == pytest.approx(3.0, abs=0.8)


def test_dropped_connections_come_back(server: Server) -> None:
    with open_live(server.address(), QUICK) as source:
        frames = source.frames()
        first = next(frames)
        start = time.monotonic()
        numbers, gaps = [first.number], []
        for _ in range(2):
            server.tell("drop")
            for frame in frames:
                numbers.append(frame.number)
                if frame.gap is not None:
                    gaps.append(frame.gap)
                    break
            assert frame.captured is not None
            assert frame.time == pytest.approx(frame.captured - (first.captured or 0), abs=0.6)
        assert time.monotonic() - start < 8
    assert numbers == list(range(len(numbers)))
    assert all(re.search(r"no frames for \d+\.\d s$", gap) for gap in gaps)


def test_a_stall_is_noticed_and_ends(server: Server) -> None:
    with open_live(server.address(), QUICK) as source:
        frames = source.frames()
        next(frames)
        server.tell("stall")
        time.sleep(2.5)
        assert source.trouble is not None and "1 s" in source.trouble
        server.tell("resume")
        resumed = time.monotonic()
        assert any(frame.gap is not None for frame in frames)
        assert time.monotonic() - resumed < 5


def test_the_size_may_change(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The new one is said in one line."""
    with open_live(server.address()) as source:
        sizes = []
        for size in ((320, 240), (640, 360), (160, 120)):
            server.tell("size {} {}".format(*size))
            for frame in source.frames():
                assert frame.gap is None and frame.image.shape == (frame.height, frame.width, 3)
                if (frame.width, frame.height) == size:
                    sizes.append(size)
                    assert time.monotonic() - server.made(frame.image) < 1
                    break
                assert frame.time < 10
    assert len(sizes) == 3
    said = [record.getMessage() for record in caplog.records if "pictures are" in record.getMessage()]
    name = shown_address(server.address())
    assert said[-2:] == [
        f"{name}: pictures are 640 x 360 now, 320 x 240 before",
        f"{name}: pictures are 160 x 120 now, 640 x 360 before",
    ]
    assert len(said) <= 3, "the first change only where the server began with another size"


def test_close_while_the_network_hangs(server: Server) -> None:
    source = open_live(server.address())
    ended = threading.Event()

    def consume() -> None:
        for _ in source.frames():
            pass
        ended.set()

    threading.Thread(target=consume, daemon=True).start()
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    start = time.monotonic()
    source.close()
    assert time.monotonic() - start < 3 and ended.wait(1)
    source.close()
    server.process.send_signal(signal.SIGCONT)


def test_a_process_ends_while_the_network_hangs(live_server: Start) -> None:
    server = live_server("tcp")
    script = (
        "import sys, signal, os, time\n"
        "from multiface.video.sources.live_source import open_live\n"
        "source = open_live(sys.argv[1])\n"
        "next(source.frames())\n"
        "os.kill(int(sys.argv[2]), signal.SIGSTOP)\n"
        "time.sleep(0.3)\n"
        "sys.stdout.write(str(time.monotonic()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, server.address(), str(server.process.pid)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - float(done.stdout) < 3


def test_mjpeg_has_no_clock_of_its_own(live_server: Start) -> None:
    """FFmpeg counts its frames up at 25 a second, whatever comes."""
    server = live_server("mjpeg", rate=5)
    with open_live(server.address()) as source:
        seen = collected(server, source, 3.0)
    assert seen[-1][0] == pytest.approx(3.0, abs=0.5)
    assert max(age for _, age, _ in seen[1:]) < 0.3


def test_a_duration_ends_it_also_in_a_stall(live_server: Start) -> None:
    server = live_server("tcp")
    with open_live(server.address(), duration=1.5) as source:
        start = time.monotonic()
        for frame in source.frames():
            if frame.time > 0.5:
                server.tell("stall")
        assert 1.3 < time.monotonic() - start < 2.2
    with pytest.raises(UsageError):
        open_live(server.address(), duration=0.0)
