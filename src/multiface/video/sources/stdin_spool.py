"""Standard input laid down in a file, so that a video that comes through a pipe is read like any other.

Most containers cannot be read from front to back alone (an mp4 may have its table of contents at its end), so the
whole of it is copied before anything is shown. The copy is readable by its owner only; whoever asked for it deletes
it.
"""

import secrets
import shutil
from pathlib import Path
from typing import BinaryIO

from multiface.atomic_write import whole_file
from multiface.errors import InputError, UsageError
from multiface.images.path_text import path_text


def spooled_stdin(stream: BinaryIO, folder: Path) -> Path:
    """Copy `stream` to its end into a new file (0600) in `folder`, which must exist, and name the file.

    Raises UsageError where the stream is a terminal, InputError where it is empty or the copy cannot be written;
    then, and after Ctrl-C, no file is left.
    """
    if stream.isatty():
        raise UsageError("standard input is a terminal", hint="pipe a video into it, or name a file")
    path = folder / f"stdin-{secrets.token_hex(8)}"
    try:
        with whole_file(path, private=True) as file:
            shutil.copyfileobj(stream, file, 1 << 20)
            if not file.tell():
                raise InputError("standard input is empty (0 bytes)", hint="pipe a video into it")
    except OSError as error:
        raise InputError(
            f"standard input cannot be copied to {path_text(folder)} ({error.strerror or error})",
            hint="make room there, or save the video as a file and name that",
            path=folder,
        ) from error
    return path
