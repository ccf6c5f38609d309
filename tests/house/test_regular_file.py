"""Nothing but regular files is opened to be read; a pipe, a socket or a device is refused at once."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import multiface
from multiface.datasets.bin_pack import read_bin
from multiface.datasets.recordio import RecordFile
from multiface.decision.calibration import read_calibration
from multiface.errors import MultifaceError
from multiface.images import list_pictures, load_picture
from multiface.regular_file import open_regular, read_given_text, read_regular, read_regular_text
from multiface.weights.onnx_metadata import onnx_metadata
from multiface.weights.store import Store

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")

PIPE_READERS: dict[str, Callable[[Path], object]] = {
    "regular file": read_regular,
    "text": read_regular_text,
    "given text": read_given_text,
    "picture": load_picture,
    "pack": read_bin,
    "calibration": read_calibration,
    "record file": RecordFile.open,
    "metadata": onnx_metadata,
    "embedder": lambda path: Store(path.parent / "store", path.parent / "cache").embedder(str(path)),
    "detector": lambda path: Store(path.parent / "store", path.parent / "cache").detector(str(path)),
    "import": lambda path: Store(path.parent / "store", path.parent / "cache").import_embedder(path, "mine"),
}


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """A test that hangs fails after a minute."""

    def ring(*_: object) -> None:
        raise AssertionError("it hangs")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("name", PIPE_READERS)
def test_a_pipe_is_refused(name: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    with pytest.raises((OSError, MultifaceError), match=r"regular file|device|pipe"):
        PIPE_READERS[name](pipe)


def test_a_pipe_that_takes_the_place_of_a_file_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at a path and its opening the file is exchanged for a pipe."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    before, look = path.stat(), Path.stat
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda one: before if one == path else look(one))
    with pytest.raises(OSError, match="is a pipe, not a regular file"):
        open_regular(path)


def test_devices_sockets_and_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(OSError, match="is a socket, not a regular file"):
            open_regular("socket")
    with pytest.raises(OSError, match="is a device, not a regular file"):
        open_regular("/dev/zero")
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular("nothing")


def test_files_and_links_to_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("é\r\nb\rc\n".encode())
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == "é\r\nb\rc\n".encode()
    assert read_regular_text(tmp_path / "link") == "é\nb\nc\n"


def test_standard_input_is_read_where_it_is_named() -> None:
    script = (
        "from multiface.regular_file import read_given_text; print(read_given_text('/dev/stdin'), end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="a = 1\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "a = 1\n"


def test_a_pipe_beside_pictures_is_ignored(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert list_pictures(tmp_path).ignored == (tmp_path / "pipe.png",)


@pytest.mark.parametrize(
    "arguments",
    [
        ["weights", "list"],  # reads the multiface.toml of its folder
        ["weights", "import", "pipe", "--name", "mine"],
        ["weights", "import", "picture.onnx", "--name", "mine", "--spec", "pipe"],
        ["detect", "pipe"],
        ["detect", "picture.onnx", "--detector", "./pipe"],
        ["identify", "picture.onnx", "--people", "pipe"],
        ["train", "--recipe", "pipe", "--data", ".", "--out", "run"],
    ],
)
def test_no_command_waits_at_a_pipe(arguments: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "picture.onnx").write_bytes(b"no picture")
    if arguments[:2] == ["weights", "list"]:
        (tmp_path / "pipe").rename(tmp_path / "multiface.toml")
    done = subprocess.run(
        [sys.executable, "-m", "multiface", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode in (2, 3, 4), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


PACKAGE = Path(multiface.__file__).parent
OWN_OPENING = {
    "atomic_write.py": "a folder, to force its names onto the disk",
    "images/font.py": "a file of the package",
    "regular_file.py": "standard input, where it is named",
    "serve/page_files.py": "files of the package",
    "video/copy/joining.py": "files that the same run wrote",
    "video/sources/webcam.py": "a device",
}
"""Files that open something to read without `regular_file`, and what it is."""


def test_every_file_is_opened_to_be_read_by_regular_file() -> None:
    reading = re.compile(r"\.read_(bytes|text)\(|\bopen\((\"|')rb|\bopen\([^()]*, *(\"|')r|O_RDONLY")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if reading.search(path.read_text(encoding="utf-8").replace("av.open(", ""))
    }
    assert found == set(OWN_OPENING)
