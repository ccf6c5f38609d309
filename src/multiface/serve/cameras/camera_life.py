"""What ties the process of a camera to the service: what it says, and its end when the service wants it or is gone."""

import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

END_SECONDS = 1.0
"""How long ending in order may take."""


class Voice:
    """Says lines on what was standard output; whatever else is printed goes to standard error."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def say(self, **words: Any) -> None:
        """One line; where nobody listens any more, nothing."""
        with self._lock, suppress(OSError):
            os.write(self._out, json.dumps(words).encode() + b"\n")


class Ending:
    """The end of the process, in order within a second, or at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._close: Callable[[], None] = lambda: None
        self.asked = False
        """Whether it was asked for."""

    def closes(self, close: Callable[[], None]) -> bool:
        """From now on `close` is called, from another thread, when the end is asked for; False if it was already."""
        with self._lock:
            self._close = close
            return not self.asked

    def watch(self) -> None:
        """The end is asked for by SIGTERM, and by the end of standard input, which the end of the service brings."""
        signal.signal(
            signal.SIGTERM, lambda *_: threading.Thread(target=self._ask, name="ending", daemon=True).start()
        )
        threading.Thread(target=self._wait, name="standard input", daemon=True).start()

    def _wait(self) -> None:
        with suppress(OSError):
            while os.read(0, 1024):
                pass
        self._ask()

    def _ask(self) -> None:
        with self._lock:
            if self.asked:
                return
            self.asked = True
            close = self._close
        end = threading.Timer(END_SECONDS, os._exit, (0,))
        end.daemon = True
        end.start()
        close()


def read_line() -> bytes:
    """The first line of standard input, and nothing of what comes after it; b"" where there is none."""
    parts = []
    while (letter := os.read(0, 1)) not in (b"", b"\n"):
        parts.append(letter)
    return b"".join(parts)
