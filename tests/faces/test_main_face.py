"""Which of several faces is meant."""

import numpy as np
import pytest

from multiface.faces.face import Faces
from multiface.faces.main_face import central_face, clear_main_face


def faces(*boxes: tuple[float, float, float, float]) -> Faces:
    n = len(boxes)
    return Faces(
        np.array(boxes, np.float32).reshape(n, 4),
        np.linspace(0.9, 0.5, n, dtype=np.float32),
        np.zeros((n, 5, 2), np.float32),
    )


def square(x: float, y: float, side: float) -> tuple[float, float, float, float]:
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def test_one_face_is_the_main_one_and_none_is_none() -> None:
    assert clear_main_face(Faces.none()) is None
    assert clear_main_face(faces(square(50, 50, 20))) == 0


@pytest.mark.parametrize(("side", "wanted"), [(100, None), (141, None), (142, 1), (300, 1)])
def test_twice_the_area_is_clear(side: float, wanted: int | None) -> None:
    assert clear_main_face(faces(square(0, 0, 100), square(500, 0, side), square(900, 0, 60))) == wanted


def test_the_score_does_not_decide() -> None:
    assert clear_main_face(faces(square(0, 0, 30), square(99, 99, 80))) == 1
    assert central_face(faces(square(125, 125, 20), square(125, 125, 80)), 250, 250) == 1


def test_a_portrait_is_about_the_large_face_near_the_middle() -> None:
    middle, corner = square(125, 125, 80), square(30, 30, 100)
    assert central_face(faces(corner, middle), 250, 250) == 1
    assert central_face(faces(middle, corner), 250, 250) == 0
    # Area 100^2 minus 2 * 60^2 beats 50^2 in the middle, minus 2 * 70^2 does not.
    assert central_face(faces(square(125, 125, 50), square(185, 125, 100)), 250, 250) == 1
    assert central_face(faces(square(125, 125, 50), square(195, 125, 100)), 250, 250) == 0


def test_the_middle_is_that_of_the_picture() -> None:
    two = faces(square(100, 50, 60), square(300, 50, 60))
    assert central_face(two, 220, 100) == 0
    assert central_face(two, 580, 100) == 1
