"""A copy that was stopped and is gone on with equals one that was not; full disks; what starts anew and why."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from multiface.errors import InputError, UsageError
from multiface.video.copy.annotated_file import AnnotatedFile
from multiface.video.copy.resume import Resumable, RunKey, StartsAnew, part_folder, run_key, work_left
from multiface.video.results import Event, FrameResult
from multiface.video.sources.frame import Frame, SourceInfo

ALL = 60
SOURCE = SourceInfo("clip", 96, 64, None, Fraction(30), None, False)
EVENT = Event(0.1, "recognised", 1, "Zoë", 0.1 + 0.2, (1.5, 2, 3, 4), ("Anna", 0.25), 0.4)


def picture(number: int) -> npt.NDArray[np.uint8]:
    """A moving gradient that no two frames share."""
    rows, columns = np.mgrid[:64, :96]
    return np.stack(
        [(columns * 2 + number * 3) % 256, (rows * 3) % 256, (rows + columns + number) % 256], 2
    ).astype(np.uint8)


def result(number: int) -> FrameResult:
    """Frames at an uneven rate, an event every ten, a checkpoint every fifteen."""
    pts = 1000 + number * 1001 + (number % 4) * 77
    pixels = picture(number)
    frame = Frame(number, (pts - 1000) / 30_000, pts, Fraction(1, 30_000), 96, 64, lambda: pixels)
    state = f"state after {number}".encode() if number % 15 == 14 else None
    return FrameResult(frame, (), (EVENT,) if number % 10 == 0 else (), state)


def write(target: Path, key: RunKey, frames: range, resume: Resumable | None = None) -> None:
    with AnnotatedFile(target, None, SOURCE, key=key, resume=resume) as file:
        for number in frames:
            file.write(result(number))


def stopped(target: Path, key: RunKey, frames: range, resume: Resumable | None = None) -> None:
    """As `write`, stopped when all of these frames are drawn."""
    with (
        pytest.raises(KeyboardInterrupt),
        AnnotatedFile(target, None, SOURCE, key=key, resume=resume) as file,
    ):
        for number in frames:
            file.write(result(number))
        while file._waiting.qsize():
            time.sleep(0.01)
        time.sleep(0.1)
        raise KeyboardInterrupt


@pytest.fixture
def key(tmp_path: Path) -> RunKey:
    (tmp_path / "source.bin").write_bytes(b"film")
    return run_key(tmp_path / "source.bin", 0.0, None, (("--every", "5"), ("--score", "False")), "7")


def shown(path: Path) -> tuple[list[Fraction], list[bytes]]:
    """Times and decoded pictures."""
    with av.open(str(path)) as opened:
        frames: list[Any] = list(opened.decode(video=0))
        return [f.pts * f.time_base for f in frames], [f.to_ndarray().tobytes() for f in frames]


def test_stopped_and_gone_on_with_equals_uninterrupted(tmp_path: Path, key: RunKey) -> None:
    whole, target = tmp_path / "whole.mp4", tmp_path / "copy.mp4"
    write(whole, key, range(ALL))
    stopped(target, key, range(37))
    left = work_left(target, key)
    assert isinstance(left, Resumable)
    assert (left.frames, left.next_number, left.complete) == (30, 30, False)
    assert left.state == b"state after 29"
    assert left.pts == result(29).frame.pts and left.time == result(29).frame.time
    assert left.events == (EVENT, EVENT, EVENT)
    stopped(target, key, range(30, 50), left)
    left = work_left(target, key)
    assert isinstance(left, Resumable) and left.next_number == 45
    write(target, key, range(45, ALL), left)
    assert shown(target) == shown(whole)
    assert len(shown(target)[0]) == ALL
    assert not part_folder(target).exists()


def test_times_of_a_whole_run_are_exact(tmp_path: Path, key: RunKey) -> None:
    write(tmp_path / "copy.mp4", key, range(ALL))
    assert shown(tmp_path / "copy.mp4")[0] == [result(n).frame.pts * Fraction(1, 30_000) for n in range(ALL)]


def test_unfinished_work_is_for_the_owner_alone(tmp_path: Path, key: RunKey) -> None:
    target = tmp_path / "copy.mp4"
    stopped(target, key, range(20))
    folder = part_folder(target)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {entry.stat().st_mode & 0o777 for entry in folder.iterdir()} == {0o600}
    assert {entry.name for entry in folder.iterdir()} == {
        "run.json",
        "lock",
        "000001.mp4",
        "000001.json",
        "000001.state",
    }
    assert not target.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("source", "the source has changed"),
        ("touched", "the source has changed"),
        ("begin", "another part of the source"),
        ("settings", "other settings are asked for: --every, --flip"),
        ("gallery", "the gallery has changed"),
        ("run.json", "broken or of another version"),
        ("000001.state", "has lost its state"),
        ("000001.mp4", "did not reach its first checkpoint"),
    ],
)
def test_what_starts_anew_says_why(tmp_path: Path, key: RunKey, change: str, reason: str) -> None:
    target, source = tmp_path / "copy.mp4", tmp_path / "source.bin"
    stopped(target, key, range(20))
    assert isinstance(work_left(target, key), Resumable)
    begin, settings, gallery = 0.0, key.settings, "7"
    match change:
        case "source":
            modified = source.stat().st_mtime_ns
            source.write_bytes(b"mlif")
            os.utime(source, ns=(modified, modified))
        case "touched":
            os.utime(source, ns=(1, 1))
        case "begin":
            begin = 1.0
        case "settings":
            settings = (("--every", "6"), ("--score", "False"), ("--flip", "True"))
        case "gallery":
            gallery = "8"
        case "000001.state":
            (part_folder(target) / change).unlink()
        case _:
            (part_folder(target) / change).write_bytes(b"{")
    now = run_key(source, begin, None, settings, gallery)
    left = work_left(target, now)
    assert isinstance(left, StartsAnew) and left.reason is not None and reason in left.reason
    write(target, now, range(20))
    assert len(shown(target)[0]) == 20
    assert not part_folder(target).exists()


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_where_unfinished_work_would_lie_is_not_followed(tmp_path: Path, key: RunKey) -> None:
    """It leads to the unfinished work of another copy, all of whose files look like ours."""
    other, target = tmp_path / "other.mp4", tmp_path / "copy.mp4"
    stopped(other, key, range(20))
    before = {entry.name: entry.read_bytes() for entry in part_folder(other).iterdir()}
    part_folder(target).symlink_to(part_folder(other))
    with pytest.raises(UsageError, match=r"copy\.mp4\.part: .* is not from MultiFace; move it away"):
        work_left(target, key)
    with pytest.raises(UsageError, match=r"copy\.mp4\.part: .* is not from MultiFace; move it away"):
        write(target, key, range(ALL))
    assert {entry.name: entry.read_bytes() for entry in part_folder(other).iterdir()} == before
    assert part_folder(target).is_symlink() and not target.exists()


def test_nothing_there_and_nothing_readable(tmp_path: Path, key: RunKey) -> None:
    assert work_left(tmp_path / "copy.mp4", key) == StartsAnew(None)
    with pytest.raises(InputError, match="cannot be read"):
        run_key(tmp_path / "no.mp4", 0.0, None, (), "")


def test_before_the_first_checkpoint_nothing_is_left(tmp_path: Path, key: RunKey) -> None:
    stopped(tmp_path / "copy.mp4", key, range(10))
    assert not part_folder(tmp_path / "copy.mp4").exists()


SCRIPT = """
import importlib.util, sys, time
from pathlib import Path
from multiface.errors import UsageError
spec = importlib.util.spec_from_file_location("shared_frames", sys.argv[1])
frames = importlib.util.module_from_spec(spec)
spec.loader.exec_module(frames)
folder, pause, limit = Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
key = frames.run_key(folder / "source.bin", 0.0, None, (("--every", "5"), ("--score", "False")), "7")
left = frames.work_left(folder / "copy.mp4", key)
resume = left if isinstance(left, frames.Resumable) else None
print("begins at", resume.next_number if resume else 0, flush=True)
try:
    with frames.AnnotatedFile(folder / "copy.mp4", None, frames.SOURCE, key=key, resume=resume) as file:
        for number in range(resume.next_number if resume else 0, frames.ALL):
            file.write(frames.result(number))
            time.sleep(pause)
