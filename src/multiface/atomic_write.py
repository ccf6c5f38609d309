"""Files that appear whole or not at all: written beside under a hidden name, forced onto the disk, renamed.

Open to every room, as `errors` is. Several processes may write the same file at once: the last one wins,
whole. When a writer returns, a power cut takes neither the content nor the name.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, private: bool = False) -> Iterator[BinaryIO]:
    """A file to be written to; at the end it is `path`, replacing what is there in one step.

    The folder must exist. private: only the owner may read the file (biometric data); otherwise the umask
    decides, as for any new file. After an error `path` is as it was, unless only its folder could not be forced
    onto the disk. Raises OSError; ValueError for a path with a null character.
    """
    beside = path.with_name(f".{os.urandom(8).hex()}.part")
    handle = os.open(
        beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600 if private else 0o666
    )
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_whole(path: Path, content: bytes, private: bool = False) -> None:
    """Write `content` to `path` as `whole_file` does."""
    with whole_file(path, private) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder onto the disk: until then a power cut can undo a rename. Raises OSError.

    Nothing is done where the system or the file system cannot, or the folder may be written but not read.
    """
    if sys.platform == "win32":
        return
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(handle)
