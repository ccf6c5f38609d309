"""Events as JSON lines: one object a line, UTF-8, written out at once, so that a reader has each as it happens.

A stored event has `number`, `session` and `stored` before the fields of the event itself.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from multiface.errors import InputError
from multiface.images.path_text import path_text
from multiface.video.event_store import StoredEvent
from multiface.video.results import Event

_TAIL = 1 << 16


class EventLines:
    """Writes events to a stream of bytes, such as standard output's or that of `appended_lines`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, event: Event | StoredEvent) -> None:
        """Write one line and flush it. Raises OSError as the stream does (BrokenPipeError: the reader has gone)."""
        self._stream.write(line_of(event.document()))
        self._stream.flush()


def line_of(document: dict[str, Any]) -> bytes:
    r"""A document as one line of UTF-8; bytes of a name that are no text become JSON's own \udcXX."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def appended_lines(path: Path) -> Iterator[EventLines]:
    """Lines at the end of a file, which is made (for its owner only: names are personal) where it is not there.

    A last line that a killed process left without its end is cut off, so that every line is whole. Raises InputError
    where the file cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    except (OSError, ValueError) as error:
        raise InputError(f"{path_text(path)}: cannot be written as a file of events ({error})") from error
    with os.fdopen(handle, "r+b") as file:
        file.truncate(_whole_lines(file))
        file.seek(0, os.SEEK_END)
        yield EventLines(file)


def _whole_lines(file: BinaryIO) -> int:
    """How many bytes the whole lines of a file have."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _TAIL)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
