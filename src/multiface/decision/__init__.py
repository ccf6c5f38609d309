"""From similarities to decisions with a stated error rate."""

from multiface.decision.calibration import Calibration, Rate, Threshold, read_calibration
from multiface.decision.decide import Candidate, Decision, Reason, decide
from multiface.decision.quality_limits import PictureFault, QualityLimits
from multiface.decision.shipped import ChosenCalibration, choose_calibration, own_calibrations

__all__ = [
    "Calibration",
    "Candidate",
    "ChosenCalibration",
    "Decision",
    "PictureFault",
    "QualityLimits",
    "Rate",
    "Reason",
    "Threshold",
    "choose_calibration",
    "decide",
    "own_calibrations",
    "read_calibration",
]
