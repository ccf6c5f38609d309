"""What a calibration means for the pictures of a gallery."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.decision.calibration import Calibration
from multiface.decision.own_rate import own_rate


@dataclass(frozen=True, slots=True)
class OwnMisses:
    """Pictures that their own person would not be recognised by: `missed` of `tried`; at a threshold."""

    threshold: float
    missed: int
    tried: int


def own_misses(
    vectors: npt.NDArray[np.float32],
    person: npt.NDArray[np.intp],
    centres: npt.NDArray[np.float32],
    spread: npt.NDArray[np.float32],
    calibration: Calibration,
    rate: float,
) -> OwnMisses:
    """Each picture against the mean of the other pictures of its person, at the gallery's own threshold for an FPIR.

    vectors: (n, d), unit length. person: (n,), rising from 0 to m - 1, m at least 1. centres, spread: of the people, as
    `own_rate` takes them. People with one picture are left out. Raises RateNotSupported.
    """
    count = len(centres)
    threshold = own_rate(vectors, person, centres, spread, calibration, rate).similarity
    missed = tried = 0
    for own in (vectors[person == k] for k in range(count)):
        for k in range(len(own) if len(own) > 1 else 0):
            mean = np.delete(own, k, axis=0).mean(axis=0)
            length = float(np.linalg.norm(mean))
            (rise,) = calibration.rise(np.array([1 - length], np.float32))
            missed += float(own[k] @ mean) < (threshold + float(rise)) * length
            tried += 1
    return OwnMisses(threshold, missed, tried)
