"""Which face continues which track, by place and size, and where that is not clear by the vectors too.

Letters: t tracks, n faces. A pair is possible where the distance between the face's centre and the predicted one,
over the side of the larger of the two boxes, is at most 0.75 + 1.25 times the seconds since the track was seen, and
neither side is more than twice the other. Its cost, 0..2: half of (1 - IoU), half of the distance over what is
allowed, and half of |log2| of the sides' ratio. A track that has been seen once has no speed yet.

A face is in doubt where a second track (or for its track a second face) costs less than 0.5 more, where its best cost
is over 0.4, or where a possible track has been out of sight for over half a second. For it and every possible track
with views the cost becomes 0.3 times the one of place plus the unlikeness of the vectors: 0 at the similarity of one
person, 1 where people are different. For a track with two views or more a pair over 0.8 is not possible then: better
to lose a track, which may return, than to give it another person's face.

Vectors of poor faces are alike whoever they are. Where the face is poor, or half of the track's views are (below
`LEAST_QUALITY`), similarity proves nothing, and a pair that costs more than 1 by place is not possible: a track that
hangs on the back of a head or on a neck ends there, and does not go over to the next face that comes near. For a track
with one view this holds once a look has missed it: until then it may be anybody who walks fast.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles, Floats, Indices
from multiface.faces.boxes import iou
from multiface.video.tracks.assignment import assign
from multiface.video.tracks.pooling import pooled
from multiface.video.tracks.quality import LEAST_QUALITY
from multiface.video.tracks.similarity_limits import SimilarityLimits
from multiface.video.tracks.views import Views

NEAR = 0.5
FAR = 0.4
OUT_OF_SIGHT = 0.5
UNLIKE = 0.8
FARTHEST_POOR = 1.0
_LIMIT = 4.0


def place_costs(predicted: Doubles, unseen: Doubles, boxes: Doubles) -> Doubles:
    """Costs (t, n), infinite for impossible pairs.

    predicted: (t, 4). unseen: (t,), seconds since the track was seen. boxes: (n, 4).
    """
    mine, theirs = _sides(predicted)[:, None], _sides(boxes)[None]
    apart = np.linalg.norm(_centres(predicted)[:, None] - _centres(boxes)[None], axis=2)
    distance = apart / np.maximum(np.maximum(mine, theirs), 1e-6)
    allowed = (0.75 + 1.25 * unseen)[:, None]
    ratio = np.abs(np.log2(np.maximum(mine, 1e-6) / np.maximum(theirs, 1e-6)))
    cost = 0.5 * (1.0 - iou(predicted, boxes)) + 0.5 * distance / allowed + 0.5 * ratio
    return np.where((distance <= allowed) & (ratio <= 1.0), cost, np.inf)


def in_doubt(costs: Doubles, unseen: Doubles) -> npt.NDArray[np.bool_]:
    """The faces, (n,), for which place alone does not say which track they continue."""
    possible = np.isfinite(costs)
    best_of_face = costs.min(axis=0, initial=np.inf)
    best_of_track = costs.min(axis=1, initial=np.inf)
    rival_tracks = (possible & (costs < best_of_face + NEAR)).sum(axis=0) > 1
    crowded = (possible & (costs < best_of_track[:, None] + NEAR)).sum(axis=1) > 1
    rival_faces = (possible & (costs < best_of_track[:, None] + NEAR) & crowded[:, None]).any(axis=0)
    far = np.isfinite(best_of_face) & (best_of_face > FAR)
    long_gone = (possible & (unseen > OUT_OF_SIGHT)[:, None]).any(axis=0)
    return np.asarray(rival_tracks | rival_faces | far | long_gone)


def associate(
    predicted: Doubles,
    unseen: Doubles,
    missed: Sequence[bool],
    views: Sequence[Views],
    boxes: Doubles,
    qualities: Floats,
    embed: Callable[[Indices], Floats],
    limits: SimilarityLimits,
) -> Indices:
    """For each track the position of its face, -1 for none: (t,).

    predicted, unseen, boxes: as in `place_costs`. missed: see `LiveTrack.missed`. views: of the t tracks. qualities: of
    the n faces, 0..1. embed: vectors (k, d) of the faces at k positions; called at most once, and only for faces that a
    track with views may continue in.
    """
    costs = place_costs(predicted, unseen, boxes)
    # Without a view there is nothing that a vector could be compared with.
    viewed = np.array([len(seen) > 0 for seen in views], np.bool_)
    comparable = np.isfinite(costs[viewed]).any(axis=0)
    doubtful = np.flatnonzero(in_doubt(costs, unseen) & comparable)
    if len(doubtful) and limits.known:
        vectors = embed(doubtful)
        same, different = limits.same(1), limits.different
        for track, seen in enumerate(views):
            if not len(seen) or not np.isfinite(costs[track, doubtful]).any():
                continue
            similarity = (vectors @ pooled(seen)[0]).astype(np.float64)
            unlike = np.maximum((same - similarity) / max(same - different, 1e-6), -2.0)
            place = costs[track, doubtful]
            mixed = 0.3 * place + unlike
            poor = (qualities[doubtful] < LEAST_QUALITY) | (np.median(seen.qualities) < LEAST_QUALITY)
            if len(seen) > 1:
                mixed[mixed > UNLIKE] = np.inf
            if len(seen) > 1 or missed[track]:
                mixed[poor & (place > FARTHEST_POOR)] = np.inf
            costs[track, doubtful] = mixed
    return assign(costs, _LIMIT)


def _centres(boxes: Doubles) -> Doubles:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _sides(boxes: Doubles) -> Doubles:
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return np.asarray(np.sqrt(size[:, 0] * size[:, 1]))
