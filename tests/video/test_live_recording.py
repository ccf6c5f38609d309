"""Recordings of live sources: at capture times, readable after a kill, never written over."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from multiface.errors import UsageError
from multiface.video.copy.live_recording import LiveRecording
from multiface.video.results import FrameResult, SeenFace
from multiface.video.sources.frame import Frame


def result(number: int, at: float, shape: tuple[int, int] = (64, 96)) -> FrameResult:
    pixels: npt.NDArray[np.uint8] = np.full((*shape, 3), 40 + number % 150, np.uint8)
    frame = Frame(number, at, number * 3000, Fraction(1, 90_000), shape[1], shape[0], lambda: pixels)
    return FrameResult(frame, (SeenFace(1, (10, 20, 40, 50), True, None, 0.9, None),), ())


def times(path: Path) -> list[float]:
    with av.open(str(path)) as opened:
        return [float(p.time) for p in opened.decode(video=0)]


def slowly(recording: LiveRecording, results: list[FrameResult]) -> None:
    for one in results:
        while recording._waiting.full():
            time.sleep(0.005)
        recording.write(one)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_frames_stand_at_their_capture_times(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"door{suffix}"
    captured = [0.0, 0.04, 0.081, 0.4, 1.5, 1.502, 7.25]
    with LiveRecording(target) as recording:
        slowly(recording, [result(number, at) for number, at in enumerate(captured)])
        assert not target.exists()
    assert times(target) == pytest.approx(captured, abs=0.0011)
    assert recording.dropped == 0
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_other_sizes_are_fitted_and_equal_times_moved_apart(tmp_path: Path) -> None:
    target = tmp_path / "door.mkv"
    with LiveRecording(target) as recording:
        slowly(recording, [result(0, 0.0), result(1, 0.0, (30, 90)), result(2, 0.1, (128, 192))])
    with av.open(str(target)) as opened:
        assert {(p.width, p.height) for p in opened.decode(video=0)} == {(96, 64)}
    assert times(target) == pytest.approx([0, 0.001, 0.1])


def test_what_cannot_keep_up_is_left_out_and_counted(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    with LiveRecording(tmp_path / "door.mkv") as recording:
        begun = time.monotonic()
        for number in range(50):
            frame = Frame(number, number / 25, number, Fraction(1, 25), 1280, 720, lambda: noise)
            recording.write(FrameResult(frame, (), ()))
        assert time.monotonic() - begun < 1, "it does not wait"
    shown = times(tmp_path / "door.mkv")
    assert recording.dropped > 0 and len(shown) == 50 - recording.dropped
    assert shown[-1] == pytest.approx(49 / 25), "the newest is kept"


def test_an_exception_keeps_what_came(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), LiveRecording(tmp_path / "door.mp4") as recording:
        recording.write(result(0, 0.0))
        raise KeyboardInterrupt
    assert len(times(tmp_path / "door.mp4")) == 1


def test_names_and_nothing_to_record(tmp_path: Path) -> None:
    (tmp_path / "old.mkv").write_bytes(b"mine")
    with pytest.raises(UsageError, match="not written over"):
        LiveRecording(tmp_path / "old.mkv")
    with pytest.raises(UsageError, match=r"got '\.avi'"):
        LiveRecording(tmp_path / "door.avi")
    with pytest.raises(UsageError, match=r"\(No such file or directory\)$"):
        LiveRecording(tmp_path / "no" / "door.mkv")
    with LiveRecording(tmp_path / "door.mkv"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["old.mkv"]


@pytest.mark.skipif(sys.platform == "win32", reason="no lock on Windows")
def test_two_recordings_do_not_share_a_name(tmp_path: Path) -> None:
    target = tmp_path / "door.mkv"
    with LiveRecording(target) as recording:
        recording.write(result(0, 0.0))
        with pytest.raises(UsageError, match=r"door\.part\.mkv: another process is recording into it"):
            LiveRecording(target)
        slowly(recording, [result(1, 0.1)])
    assert times(target) == pytest.approx([0, 0.1])
    assert [path.name for path in tmp_path.iterdir()] == ["door.mkv"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appeared_meanwhile_stays(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as FAT has it

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "door.mkv"
    with (
        pytest.raises(UsageError, match=r"took this name meanwhile; what was recorded is in door-3\.mkv"),
        LiveRecording(target) as recording,
    ):
        recording.write(result(0, 0.0))
        target.write_bytes(b"mine")
        (tmp_path / "door-2.mkv").write_bytes(b"mine too")
    assert (target.read_bytes(), (tmp_path / "door-2.mkv").read_bytes()) == (b"mine", b"mine too")
    assert len(times(tmp_path / "door-3.mkv")) == 1
    assert len(list(tmp_path.iterdir())) == 3


SCRIPT = """
import importlib.util, sys, time
from pathlib import Path
from multiface.errors import UsageError
spec = importlib.util.spec_from_file_location("shared_frames", sys.argv[1])
frames = importlib.util.module_from_spec(spec)
spec.loader.exec_module(frames)
limit = int(sys.argv[3])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with frames.LiveRecording(Path(sys.argv[2])) as recording:
        for number in range(2000):
            recording.write(frames.result(number, number / 10))
            time.sleep(0.005)
            if number == 100:
                print("ready", flush=True)
except UsageError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_killed_recording_can_be_watched_and_is_kept(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"door{suffix}"
    running = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, __file__, str(target), "0"], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGKILL)
    running.communicate()
    part = tmp_path / f"door.part{suffix}"
    assert times(part)[-1] > 10 - 5.1, "at most a key frame's distance is lost"
    left = part.read_bytes()
    with LiveRecording(target) as recording:
        recording.write(result(0, 0.0))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([target.name, f"door.cut-1{suffix}"])
    assert (tmp_path / f"door.cut-1{suffix}").read_bytes() == left


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_limit_on_files(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SCRIPT, __file__, str(tmp_path / "door.mkv"), "20000"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stderr.strip() == (
        "door.mkv: cannot be written (File too large); what was recorded is in door.part.mkv"
    )
    assert len(times(tmp_path / "door.part.mkv")) > 10
