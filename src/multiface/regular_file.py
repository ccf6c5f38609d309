"""Files to read that can be read to their end: regular ones.

Open to every room, as `errors` is. A pipe, a socket or a device where a file is expected would keep the reader
waiting for ever, or feed it without end; it is refused before a byte is read. So is a database that this process has
open: closing any descriptor of a file drops all the locks that the process holds on it, SQLite's too.
Source: sqlite.org, "How To Corrupt An SQLite Database File", section 2.2.
"""

import errno
import itertools
import os
import stat
import weakref
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path

_HANDED_OVER = ("/dev/stdin", "/dev/fd/")
"""Paths by which a caller names what he has opened: standard input, and a shell's `<(command)`."""

_DATABASE_ENDINGS = ("", "-wal", "-shm", "-journal")
_databases: dict[int, str] = {}
_numbers = itertools.count()


def keep_shut(owner: object, database: Path) -> Callable[[], object]:
    """Nothing here opens an SQLite file, its log or its locks until the answer is called or `owner` is gone."""
    number = next(_numbers)
    _databases[number] = str(database.absolute())
    return weakref.finalize(owner, _databases.pop, number, None)


def size_and_time(path: str | Path) -> tuple[int, int]:
    """Bytes, and the time of change in nanoseconds; of a file that is not there, what no file has."""
    try:
        status = Path(path).stat()
    except OSError:
        return 0, -1
    return status.st_size, status.st_mtime_ns


def regular_descriptor(path: str | Path) -> int:
    """The descriptor of a regular file, open for reading.

    Raises OSError, also for what is no regular file or is a database that this process has open.
    """
    status = Path(path).stat()
    _refuse_irregular(status.st_mode, path)
    _refuse_databases(status, path)
    # The file may have been exchanged since: opening a pipe must not wait either.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        _refuse_irregular(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_regular(path: str | Path) -> BufferedReader:
    """A regular file, open for reading in binary. Raises OSError as `regular_descriptor` does."""
    return os.fdopen(regular_descriptor(path), "rb")


def read_regular(path: str | Path) -> bytes:
    """The content of a regular file. Raises OSError as `open_regular` does."""
    with open_regular(path) as file:
        return file.read()


def read_regular_text(path: str | Path) -> str:
    """The same as text in UTF-8, its line ends as `\\n`. Raises OSError, UnicodeDecodeError."""
    return _text(read_regular(path))


def read_given_text(path: str | Path) -> str:
    """A text that a user names: as `read_regular_text`, but standard input is read too where it is named."""
    if os.fspath(path).startswith(_HANDED_OVER):
        return _text(Path(path).read_bytes())
    return read_regular_text(path)


def _text(content: bytes) -> str:
    return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def _refuse_irregular(mode: int, path: str | Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a regular file", os.fspath(path))
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        what = kinds.get(stat.S_IFMT(mode), "a device")
        raise OSError(errno.EINVAL, f"is {what}, not a regular file", os.fspath(path))


def _refuse_databases(status: os.stat_result, path: str | Path) -> None:
    for database in tuple(_databases.values()):
        for ending in _DATABASE_ENDINGS:
            try:
                same = os.path.samestat(status, Path(database + ending).stat())
            except OSError:
                continue
            if same:
                raise OSError(errno.EBUSY, "is a database in use, not a file to read", os.fspath(path))
