"""Unknown faces to groups of one person each: average linkage from the most similar pair on.

Faces are compared as `identify` compares: a group is the mean of its vectors, scaled to unit length, and what it has to
reach rises with the spread of its vectors (`Calibration.rise`), on both sides. Only faces with at least one pair at or
above the threshold may meet at all. Two faces that cannot be one person never come into one group: faces of one photo,
faces of a film that were seen at the same second, and those that somebody put into different groups by hand. What
somebody put together is one group from the beginning.

The result depends on the faces alone, not on their order: ties are decided by the vectors' own bytes.
"""

import heapq
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from multiface.arrays import Floats, Ints
from multiface.decision import Calibration
from multiface.decision.calibration import REFUSED_BEYOND

_CELLS = 1 << 24
"""Cosines held at once: 64 MiB."""


@dataclass(frozen=True, slots=True, eq=False)
class Unknown:
    """Faces without a name.

    vectors: float32 (n, d), unit length. moments: for each face the moments in which it was seen; two faces with one in
    common are two people. by_hand: int64 (n,), the group that somebody put the face into; -1 for none.
    """

    vectors: Floats
    moments: Sequence[frozenset[Hashable]]
    by_hand: Ints


def grouped(unknown: Unknown, calibration: Calibration, threshold: float) -> Ints:
    """The group of each face, int64 (n,): 0, 1, ..., by the position of the first face of each.

    threshold: cosine from which on two faces may be one person, in 0..1.
    """
    order = _canonical_order(unknown.vectors)
    vectors = unknown.vectors[order]
    linkage = _Linkage(
        vectors, [unknown.moments[k] for k in order], unknown.by_hand[order], calibration, threshold
    )
    linkage.join_by_hand()
    linkage.join(*near_pairs(vectors, vectors, threshold))
    labels = np.empty(len(order), np.int64)
    labels[order] = linkage.labels()
    # Renumbered by first appearance in the order that was given.
    _, first, back = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[back]


def least_similarity(calibration: Calibration, rate: float, faces: int) -> float:
    """From where on two of so many faces may be one person: as for a stranger among so many people, at half the rate: a
    wrong pair is an error for two faces.

    Beyond the number of people that the calibration supports it rises no more. Raises UsageError, RateNotSupported.
    """
    most = int(REFUSED_BEYOND * calibration.identify[-1].people)
    return calibration.threshold_for_identify(rate / 2, min(max(2, faces), most)).similarity


def rounded_up(faces: int) -> int:
    """The next power of two: so a few faces more do not change what all others have to reach."""
    return 1 << max(0, faces - 1).bit_length()


def near_pairs(rows: Floats, columns: Floats, threshold: float) -> tuple[Ints, Ints]:
    """The positions of all pairs at or above a cosine, of a row and a column: two int64 (e,)."""
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    step = max(1, _CELLS // max(1, len(columns)))
    for at in range(0, len(rows), step):
        i, j = np.nonzero(rows[at : at + step] @ columns.T >= threshold)
        first.append(i + at)
        second.append(j)
    return np.concatenate(first), np.concatenate(second)


def _canonical_order(vectors: Floats) -> Ints:
    """Positions in an order that depends on the vectors alone."""
    return np.lexsort(vectors.T[::-1]).astype(np.int64) if len(vectors) else np.zeros(0, np.int64)


class _Linkage:
    def __init__(
        self,
        vectors: Floats,
        moments: list[frozenset[Hashable]],
        by_hand: Ints,
        calibration: Calibration,
        threshold: float,
    ) -> None:
        count = len(vectors)
        self._sums = vectors.astype(np.float64)
        self._sizes = np.ones(count, np.int64)
        self._moments = list(moments)
        self._hand = by_hand.tolist()
        self._rise = calibration.spread_rise
        self._threshold = threshold
        self._members: list[list[int]] = [[k] for k in range(count)]
        self._version = [0] * count  # -1: part of another group
        self._near: list[set[int]] = [set() for _ in range(count)]

    def join_by_hand(self) -> None:
        first: dict[int, int] = {}
        for k, group in enumerate(self._hand):
            if group >= 0 and first.setdefault(group, k) != k:
                self._merge(first[group], k)

    def join(self, rows: Ints, columns: Ints) -> None:
        owner = self.labels()
        for a, b in zip(owner[rows].tolist(), owner[columns].tolist(), strict=True):
            if a < b:
                self._near[a].add(b)
                self._near[b].add(a)
        heap: list[tuple[float, int, int, int, int]] = []
        for a, others in enumerate(self._near):
            self._push(heap, a, [b for b in others if a < b])
        while heap:
            _, a, b, version, other = heapq.heappop(heap)
            if version != self._version[a] or other != self._version[b]:
                continue
            self._merge(a, b)
            self._push(heap, a, list(self._near[a]))

    def labels(self) -> Ints:
        """For each face the first of its group."""
        found = np.empty(len(self._members), np.int64)
        for first, members in enumerate(self._members):
            found[members] = first
        return found

    def _merge(self, a: int, b: int) -> None:
        self._sums[a] += self._sums[b]
        self._sizes[a] += self._sizes[b]
        self._moments[a] |= self._moments[b]
        self._hand[a] = max(self._hand[a], self._hand[b])
        self._members[a] += self._members[b]
        self._members[b] = []
        self._version[a] += 1
        self._version[b] = -1
        for c in self._near[b]:
            self._near[c].discard(b)
            if c != a:
                self._near[c].add(a)
                self._near[a].add(c)
        self._near[b] = set()

    def _push(self, heap: list[tuple[float, int, int, int, int]], a: int, others: list[int]) -> None:
        """Put those groups on the heap that `a` may be joined with."""
        if not others:
            return
        others = [b for b in others if self._may_meet(a, b)]
        lengths = np.linalg.norm(self._sums[[a, *others]], axis=1)
        cosines = self._sums[others] @ self._sums[a] / np.maximum(lengths[0] * lengths[1:], 1e-12)
        spreads = 1.0 - lengths / self._sizes[[a, *others]]
        wanted = self._threshold + self._rise * (spreads[0] + spreads[1:])
        for b, excess in zip(others, (cosines - wanted).tolist(), strict=True):
            if excess >= 0.0:
                first, second = min(a, b), max(a, b)
                heapq.heappush(heap, (-excess, first, second, self._version[first], self._version[second]))

    def _may_meet(self, a: int, b: int) -> bool:
        hands = self._hand[a], self._hand[b]
        return (min(hands) < 0 or hands[0] == hands[1]) and not (self._moments[a] & self._moments[b])
