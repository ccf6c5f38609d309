"""From the views of a track to one vector, and from the vectors of all tracks of a moment to names.

The pooled vector is the mean of the views, weighted by their qualities, scaled to unit length. Its spread is 1 minus
the length of the mean before scaling: 0 for one view or equal ones. Scaling lifts the similarity of strangers too,
so the threshold rises with the spread of the probe as it does with that of a person's templates, but half as much:
the mean of several views is also less often a poor view, which is what strangers are mostly named by. Both rises are
added. docs/tracks.md has the measurement behind it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.decision import Calibration, Decision
from multiface.errors import UsageError
from multiface.gallery import Matrix
from multiface.recognition.deciding import decide_probes
from multiface.recognition.gallery_threshold import GalleryThreshold
from multiface.video.tracks.views import Views

PROBE_RISE = 1.0
"""The rise for the spread of a track's views, in terms of that for a person's templates (docs/tracks.md)."""
VIEWS_FOR_A_NAME = 3
SEEN_FOR_A_NAME = 1.0
"""Seconds after which fewer views do."""


def pooled(views: Views) -> tuple[Floats, float]:
    """The pooled vector, float32 (d,) of unit length (zeros where views cancel out), and its spread, 0..1.

    Raises UsageError for no views.
    """
    if not len(views):
        raise UsageError("a track without views has no pooled vector")
    weights = np.maximum(views.qualities.astype(np.float64), 1e-3)
    mean = (weights / weights.sum()) @ views.vectors.astype(np.float64)
    length = float(np.linalg.norm(mean))
    vector = (mean / length if length > 0 else mean).astype(np.float32)
    return vector, min(1.0, max(0.0, 1.0 - length))


def probe_rise(spread: npt.NDArray[np.float32], calibration: Calibration) -> npt.NDArray[np.float32]:
    """What is added to an identification threshold for pooled vectors of these spreads (n,): float32 (n,)."""
    return np.asarray(np.float32(PROBE_RISE) * calibration.rise(spread), np.float32)


def enough_views(views: Views, seen_for: float, ended: bool, least: int = VIEWS_FOR_A_NAME) -> bool:
    """Whether a track may be given its first name.

    seen_for: seconds since it was first seen. ended: it will get no more views.
    """
    return len(views) >= least or (len(views) > 0 and (ended or seen_for >= SEEN_FOR_A_NAME))


def pooled_decisions(
    tracks: Sequence[Views], matrix: Matrix, threshold: GalleryThreshold | None
) -> list[Decision]:
    """Decisions for all tracks that are alive at one moment, each with at least one view.

    They are decided together: two of them cannot be one person. matrix: of the gallery. threshold: None only with
    nobody enrolled. Raises UsageError, RateNotSupported.
    """
    if not tracks:
        return []
    probes, spreads = zip(*(pooled(views) for views in tracks), strict=True)
    rise = None
    if threshold is not None:
        rise = probe_rise(np.array(spreads, np.float32), threshold.calibration)
    return decide_probes(np.stack(probes), matrix, threshold, rise=rise)
