"""Whether a face that was given to a track by its place is that person's, by the track's views.

A continuing box is strong evidence, and faces in profile are unlike their own frontal views. So a face is doubted only
where its vector is less alike than one pair of strangers in ten, and either its quality is at least that of the track's
median view, neither being poor, or at least half of it and the track's box jumped since its last view
(`LiveTrack.jumped`). If the next face is like the doubted one and unlike the views too, the track has gone over to
another person. A poor view that is unlike the others is useless.

A track without a number and with one view has shown nothing yet: an unlike face is another person's at once, unless
one of the two views is poor.
"""

from enum import Enum, auto

import numpy as np

from multiface.arrays import Floats
from multiface.video.tracks.live_track import LiveTrack
from multiface.video.tracks.pooling import pooled
from multiface.video.tracks.quality import LEAST_QUALITY
from multiface.video.tracks.similarity_limits import SimilarityLimits


class Verdict(Enum):
    """What a face is to its track."""

    OURS = auto()
    USELESS = auto()
    DOUBTFUL = auto()
    ANOTHER = auto()


def judge(track: LiveTrack, quality: float, vector: Floats, limits: SimilarityLimits) -> Verdict:
    """quality, vector: of the face that the track has been given last."""
    if not len(track.views) or float(pooled(track.views)[0] @ vector) >= limits.different:
        return Verdict.OURS
    if len(track.views) == 1:
        poor = min(quality, float(track.views.qualities[0])) < LEAST_QUALITY
        return Verdict.OURS if poor or track.confirmed or track.detections < 2 else Verdict.ANOTHER
    median = float(np.median(track.views.qualities))
    if quality < 0.5 * median:
        return Verdict.USELESS
    if len(track.doubt) and float(track.doubt @ vector) >= limits.same(1):
        return Verdict.ANOTHER
    clear = quality >= median >= LEAST_QUALITY
    return Verdict.DOUBTFUL if clear or track.jumped or len(track.doubt) else Verdict.OURS
