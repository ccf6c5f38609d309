"""The calibrations that come with the package, and those a user has made.

Calibrations are JSON files; those of the package lie in `decision/calibrations/`. The one that fits is chosen
by the embedder's fingerprint and the choice of flips, and among these by the detector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from multiface.decision.calibration import Calibration, read_calibration
from multiface.errors import NotAvailable

SHIPPED = Path(__file__).parent / "calibrations"


@dataclass(frozen=True, slots=True)
class ChosenCalibration:
    """A calibration, and how its detector differs from the one in use (None where it does not)."""

    calibration: Calibration
    caveat: str | None


def choose_calibration(
    folders: Sequence[Path], *, detector: str, weights: str, fingerprint: str, flip: bool
) -> ChosenCalibration:
    """The calibration for this detector, embedder and choice of flips.

    folders: searched in order for `*.json`, the package's own last; a folder that does not exist is empty.
    Where only another detector was calibrated with these weights, that calibration is used with a caveat: the
    vectors are of the same network, but crops by other landmarks are a little different.

    Raises NotAvailable when there is none for the embedder; InputError for a broken file.
    """
    fitting = [
        calibration
        for folder in (*folders, SHIPPED)
        for path in sorted(folder.glob("*.json"))
        if (calibration := read_calibration(path)).fingerprint == fingerprint and calibration.flip == flip
    ]
    for calibration in fitting:
        if calibration.detector == detector:
            return ChosenCalibration(calibration, None)
    if fitting:
        return ChosenCalibration(
            fitting[0],
            f"thresholds for {weights} were measured with the detector {fitting[0].detector}, not "
            f"{detector}; `multiface calibrate` with your detector makes them exact",
        )
    raise NotAvailable(
        f"no calibration is known for the weights {weights} ({'with' if flip else 'without'} flips), so no "
        f"error rate can be stated. Make one from pictures of at least 100 people: "
        f"multiface calibrate FOLDER --weights {weights} --detector {detector}{'' if flip else ' --no-flip'}"
    )
