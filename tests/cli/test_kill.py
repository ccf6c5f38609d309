"""The real `facebank`, killed at random moments: what was there stays, and the next run completes it.

The command speaks when it is done; until then "reported as done" is what another process reads in the gallery.
A hundred moments of the same import, with a callback that reports, are in the gallery room's test.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from multiface.errors import GalleryError
from multiface.gallery import Gallery
from tests.drawn_faces import PEOPLE, drawn_face

KILLS = 10
"""`benchmarks/kills.py` does 1,000, of this and of other commands."""
PICTURES = 66

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small drawn pictures of as many people, three batches of them, and one without a face."""
    root = tmp_path_factory.mktemp("many")
    for number in range(PICTURES):
        (root / f"{number:02}").mkdir()
        face = drawn_face(PEOPLE[number % len(PEOPLE)], number // len(PEOPLE))
        small = PIL.Image.fromarray(face).resize((120, 120), PIL.Image.Resampling.LANCZOS)
        small.save(root / f"{number:02}" / "1.png")
    PIL.Image.new("RGB", (120, 120), (180, 180, 180)).save(root / "07" / "1.png")
    return root


def enrolled(gallery: Path) -> set[str]:
    """Who is in a gallery, seen from outside; nobody where there is none yet."""
    try:
        with Gallery.open(gallery) as opened:
            return {person.name for person in opened.people() if person.templates}
    except GalleryError:
        return set()


def test_killed_at_random_moments(
    many: Path, environment: dict[str, str], call: Callable[..., Any], tmp_path: Path
) -> None:
    gallery = tmp_path / "g.sqlite"
    arguments = ("facebank", str(many), "--gallery", str(gallery), "--no-flip", "--json")
    command = [sys.executable, "-m", "multiface", *arguments]
    start = time.monotonic()
    whole = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, check=False, timeout=120
    )
    assert whole.returncode == 3, whole.stderr  # one picture has no face
    seconds = time.monotonic() - start
    usable = enrolled(gallery)
    assert len(usable) > 0.9 * PICTURES, whole.stderr

    rng, seen_half_done = random.Random(7), 0
    for number in range(KILLS):
        if enrolled(gallery) == usable:
            for file in tmp_path.glob("g.sqlite*"):
                file.unlink()
        process = subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        moment = time.monotonic() + rng.uniform(0.3, 1.0) * seconds
        # Every second kill comes soon after the first people are there, wherever that is on a busy machine.
        rest = rng.uniform(0.0, 0.15) * seconds if number % 2 else None
        seen: set[str] = set()
        while (time.monotonic() < moment or rest is not None) and process.poll() is None:
            seen = enrolled(gallery)
            if rest is not None and seen:
                moment, rest = time.monotonic() + rest, None
            time.sleep(0.05)
        process.kill()
        process.wait()
        kept = enrolled(gallery)
        assert seen <= kept <= usable
        seen_half_done += 0 < len(kept) < len(usable)
        if kept:
            assert call("people", "check", "--gallery", gallery).code == 0
    assert seen_half_done > 0

    before = enrolled(gallery)
    done = call(*arguments).document()
    assert enrolled(gallery) == usable == set(done["people"])
    assert done["unchanged"] >= len(before) and done["added"] <= len(usable) - len(before)
    check = call("people", "check", "--gallery", gallery, "--json")
    assert (check.code, check.document()["templates"]) == (0, len(usable))
    assert [path for path in tmp_path.iterdir() if path.suffix == ".part"] == []
