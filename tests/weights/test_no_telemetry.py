"""ONNX Runtime is silenced before it is first imported: nothing of its maker's appears in the user's folders."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
from pathlib import Path
from multiface.weights.session import Engine, open_session
from multiface.weights.store import PACKED
open_session(PACKED / "yunet.onnx", Engine(threads=1))
"""


def test_opening_a_network_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    folders = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "c"), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", CODE], env=environment | folders, check=True, timeout=60)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
