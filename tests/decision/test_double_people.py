"""People under two names against a literal slow rule."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.decision import double_people as module
from multiface.decision.double_people import double_people
from multiface.gallery.matrix import Matrix
from tests.decision.test_calibration import CALIBRATION


def matrix_of(vectors: npt.NDArray[np.float64], sizes: list[int]) -> Matrix:
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return Matrix(unit, np.repeat(np.arange(len(sizes)), sizes), tuple(f"p{k}" for k in range(len(sizes))))


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    block=st.sampled_from([1, 7, 1 << 22]),
)
def test_the_same_as_the_rule_in_words(seed: int, sizes: list[int], block: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = matrix_of(rng.normal(size=(sum(sizes), 4)), sizes)
    old, module._BLOCK = module._BLOCK, block
    try:
        asked, found = double_people(
            matrix.vectors, matrix.person_index, matrix.centres, matrix.spread, CALIBRATION, 0.02
        )
    finally:
        module._BLOCK = old
    people = len(sizes)
    assert asked == CALIBRATION.threshold_for_identify(0.02, max(1, people - 1)).similarity
    wanted = asked + CALIBRATION.rise(matrix.spread).astype(float)
    shares: dict[frozenset[int], float] = {}
    for a in range(people):
        for b in range(people):
            own = matrix.vectors[matrix.person_index == a]
            share = float(np.mean([float(row @ matrix.centres[b]) >= wanted[b] for row in own]))
            if a != b and share >= 0.5:
                pair = frozenset((a, b))
                shares[pair] = max(share, shares.get(pair, 0.0))
    assert {frozenset((one.person, one.other)): one.recognised / one.pictures for one in found} == shares
    kept = [one.recognised / one.pictures for one in found]
    assert kept == sorted(kept, reverse=True)
    for one in found:
        own = matrix.vectors[matrix.person_index == one.person]
        assert abs(one.similarity - float((own @ matrix.centres[one.other]).max())) < 1e-6
