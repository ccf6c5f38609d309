"""Decisions in a large gallery are those that scoring everybody gives; its threshold is kept while little changes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from multiface.decision import Decision, decide
from multiface.gallery import Matrix, score_people
from multiface.gallery.nearest import FEW
from multiface.recognition import Recognizer, gallery_threshold
from multiface.recognition.deciding import decide_probes
from multiface.recognition.gallery_threshold import GalleryThreshold

Floats = npt.NDArray[np.float32]


def unit(values: npt.NDArray[np.float64]) -> Floats:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def crowd() -> Matrix:
    """Two templates a person; people in families, and two people of each name."""
    rng = np.random.default_rng(3)
    people = 2 * FEW
    families = rng.standard_normal((people // 4, 512))
    faces = families[rng.integers(0, len(families), people)] + 0.7 * rng.standard_normal((people, 512))
    templates = np.repeat(faces, 2, axis=0)
    templates += rng.uniform(0, 0.6, (2 * people, 1)) * rng.standard_normal((2 * people, 512))
    names = tuple(f"n{k // 2}" for k in range(people))
    return Matrix(
        unit(templates), np.repeat(np.arange(people), 2), names, tuple(f"p{k}" for k in range(people))
    )


def among_everybody(
    probes: Floats, matrix: Matrix, threshold: GalleryThreshold, rise: Floats | None
) -> Sequence[Decision]:
    own = threshold.calibration.rise(matrix.spread)
    asked = threshold.of(matrix)
    return decide(
        score_people(probes, matrix, "mean"),
        matrix.names,
        asked,
        threshold.calibration.margin,
        own if rise is None else rise[:, None] + own[None],
        (),
        matrix.ids,
    )


@pytest.mark.parametrize("risen", [False, True])
def test_the_same_decisions_as_among_everybody(recognizer: Recognizer, crowd: Matrix, risen: bool) -> None:
    """Pictures of up to 12 faces: members, their relatives (near the threshold, rivals), strangers."""
    threshold = GalleryThreshold(recognizer.calibration, 0.01)
    rng = np.random.default_rng(4)
    alike = crowd.centres[:30] @ crowd.centres.T
    alike[np.arange(30), np.arange(30)] = -1
    relatives = alike.argmax(axis=1)
    reasons = set()
    for _ in range(60):
        faces = int(rng.integers(1, 13))
        who = rng.integers(0, 30, faces)  # few people, so that several faces claim one
        start = crowd.centres[who]
        if rng.random() < 0.4:  # between them and their nearest relatives
            start = unit(start + 0.98 * crowd.centres[relatives[who]])
        probes = unit(start + rng.uniform(0, 0.09, (faces, 1)) * rng.standard_normal((faces, 512)))
        rise = rng.uniform(0, 0.05, faces).astype(np.float32) if risen else None
        mine = decide_probes(probes, crowd, threshold, rise=rise)
        for one, wanted in zip(mine, among_everybody(probes, crowd, threshold, rise), strict=True):
            assert (one.person, one.reason) == (wanted.person, wanted.reason)
            assert one.best is not None and wanted.best is not None and one.best.person == wanted.best.person
            assert one.runner_up is not None and wanted.runner_up is not None
            assert one.runner_up.person == wanted.runner_up.person
            assert one.best.similarity == pytest.approx(wanted.best.similarity, abs=2e-6)
            assert one.threshold is not None and wanted.threshold is not None
            assert one.threshold.similarity == pytest.approx(wanted.threshold.similarity, abs=1e-6)
            reasons.add(one.reason)
    assert len(reasons) >= (3 if risen else 4)


def test_a_large_gallery_is_judged_again_when_one_in_a_hundred_has_changed(
    recognizer: Recognizer, crowd: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = gallery_threshold.own_rate

    def counted(*arguments: object) -> object:
        asked.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gallery_threshold, "own_rate", counted)
    monkeypatch.setattr(gallery_threshold, "LARGE", 8_000)
    threshold = GalleryThreshold(recognizer.calibration, 0.01)
    first = threshold.of(crowd)
    assert threshold.of(Matrix.of_groups(crowd.groups, crowd, 81)) == first
    assert len(asked) == 1
    threshold.of(Matrix.of_groups(crowd.groups, crowd, 82))
    assert len(asked) == 2
    threshold.of(Matrix.of_groups(crowd.groups))
    assert len(asked) == 3, "read anew, so it is not known how much changed"
    monkeypatch.setattr(gallery_threshold, "LARGE", 10_000)
    threshold.of(Matrix.of_groups(crowd.groups, crowd, 83))
    assert len(asked) == 4, "not large"
