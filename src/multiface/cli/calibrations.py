"""What `doctor` and `weights list` say of the user's own calibrations."""

from pathlib import Path
from typing import Any

from multiface.cli.console import Speaker


def say_calibrations(speaker: Speaker, store: Path) -> list[dict[str, Any]]:
    """Say which are in force and which only there; the same as documents. Raises InputError."""
    from multiface.decision import own_calibrations

    found = own_calibrations(store / "calibrations")
    for one in found:
        speaker.result(str(one))
    return [
        {
            "name": one.name,
            "in_force": one.in_force,
            "problem": one.problem,
            "detector": one.calibration and one.calibration.detector,
            "weights": one.calibration and one.calibration.weights,
            "flip": one.calibration and one.calibration.flip,
        }
        for one in found
    ]
