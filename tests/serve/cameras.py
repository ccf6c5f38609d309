"""What the tests of cameras share: a camera that can be stopped, and the processes that watch one."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

HERE = Path(__file__).parent


class FilmServer:
    """A camera that shows a film again and again, at one port, in a process of its own."""

    def __init__(self, film: Path) -> None:
        self._film = film
        self._port = 0
        self.start()

    def start(self) -> None:
        """At the same port as before."""
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "camera_server.py"), str(self._film), str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self._port = int(self.process.stdout.readline())

    def stop(self) -> None:
        """As by kill -9; twice is fine."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"tcp://127.0.0.1:{self._port}"


def camera_processes(parent: int | None = None) -> list[psutil.Process]:
    """The processes of cameras that this process, or another, has started."""
    found = []
    for one in psutil.Process(parent).children():
        try:
            if "multiface.serve.cameras.camera_process" in one.cmdline() and one.status() != "zombie":
                found.append(one)
        except psutil.NoSuchProcess:
            pass
    return found


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something; fails if it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.03)
