"""The most alike people, and how sure the decisions are, as documents."""

from typing import Any

from multiface.decision import Calibration
from multiface.errors import RateNotSupported
from multiface.gallery import Gallery, Matrix
from multiface.progress import Progress
from multiface.recognition.alike import most_alike
from multiface.recognition.gallery_threshold import GalleryThreshold
from multiface.recognition.leave_one_out import leave_one_out

Document = dict[str, Any]
_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


def alike_pairs(matrix: Matrix, calibration: Calibration, rate: float, most: int) -> list[Document]:
    """`most_alike` as JSON."""
    return [
        {
            "people": [
                {"person": person, "name": name} for person, name in zip(pair.people, pair.names, strict=True)
            ],
            "similarity": round(pair.similarity, 6),
            "threshold": round(pair.threshold, 6),
        }
        for pair in most_alike(matrix, calibration, rate, most)
    ]


class Strictness:
    """The threshold in use, and what other rates would ask, worked out once while people stay the same."""

    def __init__(self, calibration: Calibration, rate: float) -> None:
        self._calibration = calibration
        self._rate = rate
        self._thresholds = {one: GalleryThreshold(calibration, one) for one in sorted({*_RATES, rate})}

    def document(self, matrix: Matrix) -> Document:
        """For each rate the similarity, the 95 % interval of the rate, and the share of genuine pairs of pictures below
        it. A rate that the calibration does not support is left out.
        """
        curve = []
        for rate, threshold in self._thresholds.items():
            try:
                asked = threshold.of(matrix)
            except RateNotSupported:
                continue
            if asked is None:
                continue
            missed = self._calibration.false_non_match_rate(asked.similarity)
            curve.append(
                {
                    "rate": rate,
                    "threshold": round(asked.similarity, 6),
                    "interval": None if asked.interval is None else [round(end, 7) for end in asked.interval],
                    "extrapolated": asked.extrapolated,
                    **missed.document("false_non_match_rate"),
                }
            )
        now = next((one for one in curve if one["rate"] == self._rate), None)
        return {
            "rate": self._rate,
            "people": len(matrix),
            "threshold": None if now is None else now["threshold"],
            "calibration": self._calibration.source,
            "curve": curve,
        }


def own_people_document(
    gallery: Gallery, calibration: Calibration, rate: float, progress: Progress
) -> Document:
    """`leave_one_out` as JSON, the pictures that were given another name first."""
    matrix = gallery.matrix()
    own = leave_one_out(matrix, calibration, rate, progress)
    return {
        "people": own.people,
        "pictures": own.pictures,
        "recognised": own.recognised,
        "unknown": own.unknown,
        "missed_interval": None
        if own.missed is None
        else [round(own.missed.low, 6), round(own.missed.high, 6)],
        "mistaken": [
            {
                "person": matrix.ids[one.person],
                "name": matrix.names[one.person],
                "other": matrix.ids[one.other],
                "other_name": matrix.names[one.other],
                "similarity": round(one.similarity, 6),
            }
            for one in own.mistaken[:100]
        ],
    }
