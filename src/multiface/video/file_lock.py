"""A lock on an open file that ends with the process however that ends: flock(2). Windows has none here."""

import errno
import os
import sys
from pathlib import Path
from typing import BinaryIO


def opened_alone(path: Path) -> BinaryIO | None:
    """The file, for reading and writing, locked; made, for its owner only, where there is none. None where another
    process holds it. Raises OSError.
    """
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
    if not lock(file):
        file.close()
        return None
    return file


def lock(file: BinaryIO) -> bool:
    """Lock a file for this process, without waiting; False where another one holds it.

    Where the file system has no locks, as Windows, it goes unlocked.
    """
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP):
                raise
    return True
