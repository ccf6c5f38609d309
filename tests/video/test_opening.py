"""Names of sources and what they open, with a real web server, a real pipe and real files."""

import base64
import gc
import http.server
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV (extra `video`)")

import av
from PIL import Image

from multiface.errors import InputError, UsageError
from multiface.video.sources.file_source import FileSource
from multiface.video.sources.folder_source import FolderSource
from multiface.video.sources.live_source import LiveSource
from multiface.video.sources.opening import SpooledSource, open_source

USER, PASSWORD = "warden", "S3cretPa55wordXYZ"
FRAMES = 50


def write_clip(path: Path, format: str = "mp4", **options: str) -> Path:
    """Two seconds at 25 frames a second, 64x48, each frame of another grey."""
    with av.open(str(path), "w", format=format, options=options) as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * number, np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video file."""
    return write_clip(tmp_path / "clip.mp4")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files, those under /private/ with a password; /broken/ ends in the middle; /moved/ leads to another port."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        top, _, rest = self.path.removeprefix("/").partition("/")
        if top == "moved":
            self.send_response(302)
            self.send_header("Location", f"{self.server.elsewhere}/{rest}")  # type: ignore[attr-defined]
            self.end_headers()
        elif top == "private" and self.headers.get("Authorization") != wanted:
            self.send_error(401)
        elif top == "broken":
            data = (Path(self.directory) / rest).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
        else:
            self.path = "/" + (rest if top == "private" else self.path.removeprefix("/"))
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Any]:
    """A web server over the test's folder; `asked` holds paths and credentials that came."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))
    ) as server:
        server.asked, server.elsewhere = [], ""  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def test_a_file(clip: Path) -> None:
    source = open_source(str(clip), begin=0.4, duration=1.0)
    assert isinstance(source, FileSource)
    assert [frame.number for frame in source.frames()] == list(range(25))
    source.close()


def test_a_folder(tmp_path: Path) -> None:
    for number in range(5):
        Image.new("RGB", (8, 6)).save(tmp_path / f"{number}.png")
    source = open_source(str(tmp_path), rate=2)
    assert isinstance(source, FolderSource)
    assert [frame.time for frame in source.frames()] == [0.0, 0.5, 1.0, 1.5, 2.0]
    source.close()


