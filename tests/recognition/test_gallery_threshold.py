"""The threshold of `identify` in one gallery."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiface.decision.own_rate import own_rate
from multiface.gallery import Matrix
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.recognition.gallery_threshold import GalleryThreshold
from tests.drawn_faces import save_people


def matrix_of(people: int, alike: float) -> Matrix:
    """One picture a person; `alike`: the weight of a direction that all share."""
    rng = np.random.default_rng(7)
    vectors = (1 - alike) * rng.normal(size=(people, 512)) / 512**0.5
    vectors[:, 0] += alike
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Matrix(vectors.astype(np.float32), np.arange(people), tuple(str(k) for k in range(people)))


def test_identify_decides_by_the_gallery_s_own_threshold(
    places: dict[str, Any], tmp_path: Path, group: Path
) -> None:
    save_people(tmp_path / "people", {"ada": 2, "bob": 1, "cleo": 2, "dora": 2})
    with Recognizer(
        detector="yunet_onet",
        weights="sface",
        people=tmp_path / "people",
        settings=RecognizerSettings(**places),
    ) as opened:
        assert opened.gallery is not None
        matrix = opened.gallery.matrix()
        faces = opened.identify(group).faces
        own = own_rate(
            matrix.vectors, matrix.person_index, matrix.centres, matrix.spread, opened.calibration, 0.01
        )
        rises = dict(zip(matrix.names, opened.calibration.rise(matrix.spread).tolist(), strict=True))
    assert {face.name for face in faces} == {"ada", "bob"}
    for face in faces:
        threshold = face.decision.threshold
        assert threshold is not None and threshold.calibrated is not None and face.name is not None
        assert threshold.similarity == pytest.approx(own.similarity + rises[face.name], abs=1e-6)
        assert threshold.calibrated == pytest.approx(own.calibrated + rises[face.name], abs=1e-6)


def test_people_who_resemble_each_other_need_more(recognizer: Recognizer) -> None:
    thresholds = GalleryThreshold(recognizer.calibration, 0.01)
    alike = thresholds.of(matrix_of(20, 0.5))
    others = thresholds.of(matrix_of(20, 0.0))
    assert alike is not None and others is not None
    assert alike.at_large == others.at_large == others.similarity < alike.similarity - 0.1


def test_a_gallery_is_judged_again_only_when_it_changed(recognizer: Recognizer) -> None:
    thresholds = GalleryThreshold(recognizer.calibration, 0.01)
    first, second = matrix_of(20, 0.5), matrix_of(20, 0.0)
    found = thresholds.of(first)
    assert thresholds.of(first) is found
    assert thresholds.of(second) != found
    assert thresholds.of(first) == found


def test_few_people(recognizer: Recognizer) -> None:
    thresholds = GalleryThreshold(recognizer.calibration, 0.01)
    assert thresholds.of(matrix_of(0, 0.0)) is None
    two = thresholds.of(matrix_of(2, 0.9))
    assert two == recognizer.calibration.threshold_for_identify(0.01, 2) and two.calibrated is None
