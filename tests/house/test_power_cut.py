"""What a writer said was written is there after a power cut, whole and under its name.

The real files are written; beside them the test keeps what a disk that forgets all that was not synced would hold: the
content of each file as of its last fsync, and the names in each folder as of that folder's. A rename may reach the
disk by itself at any moment, so what gets a lasting name must be synced before.
"""

import hashlib
import http.server
import os
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from multiface.atomic_write import write_whole
from multiface.datasets.bin_pack import write_bin
from multiface.datasets.recordio import Record, RecordWriter
from multiface.images import save_picture
from multiface.video.capture.capture import Take
from multiface.video.capture.take_files import save_takes
from multiface.video.copy.annotated_file import AnnotatedFile
from multiface.video.copy.live_recording import LiveRecording
from multiface.video.copy.resume import part_folder, run_key
from multiface.video.results import FrameResult
from multiface.video.sources.frame import Frame, SourceInfo
from multiface.weights.fetch import fetch
from multiface.weights.store import Store

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="reads synced files by their numbers in /proc"
)

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)


class ForgetfulDisk:
    """What would be left after a power cut. torn: names that were given to content that was not synced."""

    def __init__(self) -> None:
        self.torn: list[str] = []
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}

    def synced(self, handle: int) -> None:
        """A file or folder was forced onto the disk."""
        number, place = os.fstat(handle).st_ino, Path(f"/proc/self/fd/{handle}")
        if place.is_dir():
            self._names[number] = {entry.name: entry.inode() for entry in os.scandir(place)}
        else:
            self._contents[number] = place.read_bytes()

    def named(self, to: Path) -> None:
        """A file, or a folder with all that is in it, was given this name."""
        if not to.is_dir():
            self.torn += [str(to)] if self._contents.get(to.stat().st_ino) != to.read_bytes() else []
            return
        for entry in to.iterdir():
            self.torn += [str(entry)] if not self.holds(entry) else []

    def holds(self, path: Path) -> bool:
        """Whether the file is there after the cut, under this name and with this content; or the folder."""
        number = path.stat().st_ino
        if self._names.get(path.parent.stat().st_ino, {}).get(path.name) != number:
            return False
        return path.is_dir() or self._contents.get(number) == path.read_bytes()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> ForgetfulDisk:
    """Watches the calls of this process, which are all carried out."""
    watching = ForgetfulDisk()
    sync = os.fsync

    def fsync(handle: int) -> None:
        sync(handle)
        watching.synced(handle)

    def naming(call: Callable[..., None]) -> Callable[..., None]:
        def give(there: str | Path, to: str | Path) -> None:
            call(there, to)
            watching.named(Path(to))

        return give

    monkeypatch.setattr(os, "fsync", fsync)
    for name in ("rename", "replace", "link"):
        monkeypatch.setattr(os, name, naming(getattr(os, name)))
    return watching


def whole(folder: Path) -> list[Path]:
    for content in (b"old", b"new" * 50_000):
        write_whole(folder / "a", content)
    return [folder / "a"]


def picture(folder: Path) -> list[Path]:
    save_picture(PIXELS, folder / "a.png")
    return [folder / "a.png"]


def pack(folder: Path) -> list[Path]:
    write_bin(folder / "a.bin", [b"one", b"two"], [True])
    return [folder / "a.bin"]


def records(folder: Path) -> list[Path]:
    with RecordWriter(folder / "a.rec", folder / "a.idx") as writer:
        for key in range(50):
            writer.write(key, Record(0.0, key, 0, bytes(1000)))
    return [folder / "a.rec", folder / "a.idx"]


def takes(folder: Path) -> list[Path]:
    return list(save_takes(folder / "Ada", [Take(PIXELS, 0.0, (0, 0, 9, 9), 1.0, None)]).paths)


def stored(folder: Path) -> list[Path]:
    (folder / "net.onnx").write_bytes(b"network")
    store = Store(folder / "store", folder / "cache")
    store.add("mine", "detector", {"network": folder / "net.onnx"}, None, "MIT", True, "a test")
    return [place := folder / "store" / "mine", *place.iterdir()]


def checkpoint(folder: Path) -> list[Path]:
    torch = pytest.importorskip("torch")
    from multiface.train.checkpoint import Position, write_checkpoint
    from multiface.train.tensor_file import Entry

    written = [
        write_checkpoint(
            folder,
            [Entry.of("network.a", torch.ones(1000))],
            Position(k, 1, 2, None, (), 0.0, 0),
            keep=1,
        )
        for k in (1, 2)
    ]
    return written[1:]


def frames(count: int) -> list[FrameResult]:
    """The last one with a state to go on from."""
    return [
        FrameResult(
            Frame(k, k / 30, k, Fraction(1, 30), 96, 64, lambda: PIXELS),
            (),
            (),
            b"state" if k == count - 1 else None,
        )
        for k in range(count)
    ]


SHAPE = SourceInfo("clip", 96, 64, None, Fraction(30), None, False)


def annotated(folder: Path) -> list[Path]:
    with AnnotatedFile(folder / "a.mp4", None, SHAPE) as file:
        for result in frames(5):
            file.write(result)
    return [folder / "a.mp4"]


def unfinished(folder: Path) -> list[Path]:
    """What a run that was stopped keeps for the next."""
    (folder / "source").write_bytes(b"film")
    key = run_key(folder / "source", 0.0, None, (), "1")
    target = folder / "a.mp4"
    with pytest.raises(KeyboardInterrupt), AnnotatedFile(target, None, SHAPE, key=key) as file:
        for result in frames(5):
            file.write(result)
        while not (part_folder(target) / "000001.json").exists():
            threading.Event().wait(0.01)
        threading.Event().wait(0.1)
        raise KeyboardInterrupt
    return [path for path in part_folder(target).iterdir() if path.name != "lock"]


def recording(folder: Path) -> list[Path]:
    with LiveRecording(folder / "a.mkv") as file:
        for result in frames(5):
            file.write(result)
    return [folder / "a.mkv"]


def fetched(folder: Path) -> list[Path]:
    (folder / "there").mkdir()
    (folder / "there" / "net.onnx").write_bytes(content := bytes(range(256)) * 2000)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder / "there"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/net.onnx"
        fetch([url], folder / "net.onnx", hashlib.sha256(content).hexdigest())
        server.shutdown()
    return [folder / "net.onnx"]


WRITERS = (
    whole,
    picture,
    pack,
    records,
    takes,
    stored,
    checkpoint,
    annotated,
    unfinished,
    recording,
    fetched,
)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_nothing_that_was_written_is_lost(
    write: Callable[[Path], list[Path]], disk: ForgetfulDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    written = write(tmp_path)
    assert disk.torn == []
    assert written and [path.name for path in written if not disk.holds(path)] == []


def test_the_disk_forgets(disk: ForgetfulDisk, tmp_path: Path) -> None:
    """The measure itself: content, and the name, are lost without an fsync of their own."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"x")
    a.rename(b)
    assert disk.torn == [str(b)] and not disk.holds(b)
    with b.open("rb") as file:
        os.fsync(file.fileno())
    assert not disk.holds(b)
    folder = os.open(tmp_path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    assert disk.holds(b)
    b.write_bytes(b"y")
    assert not disk.holds(b)
