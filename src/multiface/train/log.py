"""What a run tells: lines in `metrics.jsonl`, and the same for TensorBoard. For other trackers see follow.py.

A line is a JSON object with `kind` and `step` (steps done):
- train: epoch, loss (of the step), loss_slices (one a slice), rate, gradient_norm, images_per_second
- validation: set, accuracy, accuracy_interval, tar_at_far, eer, genuine_angle and impostor_angle ([mean,
  deviation], degrees),
  best (whether these weights are the best so far)
- skipped: picture (number in the set), reason
- resumed: changed (settings that are other ones from here on, and change nothing of what is learned)
After a resume the lines behind the checkpoint's step are cut off first, for these steps are done again.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from multiface.atomic_write import write_whole
from multiface.errors import InputError
from multiface.json_text import parse_json
from multiface.metrics.curves import roc
from multiface.regular_file import read_regular_text
from multiface.train.chart import Axis, line_chart
from multiface.train.follow import METRICS
from multiface.train.validation import Measured

TENSORBOARD = "tensorboard"


class RunLog:
    """The log of a run from a step on: lines of earlier steps stay."""

    def __init__(self, run: Path, start: int) -> None:
        self._path = run / METRICS
        _cut(self._path, start)
        self._board = SummaryWriter(str(run / TENSORBOARD), purge_step=start + 1)

    def train(
        self,
        step: int,
        epoch: float,
        loss: float,
        slices: Sequence[float],
        rate: float,
        gradient_norm: float,
        images_per_second: float,
    ) -> None:
        """A step."""
        self._line(
            "train",
            step,
            epoch=round(epoch, 4),
            loss=loss,
            loss_slices=list(slices),
            rate=rate,
            gradient_norm=gradient_norm,
            images_per_second=round(images_per_second, 1),
        )
        self._board.add_scalar("loss", loss, step)
        for number, value in enumerate(slices):
            self._board.add_scalar(f"loss/slice {number}", value, step)
        self._board.add_scalar("rate", rate, step)
        self._board.add_scalar("gradient norm", gradient_norm, step)
        self._board.add_scalar("images per second", images_per_second, step)

    def validation(self, step: int, measured: Measured, best: bool) -> None:
        """A set's measurement."""
        result, angles = measured.result, measured.angles
        spread = {
            kind: [round(float(values.mean()), 3), round(float(values.std()), 3)]
            for kind, values in (("genuine_angle", angles.genuine), ("impostor_angle", angles.impostor))
        }
        self._line(
            "validation",
            step,
            set=result.name,
            accuracy=result.accuracy,
            accuracy_interval=[result.accuracy_interval.low, result.accuracy_interval.high],
            tar_at_far={f"{rate.far:g}": rate.tar for rate in result.tar_at_far},
            eer=result.eer,
            **spread,
            best=best,
        )
        name = result.name
        self._board.add_scalar(f"{name}/accuracy", result.accuracy, step)
        self._board.add_scalar(f"{name}/EER", result.eer, step)
        for rate in result.tar_at_far:
            self._board.add_scalar(f"{name}/TAR at FAR {rate.far:g}", rate.tar, step)
        self._board.add_histogram(f"{name}/genuine angle", angles.genuine, step)
        self._board.add_histogram(f"{name}/impostor angle", angles.impostor, step)
        self._board.add_image(f"{name}/ROC", _roc_chart(measured), step, dataformats="HWC")
        self._board.flush()

    def skipped(self, step: int, picture: int, reason: str) -> None:
        """A picture that could not be used."""
        self._line("skipped", step, picture=picture, reason=reason)

    def resumed(self, step: int, changed: Sequence[str]) -> None:
        """Settings that are other ones than before."""
        self._line("resumed", step, changed=list(changed))

    def close(self) -> None:
        """Writes what is left."""
        self._board.close()

    def _line(self, kind: str, step: int, **values: Any) -> None:
        text = json.dumps({"kind": kind, "step": step, **values})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            raise InputError(
                f"{self._path}: cannot be written ({error.strerror})",
                path=self._path,
                hint="make room and resume",
            ) from error


def _cut(path: Path, step: int) -> None:
    """Leaves the lines up to and with this step; a line that was cut off by a crash goes too."""
    if not path.is_file():
        return
    kept = []
    for line in read_regular_text(path).splitlines():
        try:
            entry = parse_json(line)
        except ValueError:
            continue
        if entry["step"] <= step:
            kept.append(line + "\n")
    write_whole(path, "".join(kept).encode())


def _roc_chart(measured: Measured) -> np.ndarray[Any, np.dtype[np.uint8]]:
    result = measured.result
    genuine, impostor = (np.cos(np.radians(a)) for a in (measured.angles.genuine, measured.angles.impostor))
    curve = roc(genuine, impostor)
    return line_chart(
        np.log10(np.maximum(curve.fmr, 1e-4)),
        1 - curve.fnmr,
        Axis.decades("false-match rate", -4, 0),
        Axis.even("TAR", 0, 1),
        f"{result.name}: ROC",
    )
