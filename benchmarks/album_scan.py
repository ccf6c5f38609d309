"""What scanning an album costs beside a bare loop of detect and embed over the same files, in processor time.

    python benchmarks/album_scan.py ../shared/data/lfw [--pictures 10000]

The files are copies of LFW's pictures, each saved anew with another size, so that no content comes twice. The bare
loop (read, decode, find faces, align, embed, one picture after the other on the same threads) takes every fifth of
them. Each runs in a process of its own. Then: a second scan, the memory of the first, and one question.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image

from multiface import Album, Recognizer, RecognizerSettings

EVERY = 5


def make(lfw: Path, folder: Path, count: int) -> None:
    sources = sorted(lfw.glob("*/*.jpg"))
    for number in range(count):
        picture = PIL.Image.open(sources[number % len(sources)])
        side = 150 + 10 * (number // len(sources)) + number % 7
        place = folder / f"{number // 500:03}"
        place.mkdir(exist_ok=True)
        picture.resize((side, side)).save(place / f"{number:06}.jpg", quality=92)


def used() -> tuple[float, float]:
    """Processor time in seconds, and the peak of memory in MB."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime, own.ru_maxrss / 1024


def bare(folder: Path) -> None:
    recognizer = Recognizer(settings=RecognizerSettings(threads=2))
    files = sorted(folder.rglob("*.jpg"))[::EVERY]
    recognizer.analyse(files[0])
    before, _ = used()
    faces = sum(len(recognizer.analyse(file).faces) for file in files)
    print(f"{(used()[0] - before) / len(files):.6f} {faces} {used()[1]:.0f}")


def scan(folder: Path, gallery: Path) -> None:
    with Recognizer(gallery=gallery, create=True, settings=RecognizerSettings(threads=2)) as recognizer:
        album = Album(recognizer)
        recognizer.analyse(next(folder.rglob("*.jpg")))
        before, start = used()[0], time.perf_counter()
        report = album.scan([folder])
        cost, wall = used()[0] - before, time.perf_counter() - start
        count = report.searched or report.unchanged
        print(f"{cost / count:.6f} {report.faces} {used()[1]:.0f} {wall:.2f} {count}")
        start = time.perf_counter()
        hits = album.find(unknown=True)
        print(f"{time.perf_counter() - start:.3f} {len(hits)} {len(album.groups())}")


def run(*arguments: object) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return [line.split() for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lfw", type=Path, help="the folder of LFW, NAME/NAME_0001.jpg")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--gallery", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is not None:
        if arguments.part == "bare":
            bare(arguments.lfw)
        else:
            scan(arguments.lfw, arguments.gallery)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder, gallery = Path(temporary) / "photos", Path(temporary) / "g.sqlite"
        folder.mkdir()
        make(arguments.lfw, folder, arguments.pictures)
        first = float(run(folder, "--part", "bare")[0][0])
        (cost, faces, memory, wall, count), question = run(folder, "--part", "scan", "--gallery", gallery)
        second = float(run(folder, "--part", "bare")[0][0])
        again, _ = run(folder, "--part", "scan", "--gallery", gallery)
        loop = float(np.mean([first, second]))
        print(
            f"bare loop: {1000 * loop:.1f} ms of CPU a picture ({1000 * first:.1f} before, {1000 * second:.1f} after)"
        )
        print(
            f"scan of {count}: {1000 * float(cost):.1f} ms a picture, {float(cost) / loop:.3f} of it; {faces} faces"
        )
        print(f"  {float(wall):.0f} s, {int(count) / float(wall):.1f} pictures a second; peak {memory} MB")
        print(f"second scan: {float(again[3]):.2f} s for {again[4]} files")
        print(
            f"a question: {1000 * float(question[0]):.0f} ms for {question[1]} photos; {question[2]} groups"
        )
        print(f"gallery: {gallery.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
