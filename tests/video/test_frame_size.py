"""Frames of cameras and films have the limit of pictures: a larger one is refused before it takes memory."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import PIL.Image
import pytest

from multiface.images.limits import PER_PIXEL_OF_VIDEO

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in /proc")

SIZES = {"/large": (16_000, 12_000), "/usual": (5_000, 4_000)}
BESIDE = 150_000_000
"""Bytes for FFmpeg, for what it has read ahead, and for its buffers."""

PEAK = """
import sys
from pathlib import Path
from multiface.errors import InputError
from multiface.images import PictureLimits, limit_pictures
from multiface.video.sources.opening import open_source
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
limit_pictures(PictureLimits(max_decoded=int(sys.argv[2])))
before = peak()
try:
    source = open_source(sys.argv[1], **({"duration": 5.0} if sys.argv[1].endswith("/grows") else {}))
    shape = next(iter(source.frames())).image.shape
    for frame in source.frames() if sys.argv[1].endswith("/grows") else ():
        shape = max(shape, frame.image.shape)
    print("decoded", peak() - before, shape)
except InputError as error:
    print("refused", peak() - before, error)
"""


class _Camera(BaseHTTPRequestHandler):
    pictures: dict[str, bytes]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        first, later = ("/usual", "/large") if self.path == "/grows" else (self.path, self.path)
        try:
            for number in range(20):
                picture = self.pictures[first if number < 5 else later]
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")
        except OSError:
            return  # the other side has seen enough

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    made = {}
    for name, size in SIZES.items():
        content = BytesIO()
        PIL.Image.new("L", size, 90).save(content, "JPEG")
        made[name] = content.getvalue()
    return made


@pytest.fixture(scope="module")
def camera(pictures: dict[str, bytes]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Camera", (_Camera,), {"pictures": pictures}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def opened(source: object, limit: int) -> tuple[str, int, str]:
    command = [sys.executable, "-c", PEAK, str(source), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    what, peak, words = done.stdout.split(" ", 2)
    return what, int(peak), words


@pytest.mark.parametrize("kind", ["camera", "film"])
def test_a_frame_over_the_limit_takes_no_memory(
    kind: str, camera: str, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    film = tmp_path / "film.mjpeg"
    film.write_bytes(pictures["/large"] * 3)
    what, peak, words = opened(camera + "/large" if kind == "camera" else film, 2_000_000_000)
    assert what == "refused" and peak < BESIDE, (peak, words)
    assert "over the limit of 100,000,000 pixels" in words and "--max-picture" in words


@pytest.mark.parametrize("kind", ["camera", "film"])
def test_the_peak_is_what_was_counted(
    kind: str, camera: str, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    film = tmp_path / "film.mjpeg"
    film.write_bytes(pictures["/usual"] * 3)
    counted = PER_PIXEL_OF_VIDEO * 5_000 * 4_000
    source = camera + "/usual" if kind == "camera" else film
    what, peak, words = opened(source, counted)
    assert what == "decoded" and peak < counted + BESIDE, (peak, words)
    assert opened(source, counted - 1)[0] == "refused"


def test_a_camera_whose_frames_grow_over_the_limit(camera: str) -> None:
    what, peak, words = opened(camera + "/grows", 2_000_000_000)
    assert what == "decoded" and "(4000, 5000, 3)" in words
    assert peak < PER_PIXEL_OF_VIDEO * 5_000 * 4_000 + BESIDE, (peak, words)
