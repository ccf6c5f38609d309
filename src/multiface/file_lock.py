"""A lock on an open file that ends with the process, however it ends.

Open to every room. POSIX: flock(2), which hinders nobody who reads or writes the file without asking for the lock.
Windows: the first byte, which no other handle can read or write meanwhile; so lock a file of its own there.
"""

import errno
import os
from pathlib import Path
from typing import BinaryIO


def opened_alone(path: Path) -> BinaryIO | None:
    """The file, for reading and writing, locked; made, for its owner only, if it is missing. None if another process
    holds it. Raises OSError.
    """
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
    if not lock(file):
        file.close()
        return None
    return file


def lock(file: BinaryIO) -> bool:
    """Lock a file for this process, without waiting; False if another process holds it.

    On a file system without locks it stays unlocked, and that counts as locked.
    """
    from filelock import lock_descriptor

    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP):
            raise
    return True
