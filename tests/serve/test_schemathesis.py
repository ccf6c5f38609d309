"""Schemathesis tries what the description allows, and what it does not, on a running service, and finds nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from multiface import Recognizer, RecognizerSettings
from multiface.serve.serve_settings import ServeSettings
from tests.drawn_faces import save_people
from tests.serve.conftest import key_for, serving

EXAMPLES = 3
PROGRAM = Path(sys.executable).with_name("st")


@pytest.mark.skipif(not PROGRAM.exists(), reason="Schemathesis is not installed")
def test_it_finds_nothing(tmp_path: Path) -> None:
    """A few examples of each; more with `st run ... --max-examples 100`."""
    place = tmp_path / "g.sqlite"
    settings = ServeSettings(rate=0.001, each_key=1e6, waiting=1000, backups=str(tmp_path / "backups"))
    shutil.copy(Path(__file__).with_name("schemathesis.toml"), tmp_path)
    with (
        Recognizer(
            gallery=place, create=True, settings=RecognizerSettings(threads=2, rate=0.001)
        ) as recognizer,
        serving(recognizer, settings) as address,
    ):
        assert recognizer.gallery is not None
        recognizer.sync(save_people(tmp_path / "people", {"ada": 2, "bob": 2}))
        key = key_for(recognizer.gallery, "admin")
        done = subprocess.run(
            [
                PROGRAM, "run", f"{address}/openapi.json", "--header", f"Authorization: Bearer {key}",
                "--max-examples", str(EXAMPLES), "--phases", "coverage,fuzzing,stateful", "--continue-on-failure",
                "--seed", "1", "--workers", "2", "--request-timeout", "30", "--no-color",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:]
        assert "No issues found" in done.stdout or "passed" in done.stdout
