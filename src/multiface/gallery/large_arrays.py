"""Arrays that may be larger than the machine's memory: the vectors of a very large gallery.

Up to `FROM` bytes they lie in memory. Beyond, they lie in a file without a name, mapped into memory: the system keeps
in memory what is used and lets go of the rest. Nobody can open the file, and it is gone with the array, or with the
process however that ends. All its room is taken at the beginning, so that a full disk never ends the process while it
writes (SIGBUS): where there is no room, or no such file, the array lies in memory after all.
"""

import contextlib
import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from multiface.arrays import Floats

FROM = 1 << 30
"""Bytes: a million people with 256 numbers each."""
_LASTING = Path("/var/tmp")
"""Where Unix keeps temporary files that are large; /tmp is often memory itself."""


def large_array(shape: tuple[int, ...]) -> Floats:
    """A new array float32 of this shape, not filled yet."""
    size = 4 * math.prod(shape)
    if size >= FROM and hasattr(os, "posix_fallocate"):
        with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=_folder()) as file:
            os.posix_fallocate(file.fileno(), 0, size)
            return np.frombuffer(mmap.mmap(file.fileno(), size), np.float32).reshape(shape)
    return np.empty(shape, np.float32)


def joined(arrays: Sequence[Floats]) -> Floats:
    """Arrays one after the other along the first axis: a new one, or the only one itself."""
    if len(arrays) == 1:
        return arrays[0]
    whole = large_array((sum(map(len, arrays)), *arrays[0].shape[1:]))
    return np.concatenate(arrays, out=whole)


def _folder() -> Path:
    """The user's choice before ours."""
    named = "TMPDIR" in os.environ or not _LASTING.is_dir()
    return Path(tempfile.gettempdir()) if named else _LASTING
