"""The service's hand on the process of one camera: starts it, hears how it is, and ends it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from multiface.json_text import parse_json
from multiface.serve.cameras.camera_order import CameraOrder

STARTING_SECONDS = 120.0
SILENT_SECONDS = 20.0
"""After so long without a word a process is ended: while it starts, and later."""
STOP_SECONDS = 1.3
"""How long a process may take to end in order."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a camera is. running: frames have come. trouble: why none come just now. ended: why the process is over, in
    words; None while it lives.
    """

    running: bool
    trouble: str | None
    ended: str | None


class RunningCamera:
    """A process. stored: called, in a thread of its own, when events were written down."""

    def __init__(self, order: CameraOrder, stored: Callable[[], None]) -> None:
        """Starts it. Raises OSError where the system has no room for it."""
        self.order = order
        self.started = time.monotonic()
        self._stored = stored
        self._lock = threading.Lock()
        self._heard = self.started
        self._running_since: float | None = None
        self._trouble: str | None = None
        self._failed: str | None = None
        # A session of its own: Ctrl-C at a terminal is for the service, which ends its cameras in order.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "multiface.serve.cameras.camera_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended already; that shows
            self._process.stdin.write(order.line())
            self._process.stdin.flush()
        self._hearing = threading.Thread(target=self._hear, name="hearing a camera", daemon=True)
        self._hearing.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def healthy_for(self) -> float:
        """Seconds for which it has been running without trouble."""
        with self._lock:
            since = self._running_since
        return 0.0 if since is None else time.monotonic() - since

    def condition(self) -> Condition:
        """How it is now; a process that says nothing is ended."""
        code = self._process.poll()
        if code is not None:
            self._hearing.join(1)
        with self._lock:
            running = self._running_since is not None or self._trouble is not None
            silent = time.monotonic() - self._heard > (SILENT_SECONDS if running else STARTING_SECONDS)
            if code is not None:
                return Condition(False, None, self._failed or _ended(code))
            if silent:
                self._process.kill()
                return Condition(False, None, "its process stopped responding and was ended")
            return Condition(running, self._trouble, None)

    def _hear(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                self._take_in(parse_json(line))

    def _take_in(self, words: dict[str, Any]) -> None:
        with self._lock:
            self._heard = time.monotonic()
            if "failed" in words:
                self._failed = str(words["failed"])
            if "trouble" in words:
                self._trouble = words["trouble"]
            if "running" in words or "trouble" in words:
                healthy = self._trouble is None
                self._running_since = (self._running_since or self._heard) if healthy else None
        if "stored" in words:
            self._stored()

    def ask_to_stop(self) -> None:
        """Let it end in order; `stop_all` waits for that."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def wait(self, until: float) -> None:
        """Wait for its end until a moment of `time.monotonic`, then end it."""
        try:
            self._process.wait(max(0.01, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._hearing.join(1)
        assert self._process.stdout is not None
        if not self._hearing.is_alive():
            self._process.stdout.close()


def stop_all(cameras: Iterable[RunningCamera]) -> None:
    """End them, all at the same time, within `STOP_SECONDS`."""
    ending = list(cameras)
    for one in ending:
        one.ask_to_stop()
    until = time.monotonic() + STOP_SECONDS
    for one in ending:
        one.wait(until)


def _ended(code: int) -> str:
    if code < 0:
        return f"its process was ended from outside (signal {-code})"
    return f"its process ended (exit code {code})" if code else "its process ended"
