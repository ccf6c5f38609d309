"""The curves of training runs as one picture: loss and rate of learning, accuracy on the held-out pack.

    python benchmarks/training_curves.py RUN... --out curves.png

A row for each run: its loss over the steps (the mean of the slices, so that runs with one and several slices compare),
and the accuracy of its validations. Each RUN is the folder of a run, or a metrics.jsonl.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from multiface.train.chart import Axis, line_chart


def row(run: Path) -> np.ndarray:
    """The two charts of a run, side by side."""
    file = run / "metrics.jsonl" if run.is_dir() else run
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    name = run.name if run.is_dir() else run.stem
    steps = [line for line in lines if line["kind"] == "train"]
    checks = [line for line in lines if line["kind"] == "validation"]
    losses = [line["loss"] / max(1, len(line["loss_slices"])) for line in steps]
    across = Axis.even("step", 0, max(line["step"] for line in steps))
    loss = line_chart(
        [line["step"] for line in steps],
        losses,
        across,
        Axis.even("loss a slice", 0, max(losses)),
        f"{name}: loss a slice",
        size=(560, 340),
    )
    accuracy = line_chart(
        [line["step"] for line in checks],
        [100 * line["accuracy"] for line in checks],
        across,
        Axis.even("accuracy, %", 50, 100),
        f"{name}: accuracy on heldout.bin, %",
        size=(560, 340),
    )
    return np.concatenate([loss, accuracy], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    Image.fromarray(np.concatenate([row(run) for run in given.runs])).save(given.out)


if __name__ == "__main__":
    main()
