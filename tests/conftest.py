"""Fixtures that every room's tests share."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import PIL.features
import pytest

# Some tests import ONNX Runtime before anything of ours, and their processes must be as silent as ours.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Each of xdist's workers gets its share of the processors: PyTorch's threads wait for one another by spinning.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _WORKERS > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _WORKERS)))

ROOT = Path(__file__).resolve().parent.parent
THREADS = {name: value for name, value in os.environ.items() if name == "OMP_NUM_THREADS"}
"""For tests that give their processes an environment of their own."""


SLOW = frozenset((ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").split())
"""Tests that took more than a second of processor time when `just slow` noted them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.partition("[")[0] in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder `shared` (pictures, golden numbers) beside the repository")
    return folder


@contextmanager
def x_server_running() -> Iterator[str]:
    """A real X server without a screen, 800 x 600: its display, such as ":91"."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None or sys.platform != "linux":
        pytest.skip("needs Xvfb and xdotool")
    if importlib.util.find_spec("pygame") is None or not PIL.features.check("xcb"):
        pytest.skip("needs pygame-ce, and a Pillow that can take pictures of an X screen")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=(writer,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as number:
        display = f":{number.readline().strip()}"
    try:
        yield display
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def x_server() -> Iterator[str]:
    """An X server for the tests of a file."""
    with x_server_running() as display:
        yield display


@pytest.fixture
def x_display() -> Iterator[str]:
    """An X server of the test's own, with nothing on its screen."""
    with x_server_running() as display:
        yield display
