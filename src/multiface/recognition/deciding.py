"""Probes to decisions against a gallery: the one place where faces are scored and decided."""

from collections.abc import Sequence

import numpy as np

from multiface.arrays import Floats
from multiface.decision import Decision, PictureFault, decide
from multiface.errors import UsageError
from multiface.gallery import Matrix, Rule, exact_similarities, nearest_people, score_people
from multiface.recognition.gallery_threshold import GalleryThreshold

RULE: Rule = "mean"
"""How a person with several templates is scored; docs/person-scoring.md has the measurement behind it."""


def decide_probes(
    probes: Floats,
    matrix: Matrix,
    threshold: GalleryThreshold | None,
    *,
    rise: Floats | None = None,
    faults: Sequence[PictureFault | None] = (),
) -> list[Decision]:
    """Decisions for probes of which no two can be the same person, as the faces of one picture.

    probes: float32 (n, d), unit length. threshold: None only with nobody enrolled. rise: float32 (n,), what the
    thresholds of each probe are higher; None for nothing. faults: what is wrong with each probe's picture, one a
    probe or none at all.

    Raises UsageError, RateNotSupported.
    """
    if not len(matrix):
        return decide(np.zeros((len(probes), 0), np.float32), (), None, 0.0, faults=faults)
    if threshold is None:
        raise UsageError("names need a calibration: without one no error rate can be stated")
    calibration, asked = threshold.calibration, threshold.of(matrix)
    # A person is a face's name, candidate or rival only from the threshold on, or among one more than there are faces:
    # all other faces can have only so many of those who are more similar.
    at = nearest_people(probes, matrix, len(probes) + 1, np.inf if asked is None else asked.similarity)
    everybody = len(at) == len(matrix)
    people = calibration.rise(matrix.spread[at])
    return decide(
        score_people(probes, matrix, RULE) if everybody else exact_similarities(probes, matrix, at),
        [matrix.names[k] for k in at],
        asked,
        calibration.margin,
        people if rise is None else rise[:, None] + people[None],
        faults,
        [matrix.ids[k] for k in at],
    )
