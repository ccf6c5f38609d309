"""Commands that run for days keep the memory they began with."""

import ctypes
import os

_M_MMAP_THRESHOLD = -3
_BYTES = 2**20


def keep_memory_steady() -> None:
    """Have glibc give every freed block of a megabyte and more, such as a picture, back to the system at once.

    On its own it soon keeps them for later, and what is kept lies in pieces that grow over hours: 407 MB became
    432 in 20,000 frames. Does nothing with another C library, or where the user has set a threshold.
    """
    if "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no glibc; Windows has no CDLL(None)
        return
    mallopt(_M_MMAP_THRESHOLD, _BYTES)
