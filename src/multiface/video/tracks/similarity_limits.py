"""When two vectors are one person's, when perhaps, and when not: the tracker's thresholds, from a calibration.

A lost track is taken up by a face that is so like it that a stranger would be, to one of the `candidates` lost tracks,
in one case of a thousand (a false-positive identification rate of 1e-3, for one candidate the false-match rate), plus
the calibration's margin: faces of one video share light and camera, so strangers are more alike in it than on the set.
"Perhaps" is the same at one case in ten, without the margin; "different" is what one pair of strangers in ten exceeds.
"""

from multiface.decision import Calibration
from multiface.errors import RateNotSupported

SAME_RATE = 1e-3
PERHAPS_RATE = 0.1


class SimilarityLimits:
    """Thresholds of cosine similarity; without a calibration nothing is the same and nothing different."""

    def __init__(self, calibration: Calibration | None) -> None:
        self._calibration = calibration
        self._known: dict[tuple[float, int], float] = {}
        self.margin = 0.0 if calibration is None else calibration.margin
        self.different = (
            -1.0 if calibration is None else calibration.threshold_for_verify(PERHAPS_RATE).similarity
        )

    @property
    def known(self) -> bool:
        """Whether there is a calibration."""
        return self._calibration is not None

    def same(self, candidates: int) -> float:
        """At or above it a face is one of so many lost tracks (at least 1); above 1 where that cannot be said."""
        return self._threshold(SAME_RATE, candidates) + self.margin

    def perhaps(self, candidates: int) -> float:
        """At or above it a face may be one of so many lost tracks."""
        return self._threshold(PERHAPS_RATE, candidates)

    def rise(self, spread: float) -> float:
        """What is added to a threshold for a pooled vector of this spread.

        All of it, not the half of `pooling.probe_rise`: a wrong return mixes two people's views for good.
        """
        return 0.0 if self._calibration is None else self._calibration.spread_rise * spread

    def _threshold(self, rate: float, candidates: int) -> float:
        if self._calibration is None:
            return 2.0
        key = (rate, candidates)
        if key not in self._known:
            try:
                self._known[key] = self._calibration.threshold_for_identify(rate, candidates).similarity
            except RateNotSupported:
                self._known[key] = 2.0
        return self._known[key]
