"""Without PyAV the room says what to install."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("file", ["pyav", "file_source", "colour"])
def test_without_pyav(file: str) -> None:
    script = (
        "import sys; sys.modules['av'] = None\n"
        "from multiface.errors import ExtraMissing\n"
        f"try: import multiface.video.sources.{file}\n"
        "except ExtraMissing as error: sys.stdout.write(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install '.[video]'" in done.stdout


def test_sources_without_pyav() -> None:
    """A folder of pictures and standard input need none."""
    script = (
        "import sys; sys.modules['av'] = None\n"
        "import multiface.video.sources.folder_source, multiface.video.sources.stdin_spool, multiface.video.results"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
