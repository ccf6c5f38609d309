"""The demonstration, and results drawn on pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiface.decision import Candidate, Decision, Reason, Threshold
from multiface.errors import FaceError, UsageError
from multiface.images import Image, load_picture
from multiface.recognition import (
    Identification,
    IdentifiedFace,
    Recognizer,
    RecognizerSettings,
    annotated,
    run_demo,
)
from multiface.recognition.demo import NAME, PORTRAIT, changed_copy


def test_the_copy_is_another_picture(recognizer: Recognizer) -> None:
    original = load_picture(PORTRAIT)
    changed = changed_copy(original)
    assert original.shape == (512, 512, 3) and changed.shape == (400, 400, 3)
    assert changed.dtype == np.uint8
    assert changed.mean() < 0.9 * original.mean()
    assert np.array_equal(changed, changed_copy(original))
    x0, _, x1, _ = recognizer.detect(original).faces.boxes[0] / 512
    left, _, right, _ = recognizer.detect(changed).faces.boxes[0] / 400
    assert abs((left + right) / 2 - (1 - (x0 + x1) / 2)) < 0.1


def test_demo(recognizer: Recognizer, tmp_path: Path) -> None:
    done = run_demo(recognizer, tmp_path / "demo.png")
    assert done.name == NAME and [face.name for face in done.result.faces] == [NAME]
    drawn = load_picture(done.picture)
    plain = changed_copy(load_picture(PORTRAIT))
    changed = (drawn != plain).any(axis=2)
    assert 0.002 < changed.mean() < 0.3
    assert recognizer.gallery is None
    with recognizer.temporary_gallery(), pytest.raises(UsageError, match="without people"):
        run_demo(recognizer, tmp_path / "x.png")


def test_demo_says_when_it_did_not_work(places: dict[str, Any], tmp_path: Path) -> None:
    """A detector that looks only for faces larger than the picture finds none to enrol."""
    with (
        Recognizer(
            detector="yunet_onet",
            weights="sface",
            settings=RecognizerSettings(min_face=900, **places),
        ) as blind,
        pytest.raises(FaceError, match="did not recognise"),
    ):
        run_demo(blind, tmp_path / "demo.png")
    assert not (tmp_path / "demo.png").exists()


def test_annotated_shows_who_and_who_not() -> None:
    """Each kind of decision is drawn, each differently, and only near its face."""
    grey = np.full((400, 400, 3), 120, np.uint8)
    ann, bob = Candidate("Ann", 0.7), Candidate("Bob", 0.69)
    wanted = Threshold(0.8, 0.01, 2, None, False, "a set")

    def drawn(decision: Decision) -> Image:
        face = IdentifiedFace((150.0, 150.0, 250.0, 250.0), 0.9, np.zeros((5, 2), np.float32), decision)
        return annotated(grey, Identification(400, 400, 0, False, (face,)))

    known = drawn(Decision("Ann", Reason.KNOWN, ann, bob, None))
    unknown = drawn(Decision(None, Reason.BELOW_THRESHOLD, ann, bob, wanted))
    torn = drawn(Decision(None, Reason.RUNNER_UP_TOO_NEAR, ann, bob, None))
    nobody = drawn(Decision(None, Reason.NOBODY_ENROLLED, None, None, None))
    pictures = [known, unknown, torn, nobody]
    for k, one in enumerate(pictures):
        assert (one != grey).any()
        assert (one[:90] == 120).all() and (one[310:] == 120).all()
        assert all((one != other).any() for other in pictures[k + 1 :])
    assert (grey == 120).all()
