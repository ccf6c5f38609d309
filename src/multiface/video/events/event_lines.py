"""Events as JSON lines: one object a line, UTF-8, written out at once, so that a reader has each as it happens."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from multiface.errors import UsageError
from multiface.images.path_text import path_text
from multiface.video.events.lateness import Lateness
from multiface.video.file_lock import lock
from multiface.video.results import Event


class EventLines:
    """Writes events to a stream of bytes. name: of the stream, for errors."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._lateness = Lateness()

    def write(self, event: Event) -> None:
        r"""Write one line and flush it; bytes of a name that are no text become JSON's own \udcXX.

        Raises UsageError where it cannot be written: a full disk, a reader that has gone.
        """
        text = json.dumps(self._lateness.document(event), ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._stream.write(text.encode("utf-8", "backslashreplace"))
            self._stream.flush()
        except OSError as error:
            raise _unwritable(self._name, error) from error


@contextmanager
def written_lines(path: Path) -> Iterator[EventLines]:
    """Lines into a file, which is made (for its owner only: names are personal) or emptied; or into a pipe or device.

    Raises UsageError where it cannot be opened, or where another process writes its events into it.
    """
    name = path_text(path)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    except (OSError, ValueError) as error:
        raise _unwritable(name, error) from error
    # Unbuffered: what could not be written must not be tried again at the end.
    with os.fdopen(handle, "wb", buffering=0) as file:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            if not lock(file):
                raise UsageError(
                    f"{name}: another process writes its events there now; give each a file of its own"
                )
            file.truncate()
        yield EventLines(file, name)


def _unwritable(name: str, error: Exception) -> UsageError:
    why = getattr(error, "strerror", None) or str(error)
    return UsageError(f"{name}: events cannot be written there ({why})")
