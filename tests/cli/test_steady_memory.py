"""What is freed goes back to the system, in a process of its own since it is set for all of it."""

import subprocess
import sys

import pytest

PICTURES = """
import os, sys
import numpy as np, psutil
from multiface.cli.steady_memory import keep_memory_steady
if sys.argv[1] == "steady":
    keep_memory_steady()
rss = psutil.Process().memory_info
before = rss().rss
np.ones(3_000_000, np.uint8)  # freed at once: from now on glibc takes blocks of this size from its heap
pictures = [np.ones(3_000_000, np.uint8) for _ in range(30)]
del pictures[:-1]
print((rss().rss - before) // 1_000_000)
"""


def kept(how: str, **variables: str) -> int:
    """Megabytes kept of 90, of which 3 are in use."""
    out = subprocess.run(
        [sys.executable, "-c", PICTURES, how], env=variables, capture_output=True, text=True, check=True
    )
    return int(out.stdout)


def test_freed_pictures_go_back_to_the_system() -> None:
    if kept("usual") < 60:
        pytest.skip("this C library gives memory back of itself")
    assert kept("steady") < 10


def test_a_threshold_of_the_users_own_stays() -> None:
    if kept("usual", MALLOC_MMAP_THRESHOLD_="16000000") < 60:
        pytest.skip("this C library has no such threshold")
    assert kept("steady", MALLOC_MMAP_THRESHOLD_="16000000") > 60
