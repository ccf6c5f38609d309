"""The threshold for the people of a gallery, worked out once while they stay the same."""

from dataclasses import dataclass, replace

from multiface.decision import Calibration, Threshold
from multiface.decision.own_rate import LEAST_PEOPLE, own_rate
from multiface.gallery import Matrix

LARGE = 8_192
"""Above so many people how alike they are is not looked at again until one in a hundred has changed: it takes half a
second, and the few hundred people it is judged by change little with one of so many."""

_KEPT = 8
"""Thresholds kept: a gallery has one for everybody, and one for each choice of groups."""


@dataclass(frozen=True, slots=True)
class _Estimate:
    """How much higher a gallery's threshold is, and the state of the gallery in which that was found."""

    shift: float
    reading: object
    changed: int


class GalleryThreshold:
    """Thresholds at one false-positive identification rate; those of the last galleries are kept.

    Threads may share one. rate: above 0 and below 1.
    """

    def __init__(self, calibration: Calibration, rate: float) -> None:
        self.calibration = calibration
        self.rate = rate
        self._last: tuple[tuple[Matrix, Threshold], ...] = ()
        self._estimate: _Estimate | None = None

    def of(self, matrix: Matrix) -> Threshold | None:
        """The threshold in this gallery, `decision.own_rate`; None with nobody enrolled.

        Below 3 people it is that among people at large. Raises UsageError, RateNotSupported.
        """
        last = self._last
        known = next((threshold for of, threshold in last if of is matrix), None)
        if known is not None:
            return known
        people = len(matrix)
        if not people:
            return None
        threshold = self.calibration.threshold_for_identify(self.rate, people)
        if people >= LEAST_PEOPLE:
            calibrated = threshold.similarity
            similarity = min(1.0, calibrated + self._shift(matrix))
            threshold = replace(threshold, similarity=similarity, calibrated=calibrated)
        self._last = ((matrix, threshold), *last[: _KEPT - 1])
        return threshold

    def _shift(self, matrix: Matrix) -> float:
        """What is added because these people resemble each other, 0 or more."""
        known = self._estimate
        if (
            known is not None
            and len(matrix) > LARGE
            and known.reading is matrix.reading
            and matrix.changed - known.changed <= len(matrix) // 100
        ):
            return known.shift
        shift = own_rate(
            matrix.vectors, matrix.person_index, matrix.centres, matrix.spread, self.calibration, self.rate
        ).shift
        self._estimate = _Estimate(shift, matrix.reading, matrix.changed)
        return shift
