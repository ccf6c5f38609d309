"""What `multiface identify` costs: time with start-up, time for each further photo, peak memory.

    python benchmarks/identify_cost.py GROUP-PICTURE

A gallery of 1,000 people (random unit vectors, as the search does not care whose they are) is made in a temporary
folder; the photos are the group picture laid into canvases of several sizes, so that each holds the faces of that
picture. Each figure is the median of several runs of the installed command in a process of its own; peak memory is
what the operating system counted for it (largest resident set).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from multiface import Recognizer
from multiface.gallery import NewTemplate, PictureFacts

PEOPLE = 1000
RUNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", type=Path)
    parser.add_argument("--detector", default="yunet_onet")
    parser.add_argument("--weights", default="sface")
    arguments = parser.parse_args()
    command = [str(Path(sys.executable).with_name("multiface")), "identify", "--json"]
    command += ["--detector", arguments.detector, "--weights", arguments.weights]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command += ["--gallery", str(make_gallery(folder, arguments.detector, arguments.weights))]
        group = Image.open(arguments.picture).convert("RGB")
        photo = canvas(group, folder, 1280, 720, 1)
        one = [run([*command, str(photo)]) for _ in range(RUNS + 1)][1:]
        photos = [shutil.copy(photo, folder / f"photo-{k}.jpg") for k in range(11)]
        many = [run([*command, *map(str, photos)]) for _ in range(RUNS)]
        first = statistics.median(seconds for seconds, _ in one)
        further = (statistics.median(seconds for seconds, _ in many) - first) / 10
        print(f"{arguments.detector} + {arguments.weights}, {PEOPLE} people, 1280x720")
        print(f"one photo with start-up: {first:.2f} s (runs: {', '.join(f'{s:.2f}' for s, _ in one)})")
        print(f"each further photo: {further:.3f} s")
        print("| picture | copies of the group | peak memory, MB |")
        print("|---|---|---|")
        for width, height, copies in (
            (640, 360, 1),
            (1280, 720, 1),
            (1280, 720, 4),
            (1920, 1080, 1),
            (1920, 1080, 8),
            (4000, 3000, 1),
            (4000, 3000, 16),
            (10_000, 10_000, 1),
        ):
            photo = canvas(group, folder, width, height, copies)
            peak = statistics.median(run([*command, str(photo)])[1] for _ in range(3))
            print(f"| {width}x{height} | {copies} | {peak:.0f} |", flush=True)


def make_gallery(folder: Path, detector: str, weights: str) -> Path:
    rng = np.random.default_rng(0)
    path = folder / "people.sqlite"
    with Recognizer(detector=detector, weights=weights, gallery=path, create=True) as recognizer:
        assert recognizer.gallery is not None
        facts = PictureFacts(640, 480, (100.0, 100.0, 200.0, 220.0), 0.99, detector, 0, 1)
        for number in range(PEOPLE):
            vector = rng.normal(size=recognizer.origin.dimension).astype(np.float32)
            vector /= np.linalg.norm(vector)
            template = NewTemplate(vector, f"{number:064x}", f"{number}.jpg", facts)
            recognizer.gallery.add_templates(f"person {number}", [template])
    return path


def canvas(group: Image.Image, folder: Path, width: int, height: int, copies: int) -> Path:
    """Copies of the group side by side on grey, at its own size or smaller if they would not fit."""
    columns = int(np.ceil(np.sqrt(copies)))
    scale = min(1.0, width / columns / group.width, height / columns / group.height)
    tile = group.resize((int(group.width * scale), int(group.height * scale)))
    picture = Image.new("RGB", (width, height), (128, 128, 128))
    for k in range(copies):
        picture.paste(tile, (k % columns * (width // columns), k // columns * (height // columns)))
    path = folder / f"{width}x{height}-{copies}.jpg"
    picture.save(path, quality=92)
    return path


def run(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    words = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(words.decode())
    return seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
