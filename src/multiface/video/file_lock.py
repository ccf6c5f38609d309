"""A lock on an open file that ends with the process however that ends: flock(2). Windows has none here."""

import sys
from typing import BinaryIO


def lock(file: BinaryIO) -> bool:
    """Lock a file for this process, without waiting; False where another one holds it."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
