"""Real servers of live streams for the tests of this room; their frames hold the time at which they were made."""

import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
SYSTEM_PYTHON = "/usr/bin/python3"
BINDINGS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
USER, PASSWORD = "warden", "S3cretPa55wordXYZ"


class Server:
    """One of the servers, in a process of its own, that can be stopped and started again at its port."""

    def __init__(self, kind: str, rate: int = 25, secret: bool = False) -> None:
        self.kind, self.rate, self.secret, self.port = kind, rate, secret, 0
        self.start()

    def start(self) -> None:
        """Start, at the same port as before."""
        if self.kind == "rtsp":
            line = [SYSTEM_PYTHON, str(HERE / "rtsp_server.py"), str(self.port)]
        else:
            line = [sys.executable, str(HERE / "ts_server.py"), str(self.port), self.kind, str(self.rate)]
        line += [USER, PASSWORD] if self.secret else []
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 20)[0], "the server does not start"
        self.port = int(self.process.stdout.readline())

    def tell(self, command: str) -> None:
        """A command to the server."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """As by kill -9."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def address(self, user: str = "") -> str:
        """Where it serves, with user:password in front where they are given."""
        scheme = {"rtsp": "rtsp", "tcp": "tcp"}.get(self.kind, "http")
        return f"{scheme}://{user + '@' if user else ''}127.0.0.1:{self.port}{'' if self.kind == 'tcp' else '/live'}"

    @staticmethod
    def made(image: np.ndarray) -> float:
        """`time.monotonic()` when a frame was made, as its stripes say."""
        stripe = image.shape[1] // 32
        bits = image[image.shape[0] // 2, stripe // 2 :: stripe, 1][:32] > 127
        return int("".join(map(str, bits.astype(int))), 2) / 1000


@pytest.fixture(scope="session")
def turn() -> Callable[[Path, Path, int], None]:
    """`turn(flat, turned, degrees)` copies a film with a display matrix for so many degrees; 0 for none."""
    import av

    def copy(flat: Path, turned: Path, degrees: int) -> None:
        with av.open(str(flat)) as opened, av.open(str(turned), "w") as output:
            stream = opened.streams.video[0]
            written = output.add_stream_from_template(stream)
            if degrees:
                written.set_display_rotation(degrees)
            for packet in opened.demux(stream):
                if packet.pts is not None:
                    packet.stream = written
                    output.mux(packet)

    return copy


@pytest.fixture(scope="session")
def _gstreamer() -> bool:
    """Whether there is GStreamer's RTSP server."""
    return (
        Path(SYSTEM_PYTHON).exists()
        and not subprocess.run([SYSTEM_PYTHON, "-c", BINDINGS], capture_output=True, check=False).returncode
    )


@pytest.fixture
def live_server(_gstreamer: bool) -> Iterator[Callable[..., Server]]:
    """Starts a server: `live_server(kind, rate=25, secret=False)`, kind: rtsp, tcp, http or mjpeg."""
    started: list[Server] = []

    def start(kind: str, rate: int = 25, secret: bool = False) -> Server:
        if kind == "rtsp" and not _gstreamer:
            pytest.skip("needs GStreamer's RTSP server (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0)")
        started.append(Server(kind, rate, secret))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(params=["rtsp", "tcp"])
def server(request: pytest.FixtureRequest, live_server: Callable[..., Server]) -> Server:
    """A server of each kind."""
    return live_server(request.param)
