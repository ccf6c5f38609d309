"""Whether a gallery recognises its own people: each picture is left out in turn and decided like a new one.

Pictures that were enrolled together are often of one day, and more alike than those of later: what is seen here is the
better side. The threshold is that of the whole gallery, as `identify` has it.
"""

from dataclasses import dataclass

import numpy as np

from multiface.decision import Calibration, decide
from multiface.gallery import Matrix
from multiface.metrics.intervals import Interval, wilson
from multiface.progress import Progress
from multiface.recognition.gallery_threshold import GalleryThreshold

MOST_PICTURES = 20_000
"""Left out; of more, evenly many of all people."""
_RIVALS = 8
"""Other people, the most similar ones, among whom a picture is decided; the rest cannot be named before them."""
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Mistaken:
    """A picture that was given another person's name. template, person, other: positions in the matrix."""

    template: int
    person: int
    other: int
    similarity: float


@dataclass(frozen=True, slots=True)
class OwnPeople:
    """people: with two pictures or more. pictures: that were left out. recognised, unknown: how many of them; the rest
    are `mistaken`. missed: 95 % interval of the share that was not recognised, as if each person were one trial, since
    pictures of one person are missed together.
    """

    people: int
    pictures: int
    recognised: int
    unknown: int
    mistaken: tuple[Mistaken, ...]
    missed: Interval | None


def leave_one_out(
    matrix: Matrix, calibration: Calibration, rate: float, progress: Progress | None = None
) -> OwnPeople:
    """Decide each picture of those who have two or more. rate: as for `identify`. Raises RateNotSupported."""
    asked = GalleryThreshold(calibration, rate).of(matrix)
    counts = np.bincount(matrix.person_index, minlength=len(matrix))
    left_out = np.flatnonzero(counts[matrix.person_index] >= 2)
    if len(left_out) > MOST_PICTURES:
        left_out = left_out[np.linspace(0, len(left_out) - 1, MOST_PICTURES).astype(np.intp)]
    people = len(np.unique(matrix.person_index[left_out]))
    if asked is None or not len(left_out):
        return OwnPeople(people, 0, 0, 0, (), None)
    sums = np.add.reduceat(matrix.vectors, matrix.first, axis=0).astype(np.float64)
    rises = calibration.rise(matrix.spread)
    recognised = unknown = 0
    mistaken = list[Mistaken]()
    for begin in range(0, len(left_out), _BATCH):
        if progress is not None:
            progress(begin, len(left_out))
        for template in left_out[begin : begin + _BATCH]:
            probe, own = matrix.vectors[template], int(matrix.person_index[template])
            rest = sums[own] - probe
            length = float(np.linalg.norm(rest))
            similar = matrix.centres @ probe
            similar[own] = 0.0 if length == 0.0 else float(rest @ probe) / length
            spread = np.array([1.0 - length / (counts[own] - 1)], np.float32).clip(0.0, 1.0)
            above = similar - rises
            above[own] = -np.inf
            near = np.argsort(-above, kind="stable")[: min(_RIVALS, len(matrix) - 1)]
            at = np.concatenate([[own], near])
            rise = rises[at].copy()
            rise[0] = calibration.rise(spread)[0]
            names = [str(k) for k in at]
            (decision,) = decide(
                similar[at][np.newaxis].astype(np.float32),
                names,
                asked,
                calibration.margin,
                rise.astype(np.float32),
            )
            if decision.name is None:
                unknown += 1
            elif decision.name == str(own):
                recognised += 1
            else:
                other = int(decision.name)
                mistaken.append(Mistaken(int(template), own, other, float(similar[other])))
    if progress is not None:
        progress(len(left_out), len(left_out))
    share = (len(left_out) - recognised) / len(left_out)
    missed = wilson(share * people, people)
    return OwnPeople(people, len(left_out), recognised, unknown, tuple(mistaken), missed)
