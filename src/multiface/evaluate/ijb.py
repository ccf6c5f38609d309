"""IJB-B and IJB-C: faces to templates, templates to 1:1 and 1:N figures.

A template's vector: the mean of the unit embeddings of each medium's faces, the sum of these over its media, brought to
unit length. (The published scripts also weigh faces by the detector's score and the feature's norm; here all weigh
alike.)

1:N: each gallery holds one template a person; a probe is searched in it. A probe whose person is in the other gallery
alone is a stranger. TPIR at FPIR (DIR at FPIR): share of the mated probes whose person comes first and reaches the
threshold at which that share of the strangers finds anybody. Intervals resample people.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from multiface.arrays import Floats, Ints
from multiface.datasets.ijb import IjbFolder, Templates
from multiface.errors import DataSetError, FaceError, PictureError
from multiface.evaluate.measure import middle_landmarks
from multiface.evaluate.protocol import FOLDS, PairSet
from multiface.faces.align import align
from multiface.faces.embedder import Embedder
from multiface.faces.face import Image
from multiface.images import load_picture
from multiface.metrics.curves import threshold_at_far
from multiface.metrics.folds import fold_index
from multiface.metrics.intervals import Interval, rate_interval
from multiface.metrics.open_set import OpenSetScores, cmc, open_set_scores
from multiface.progress import Progress

RANKS = (1, 5, 10)
FPIRS = (0.1, 0.01)
EXPECTED = 10.0
"""Fewer strangers than these expected to find anybody, and an FPIR counts as not supported."""
_BATCH = 64


@dataclass(frozen=True, slots=True)
class RateAtFpir:
    """tpir: share of the mated probes that are found first and above the threshold, 0..1. supported: whether ten
    strangers or more are expected to find somebody.
    """

    fpir: float
    threshold: float
    tpir: float
    interval: Interval
    supported: bool


@dataclass(frozen=True, slots=True)
class Identification:
    """1:N in one gallery. ranks: (r, share of the mated probes whose person is among the first r)."""

    gallery: str
    people: int
    mated: int
    strangers: int
    ranks: tuple[tuple[int, float], ...]
    rank1_interval: Interval
    tpir_at_fpir: tuple[RateAtFpir, ...]


def embed_faces(
    folder: IjbFolder, embedder: Embedder, flip: bool, workers: int, progress: Progress = lambda *_: None
) -> Floats:
    """Unit embeddings of all faces, float32 (n, d), aligned on the folder's own landmarks.

    Raises PictureError for a picture that cannot be read.
    """
    spec = embedder.spec
    found = np.empty((len(folder.paths), spec.dimension), np.float32)

    def crop(number: int) -> Image:
        picture = load_picture(folder.paths[number])
        size = (spec.width, spec.height)
        try:
            pixels: Image = align(picture, folder.landmarks[number : number + 1], spec.template, size)[0]
        except FaceError:  # five points that are no face: the middle, so that no pair is left out
            pixels = align(picture, middle_landmarks(picture, spec.template, size), spec.template, size)[0]
        return pixels

    def embed(start: int) -> int:
        stop = min(start + _BATCH, len(folder.paths))
        found[start:stop] = embedder.embed(np.stack([crop(number) for number in range(start, stop)]), flip)
        return stop - start

    done = 0
    with ThreadPoolExecutor(workers) as pool:
        try:
            for count in pool.map(embed, range(0, len(folder.paths), _BATCH)):
                done += count
                progress(done, len(folder.paths))
        except PictureError:
            pool.shutdown(cancel_futures=True)
            raise
    return found


def pool_templates(embeddings: Floats, template: Ints, media: Ints) -> tuple[Ints, Floats]:
    """The templates, int64 (t,) ascending, and their unit vectors, float32 (t, d) (the head of this file).

    embeddings: (n, d), unit. template, media: (n,). A template whose vectors cancel to nothing keeps zeros.
    """
    groups, group = np.unique(np.stack([template, media]), axis=1, return_inverse=True)
    group = group.ravel()
    means = np.zeros((groups.shape[1], embeddings.shape[1]))
    np.add.at(means, group, embeddings)
    means /= np.bincount(group)[:, None]
    names, of = np.unique(groups[0], return_inverse=True)
    sums = np.zeros((len(names), embeddings.shape[1]))
    np.add.at(sums, of.ravel(), means)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    vectors: Floats = (sums / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return names, vectors


def template_pairs(folder: IjbFolder, names: Ints) -> PairSet:
    """The 1:1 pairs over the rows of `names`, with the people of templates where the 1:N lists say them all."""
    left, right = np.searchsorted(names, folder.left), np.searchsorted(names, folder.right)
    fold = np.empty(len(folder.issame), np.int64)
    for kind in (folder.issame, ~folder.issame):
        if int(kind.sum()) < FOLDS:
            raise DataSetError(
                f"{folder.name}: wanted {FOLDS} pairs of each kind or more, found {int(kind.sum())}",
                name=folder.name,
            )
        fold[kind] = fold_index(int(kind.sum()), FOLDS)
    lists = [one for _, one in folder.galleries] + ([] if folder.probes is None else [folder.probes])
    subjects = np.full(len(names), -1, np.int64)
    for one in lists:
        subjects[np.searchsorted(names, one.template)] = one.subject
    sides = (subjects[left], subjects[right])
    if (sides[0] < 0).any() or (sides[1] < 0).any():
        return PairSet(f"{folder.name} 1:1", left, right, folder.issame, fold, None, None)
    wrong = int(((sides[0] == sides[1]) != folder.issame).sum())
    if wrong:
        raise DataSetError(
            f"{folder.name}: the 1:N lists contradict {wrong} of the 1:1 pairs about who is who",
            name=folder.name,
        )
    return PairSet(f"{folder.name} 1:1", left, right, folder.issame, fold, *sides)


def identify_in(folder: IjbFolder, names: Ints, vectors: Floats) -> tuple[Identification, ...]:
    """1:N in each gallery; none where the folder has no such lists."""
    if folder.probes is None:
        return ()
    return tuple(
        _in_gallery(name, gallery, folder.probes, names, vectors) for name, gallery in folder.galleries
    )


def _in_gallery(
    name: str, gallery: Templates, probes: Templates, names: Ints, vectors: Floats
) -> Identification:
    def rows(one: Templates) -> Floats:
        return vectors[np.searchsorted(names, one.template)]

    scores = open_set_scores(rows(probes) @ rows(gallery).T, probes.subject, gallery.subject)
    mated = scores.mated
    if not mated.any():
        raise DataSetError(f"gallery {name}: no probe is of anybody in it", name=name)
    people = probes.subject[mated]
    first = scores.rank[mated] == 1
    shares = cmc(scores, max(RANKS))
    strangers = int((~mated).sum())
    return Identification(
        gallery=name,
        people=len(np.unique(gallery.subject)),
        mated=int(mated.sum()),
        strangers=strangers,
        ranks=tuple((rank, float(shares[rank - 1])) for rank in RANKS),
        rank1_interval=rate_interval(first, people, people),
        tpir_at_fpir=tuple(_at_fpir(scores, people, fpir) for fpir in FPIRS) if strangers else (),
    )


def _at_fpir(scores: OpenSetScores, people: Ints, fpir: float) -> RateAtFpir:
    others = scores.other[~scores.mated]
    threshold = threshold_at_far(others, fpir)
    found = (scores.rank[scores.mated] == 1) & (scores.mate[scores.mated] >= threshold)
    supported = fpir * len(others) >= EXPECTED
    return RateAtFpir(fpir, threshold, float(found.mean()), rate_interval(found, people, people), supported)