def test_standard_input(clip: Path, tmp_path: Path) -> None:
    """Through a real pipe; the copy is there until it is disposed of."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from multiface.video.sources.opening import open_source\n"
        "source = open_source('-', scratch=Path(sys.argv[1]))\n"
        "assert source.path.stat().st_mode & 0o777 == 0o600\n"
        "sys.stdout.write(f'{source.info.name} {sum(1 for _ in source.frames())}')\n"
        "source.close()\n"
        "assert source.path.exists()\n"
        "source.dispose()\n"
        "assert not source.path.exists()\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, str(scratch)],
        input=clip.read_bytes(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.stdout) == (b"", f"standard input {FRAMES}".encode())
    assert not list(scratch.iterdir())


def test_a_file_on_a_web_server_is_read_as_a_file(clip: Path, web: Any, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    address = f"http://{USER}:{PASSWORD}@127.0.0.1:{web.server_port}/private/{clip.name}?token={PASSWORD}"
    source = open_source(address, begin=1.0, scratch=scratch)
    assert isinstance(source, SpooledSource) and not source.info.live
    assert source.info.name == f"http://127.0.0.1:{web.server_port}/private/clip.mp4?..."
    assert sum(1 for _ in source.frames()) == FRAMES - 25
    assert len(list(scratch.iterdir())) == 1
    source.close()
    assert source.path.read_bytes() == clip.read_bytes(), "its sound is wanted after its frames"
    source.dispose()
    source.dispose()
    assert not list(scratch.iterdir())


def test_a_copy_goes_with_its_source(clip: Path, web: Any, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    source = open_source(f"http://127.0.0.1:{web.server_port}/{clip.name}", scratch=scratch)
    source.close()
    assert len(list(scratch.iterdir())) == 1
    del source
    gc.collect()
    assert not list(scratch.iterdir())


def test_notes_and_errors_of_a_copy_show_its_name(clip: Path, web: Any) -> None:
    cut = write_clip(clip.with_name("cut.mkv"), "matroska")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    address = f"http://127.0.0.1:{web.server_port}/cut.mkv"
    source = open_source(address)
    assert isinstance(source, SpooledSource)
    assert sum(1 for _ in source.frames()) < FRAMES
    assert source.notes and all(note.startswith(f"{address}: ") for note in source.notes)
    source.dispose()
    source = open_source(address, begin=60.0)
    assert isinstance(source, SpooledSource)
    with pytest.raises(InputError, match=f"^{address}: has no frame in the part"):
        list(source.frames())
    source.dispose()


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it after `<&-`
    with pytest.raises(UsageError, match="standard input is closed"):
        open_source("-")


def test_a_redirection_to_another_protocol(web: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ftp:
        ftp.settimeout(0.3)
        web.elsewhere = f"ftp://127.0.0.1:{ftp.getsockname()[1]}"
        with pytest.raises(InputError, match="is a stream, or nothing answers"):
            open_source(f"http://127.0.0.1:{web.server_port}/moved/clip.mp4", live=False)
        with pytest.raises(TimeoutError):
            ftp.accept()


@pytest.mark.usefixtures("clip")
def test_credentials_do_not_follow_a_redirection(web: Any) -> None:
    web.elsewhere = f"http://localhost:{web.server_port}"
    open_source(f"http://{USER}:{PASSWORD}@127.0.0.1:{web.server_port}/moved/clip.mp4").close()
    assert [path for path, _ in web.asked] == ["/moved/clip.mp4", "/clip.mp4"]
    assert web.asked[0][1] is not None and web.asked[1][1] is None


def test_a_download_that_breaks_off(clip: Path, web: Any, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(InputError, match=r"http://127.0.0.1:\d+/broken/clip.mp4: the connection broke"):
        open_source(f"http://u:{PASSWORD}@127.0.0.1:{web.server_port}/broken/{clip.name}", scratch=scratch)
    assert not list(scratch.iterdir())


def test_what_the_web_server_has_not(web: Any, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(InputError, match=r"^http://127.0.0.1:\d+/text.mp4: ") as caught:
        open_source(f"http://127.0.0.1:{web.server_port}/text.mp4")
    assert "download-" not in str(caught.value)
    for live in (None, True):
        with pytest.raises(InputError, match=r"/none.mp4: Server returned 404"):
            open_source(f"http://127.0.0.1:{web.server_port}/none.mp4", live=live)
    with pytest.raises(InputError, match="is a stream, or nothing answers"):
        open_source(f"http://127.0.0.1:{web.server_port}/none.mp4", live=False)


def test_a_playlist_is_a_stream_and_comes_at_its_pace(web: Any, tmp_path: Path) -> None:
    """Its pieces lie ready, so that all of it could be read at once."""
    write_clip(tmp_path / "list.m3u8", "hls", hls_time="1", hls_list_size="0")
    source = open_source(f"http://127.0.0.1:{web.server_port}/list.m3u8")
    assert isinstance(source, LiveSource)
    start, count = time.monotonic(), 0
    for frame in source.frames():
        count += 1
        assert abs(frame.time - (time.monotonic() - start)) < 0.5
        if frame.time > 1.5:
            break
    source.close()
    assert count > 25


def test_a_stream_on_a_web_server(live_server: Callable[..., Any]) -> None:
    server = live_server("mjpeg")
    source = open_source(server.address(), duration=0.5)
    assert isinstance(source, LiveSource) and source.info.live
    assert sum(1 for _ in source.frames()) > 3
    source.close()


def test_what_cannot_be_meant(clip: Path) -> None:
    for name, arguments, said in [
        ("0", {"live": False}, "live source, where a file"),
        ("0", {"begin": 1.0}, "begins now"),
        (str(clip), {"live": True}, "a live source is wanted"),
        (str(clip), {"size": (640, 480)}, "of a webcam only"),
        (str(clip), {"rate": 5.0}, "leave out the rate"),
        ("rtsp://h/x", {"rate": 5.0}, "leave out the rate"),
        ("rtsp://h/x", {"begin": 1.0}, "begins now"),
        ("rtsp://h/x", {"after": 1}, "begins now"),
        ("ftp://h/x", {}, "not a known kind of stream"),
    ]:
        with pytest.raises(UsageError, match=said):
            open_source(name, **arguments)  # type: ignore[arg-type]


def test_a_forgotten_scheme_shows_no_password() -> None:
    for live in (None, True):
        with pytest.raises(InputError, match="address") as caught:
            open_source(f"admin:{PASSWORD}@10.0.0.5/live", live=live)
        assert PASSWORD not in str(caught.value)