except UsageError as error:
    sys.exit(str(error))
"""


def process(folder: Path, pause: float, limit: int = 0) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", SCRIPT, __file__, str(folder), str(pause), str(limit)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_again_and_again(tmp_path: Path, key: RunKey) -> None:
    whole, target = tmp_path / "whole.mp4", tmp_path / "copy.mp4"
    write(whole, key, range(ALL))
    starts = []
    for finished in (1, 2, 3):
        running = process(tmp_path, 0.03)
        wanted = part_folder(target) / f"{finished:06}.json"
        until = time.monotonic() + 30
        while not wanted.exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.07)
        running.send_signal(signal.SIGKILL)
        out, _ = running.communicate()
        starts.append(int(out.split()[-1]))
        assert not target.exists()
    out, error = process(tmp_path, 0).communicate()
    starts.append(int(out.split()[-1]))
    assert error == ""
    assert starts == [0, 15, 30, 45]
    assert shown(target) == shown(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.mp4", "source.bin", "whole.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_limit_on_files_while_writing_and_while_joining(tmp_path: Path, key: RunKey) -> None:
    write(tmp_path / "copy.mp4", key, range(ALL))
    wanted, size = shown(tmp_path / "copy.mp4"), (tmp_path / "copy.mp4").stat().st_size
    (tmp_path / "copy.mp4").unlink()
    out, error = process(tmp_path, 0, size // 16).communicate()
    assert "copy.mp4: cannot be written (File too large); " in error
    assert "Traceback" not in error
    out, error = process(tmp_path, 0, size - 1000).communicate()
    assert "copy.mp4: cannot be written (File too large); what is finished stays in copy.mp4.part" in error
    assert not (tmp_path / "copy.mp4").exists() and (part_folder(tmp_path / "copy.mp4") / "complete").exists()
    out, error = process(tmp_path, 0).communicate()
    assert (out, error) == (f"begins at {ALL}\n", "")
    assert shown(tmp_path / "copy.mp4") == wanted


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small file system of its own")
def test_a_full_disk(tmp_path: Path, key: RunKey) -> None:
    write(tmp_path / "whole.mp4", key, range(ALL))
    size = (tmp_path / "whole.mp4").stat().st_size
    disk = tmp_path / "disk"
    disk.mkdir()
    options = f"size={size * 7 // 10 + 40_000}"  # the small files take a page each
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (disk / "source.bin").write_bytes(b"film")
        _, error = process(disk, 0).communicate()
        assert "copy.mp4: cannot be written (No space left on device); what is finished stays" in error
        assert "make room and run again" in error and "Traceback" not in error
        assert not (disk / "copy.mp4").exists()
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        out, error = process(disk, 0).communicate()
        assert error == "" and int(out.split()[-1]) > 0, "went on with what was finished"
        assert shown(disk / "copy.mp4") == shown(tmp_path / "whole.mp4")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_run_files_hold_no_more_than_they_say(tmp_path: Path, key: RunKey) -> None:
    stopped(tmp_path / "copy.mp4", key, range(20))
    document = json.loads((part_folder(tmp_path / "copy.mp4") / "run.json").read_bytes())
    assert set(document) == {"format", "key", "shape"}
    assert set(document["key"]) == set(RunKey.__slots__)
