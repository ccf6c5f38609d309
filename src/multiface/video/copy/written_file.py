"""A file on the disk that FFmpeg writes into through Python.

By name FFmpeg would take some paths for addresses, choose the file's mode itself and lose errors; and an error raised
inside its callbacks surfaces at some later call. So errors are kept here and raised when asked for.
"""

import os
from pathlib import Path
from typing import BinaryIO


class WrittenFile:
    """Open for writing and empty; `private`: for the owner alone (else the umask decides)."""

    def __init__(self, path: Path, private: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        self._file: BinaryIO = os.fdopen(os.open(path, flags, 0o600 if private else 0o666), "wb", buffering=0)
        self._error: OSError | None = None

    def write(self, content: bytes) -> int:
        """Write all of it. After an error, and after `close`, it goes nowhere."""
        try:
            left = memoryview(content)
            while len(left) and self._error is None and not self._file.closed:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._error = error
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As for any file."""
        return 0 if self._file.closed else self._file.seek(offset, whence)

    def tell(self) -> int:
        """As for any file."""
        return 0 if self._file.closed else self._file.tell()

    def check(self) -> None:
        """Raise the OSError that writing met."""
        if self._error is not None:
            raise self._error

    def finish(self) -> int:
        """Force it onto the disk and close it; its size in bytes. Raises OSError."""
        with self._file:
            self.check()
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close it as it is."""
        self._file.close()
