"""The README's table of speed and memory on this machine, in one command; a peer that is missing is one line.

    just bench
    python benchmarks/bench.py [--only WORD]

Each row runs one script of this folder in a process of its own and takes its figures from what that prints; progress
goes to standard error. Pictures and clips are made of the portrait in the package, so no data is needed. 10 to 30
minutes on two cores, with fewer rounds than the README's figures. Peers: facenet-pytorch and OpenVINO where they are
installed, the literal formula of the original's head (PyTorch), the original's way through a video (PyAV).
"""

import argparse
import importlib.util
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageEnhance

from multiface.recognition.demo import PORTRAIT

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one script.

    needs: modules without which it is left out. words: its arguments; {group}, {people}, {a} and {b} are pictures and
    a folder that are made. figures: what each figure is, and how it is found in the output: the groups of each match,
    joined by " / ".
    """

    script: str
    words: str
    needs: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]


ROWS = (
    Row(
        "help_time.py",
        "",
        (),
        (("`multiface --help`, processor time", r"processor time: (.+)"),),
    ),
    Row(
        "identify_cost.py",
        "{group}",
        (),
        (
            (
                "`identify`, one 1280x720 photo with 5 faces, 1,000 people, start-up included",
                r"start-up: (\S+ s)",
            ),
            ("each further photo", r"further photo: (\S+ s)"),
            (
                "peak memory at 640x360 / 1280x720 / 1920x1080 / 12 megapixels, MB",
                r"\| (?:640x360|1280x720|1920x1080|4000x3000) \| 1 \| (\d+) \|",
            ),
        ),
    ),
    Row(
        "embedder_speed.py",
        "",
        ("onnx",),
        (
            (
                "SFace as shipped against its published form, times as fast: 1 and 32 crops on 1 thread, then on 2",
                r"\| as shipped \| [^|]+\| ([^|]+) \|",
            ),
            ("the same on OpenVINO", r"\| as shipped, OpenVINO \| [^|]+\| ([^|]+) \|"),
        ),
    ),
    Row(
        "mtcnn_speed.py",
        "--peer-python {python} --photo {group} --rounds 5",
        ("torch", "facenet_pytorch"),
        (
            (
                "MTCNN against facenet-pytorch's, 1280x720, minimum size 20 / 40 / 80, times as fast",
                r"ratio (\S+) ",
            ),
        ),
    ),
    Row(
        "head_step.py",
        "--pairs 2",
        ("torch",),
        (
            (
                "a training step of the head, 85,742 classes, against the literal formula, times as fast",
                r"ratio of seconds: (.+)",
            ),
            ("its memory, the literal formula's / ours, MB", r"CPU, (\S+) \[.*MB extra"),
        ),
    ),
    Row(
        "video_speed.py",
        "{people} --photos {a} {b} --rounds 2 --peer-frames 40",
        ("av",),
        (
            (
                "`video`, two faces, copy included, 360p / 720p / 1080p, frames a second",
                r"\| \d+x\d+ \| (\d+) ",
            ),
            (
                "against detection and embedding of every frame, times as fast",
                r"\| \d+x\d+ \| [^|]+\| [^|]+\| (\S+) ",
            ),
        ),
    ),
    Row(
        "live_latency.py",
        "{people} --photos {a} {b} --frames 500 --pair yunet_onet sface",
        ("av", "psutil"),
        (
            (
                "`camera`, a 720p stream: from the making of a frame to its decision",
                r"decision: (median \d+ ms, p95 \d+ ms)",
            ),
        ),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="rows whose script has this in its name")
    only = parser.parse_args().only
    print(f"Python {platform.python_version()}, {platform.platform()}\n")
    print("| what | this machine | measured by |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        names = make_pictures(Path(place))
        for row in ROWS:
            if only in row.script:
                for what, figure in measured(row, names):
                    print(f"| {what} | {figure} | `benchmarks/{row.script}` |", flush=True)


def measured(row: Row, names: dict[str, str]) -> list[tuple[str, str]]:
    """Each figure of a row, in words; one for all where the row is left out."""
    missing = [name for name in row.needs if importlib.util.find_spec(name) is None]
    if missing:
        return [(row.figures[0][0], f"left out: {', '.join(missing)} is not installed")]
    start = time.monotonic()
    print(f"{row.script} ...", end=" ", file=sys.stderr, flush=True)
    words = [word.format(**names) for word in row.words.split()]
    done = subprocess.run([sys.executable, str(FOLDER / row.script), *words], capture_output=True, text=True)
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["no words"])[-1]
        return [(row.figures[0][0], f"left out: {why}")]
    return figures(row, done.stdout)


def figures(row: Row, printed: str) -> list[tuple[str, str]]:
    """Each figure that stands in the output of a row's script, in words."""
    return [(what, " / ".join(found)) for what, how in row.figures if (found := re.findall(how, printed))]


def make_pictures(folder: Path) -> dict[str, str]:
    """What arguments stand for: a group of five, two people, and a folder of them."""
    portrait = Image.open(PORTRAIT).convert("RGB")
    other = ImageEnhance.Brightness(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).enhance(0.8)
    group = Image.new("RGB", (1280, 720), (90, 110, 100))
    for k in range(5):
        one = (portrait if k % 2 else other).resize((256, 256))
        group.paste(one, (256 * k, 120 + 60 * (k % 3)))
    group.save(folder / "group.png")
    for name, picture in (("a", portrait), ("b", other)):
        (folder / "people" / name).mkdir(parents=True)
        picture.save(folder / "people" / name / "1.png")
    return {
        "group": str(folder / "group.png"),
        "people": str(folder / "people"),
        "a": str(folder / "people" / "a" / "1.png"),
        "b": str(folder / "people" / "b" / "1.png"),
        "python": sys.executable,
    }


if __name__ == "__main__":
    main()
