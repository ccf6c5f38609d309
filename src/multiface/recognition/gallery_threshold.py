"""The threshold for the people of a gallery, worked out once while they stay the same."""

from dataclasses import replace

from multiface.decision import Calibration, Threshold
from multiface.decision.own_rate import LEAST_PEOPLE, own_rate
from multiface.gallery import Matrix


class GalleryThreshold:
    """Thresholds at one false-positive identification rate; the last gallery's is kept.

    Threads may share one. rate: above 0 and below 1.
    """

    def __init__(self, calibration: Calibration, rate: float) -> None:
        self.calibration = calibration
        self.rate = rate
        self._last: tuple[Matrix, Threshold] | None = None

    def of(self, matrix: Matrix) -> Threshold | None:
        """The threshold in this gallery, `decision.own_rate`; None with nobody enrolled.

        Below 3 people it is that among people at large. Raises UsageError, RateNotSupported.
        """
        last = self._last
        if last is not None and last[0] is matrix:
            return last[1]
        people = len(matrix.names)
        if not people:
            return None
        threshold = self.calibration.threshold_for_identify(self.rate, people)
        if people >= LEAST_PEOPLE:
            own = own_rate(
                matrix.vectors,
                matrix.person_index,
                matrix.centres,
                matrix.spread,
                self.calibration,
                self.rate,
            )
            threshold = replace(threshold, similarity=own.similarity, calibrated=own.calibrated)
        self._last = (matrix, threshold)
        return threshold
