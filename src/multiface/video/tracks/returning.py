"""Which new tracks are lost ones that came back, by their pooled vectors.

A new track takes up a lost one whose last sight lies before its own first, when their similarity reaches the threshold
of `SimilarityLimits.same` for so many candidates, raised by both spreads, and no other candidate that is proven to be
another person (its appearance overlaps the best one's) is within the margin of it. Of several pairs the one that
exceeds its threshold most goes first; each track is used once. Tracks without a view of `LEAST_QUALITY` do not return.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.video.tracks.live_track import LiveTrack
from multiface.video.tracks.pooling import pooled
from multiface.video.tracks.quality import LEAST_QUALITY
from multiface.video.tracks.similarity_limits import SimilarityLimits


@dataclass(frozen=True, slots=True)
class Returns:
    """pairs: position of the new track and of the lost one. perhaps: positions of new tracks that may be a lost one.

    The latter may turn out when more views are known.
    """

    pairs: tuple[tuple[int, int], ...]
    perhaps: frozenset[int]


def returns(new: Sequence[LiveTrack], lost: Sequence[LiveTrack], limits: SimilarityLimits) -> Returns:
    """All tracks have a view or more."""
    claims: list[tuple[float, int, int]] = []
    perhaps: set[int] = set()
    if not new or not lost or not limits.known:
        return Returns((), frozenset())
    known = [pooled(track.views) for track in lost]
    clear = [_clear(track) for track in lost]
    vectors = np.stack([vector for vector, _ in known])
    for position, track in enumerate(new):
        vector, spread = pooled(track.views)
        candidates = [k for k, one in enumerate(lost) if clear[k] and one.last_seen < track.first_seen]
        if not candidates or not _clear(track):
            continue
        similarities = dict(zip(candidates, (vectors[candidates] @ vector).tolist(), strict=True))
        rises = {k: limits.rise(spread) + limits.rise(known[k][1]) for k in candidates}
        same, maybe = limits.same(len(candidates)), limits.perhaps(len(candidates))
        for k in candidates:
            rivals = [
                similarities[other] for other in candidates if other != k and _overlap(lost[k], lost[other])
            ]
            excess = similarities[k] - same - rises[k]
            if excess >= 0 and similarities[k] > max(rivals, default=-2.0) + limits.margin:
                claims.append((excess, position, k))
            elif similarities[k] >= maybe + rises[k]:
                perhaps.add(position)
    pairs: list[tuple[int, int]] = []
    for _, position, k in sorted(claims, key=lambda claim: (-claim[0], claim[1], claim[2])):
        if all(position != one and k != other for one, other in pairs):
            pairs.append((position, k))
    taken = {position for position, _ in pairs}
    return Returns(tuple(pairs), frozenset(perhaps - taken))


def _clear(track: LiveTrack) -> bool:
    return float(track.views.qualities.max()) >= LEAST_QUALITY


def _overlap(a: LiveTrack, b: LiveTrack) -> bool:
    """Whether both were there at one time."""
    return a.first_seen <= b.last_seen and b.first_seen <= a.last_seen
