"""Events as JSON lines: one object a line, UTF-8, written out at once, so that a reader has each as it happens."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from multiface.errors import UsageError
from multiface.file_lock import lock
from multiface.images.path_text import path_text
from multiface.video.events.lateness import Lateness
from multiface.video.results import Event
from multiface.visible import visible_json


class EventLines:
    """Writes events to a stream of bytes. name: of the stream, for errors."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._lateness = Lateness()

    def write(self, event: Event) -> None:
        """Write one line and flush it; what a terminal would obey in a name becomes JSON's own escapes.

        Raises UsageError where it cannot be written: a full disk, a reader that has gone.
        """
        document = self._lateness.document(event)
        text = visible_json(json.dumps(document, ensure_ascii=False, allow_nan=False)) + "\n"
        try:
            self._stream.write(text.encode())
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
        raise _unwritable(name, error, path) from error
    # Unbuffered: what could not be written must not be tried again at the end.
    with os.fdopen(handle, "wb", buffering=0) as file:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            # Not on Windows: there a lock would keep readers from the lines.
            if sys.platform != "win32" and not lock(file):
                raise UsageError(
                    f"{name}: another process writes its events there now",
                    hint="give each a file of its own",
                    path=path,
                )
            file.truncate()
        yield EventLines(file, name)


def _unwritable(name: str, error: Exception, path: Path | None = None) -> UsageError:
    why = getattr(error, "strerror", None) or str(error)
    return UsageError(f"{name}: events cannot be written there ({why})", path=path)
