"""From similarities to decisions with a stated error rate."""

from multiface.decision.calibration import Calibration, Rate, Threshold, read_calibration
from multiface.decision.decide import Candidate, Decision, Reason, decide
from multiface.decision.picture_limits import PictureLimits
from multiface.decision.shipped import ChosenCalibration, choose_calibration, own_calibrations

__all__ = [
    "Calibration",
    "Candidate",
    "ChosenCalibration",
    "Decision",
    "PictureLimits",
    "Rate",
    "Reason",
    "Threshold",
    "choose_calibration",
    "decide",
    "own_calibrations",
    "read_calibration",
]
