"""Regions on one sheet: all their pixels are there, apart from each other, and faces come back to their places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.faces.face import Faces
from multiface.images.box import Box
from multiface.video.tracks.search_regions import GAP, Sheet, regions_around

WIDTH, HEIGHT = 1280, 720
box = st.tuples(st.floats(0, 1200), st.floats(0, 650), st.floats(10, 300), st.floats(10, 300)).map(
    lambda one: (one[0], one[1], one[0] + one[2], one[1] + one[3])
)


@given(st.lists(box, min_size=1, max_size=12), st.floats(20, 100))
def test_regions_lie_apart(boxes: list[Box], side: float) -> None:
    regions = regions_around(boxes, WIDTH, HEIGHT, side)
    sheet = Sheet.of(regions)
    assert sorted(region.part for region in sheet.regions) == sorted(region.part for region in regions)
    assert sheet.width <= max(640, *(region.size[0] for region in regions))
    covered = np.zeros((sheet.height + GAP, sheet.width + GAP), int)
    for region, (x, y) in zip(sheet.regions, sheet.corners, strict=True):
        columns, rows = region.size
        assert x + columns <= sheet.width and y + rows <= sheet.height
        covered[y : y + rows + GAP, x : x + columns + GAP] += 1
    assert covered.max() == 1


@given(st.lists(box, min_size=1, max_size=8), st.floats(20, 100))
def test_faces_come_back_to_where_they_are(boxes: list[Box], side: float) -> None:
    """A face in the middle of each region, to half a pixel of the sheet."""
    sheet = Sheet.of(regions_around(boxes, WIDTH, HEIGHT, side))
    on_sheet, in_picture = [], []
    for region, (x, y) in zip(sheet.regions, sheet.corners, strict=True):
        columns, rows = region.size
        on_sheet.append([x + columns / 4, y + rows / 4, x + columns * 3 / 4, y + rows * 3 / 4])
        left, top, right, bottom = region.part
        w, h = right - left, bottom - top
        in_picture.append([left + w / 4, top + h / 4, left + w * 3 / 4, top + h * 3 / 4])
    faces = np.array(on_sheet, np.float32)
    found = Faces(faces, np.ones(len(faces), np.float32), np.tile(faces[:, None, :2], (1, 5, 1)))
    for position, (region, expected) in enumerate(zip(sheet.regions, in_picture, strict=True)):
        one = sheet.faces_of(position, found, WIDTH, HEIGHT)
        if min(region.size) < 12:
            continue  # too thin for a face that is surely not cut off
        assert len(one) == 1
        np.testing.assert_allclose(one.boxes[0], expected, atol=0.01)
        np.testing.assert_allclose(one.landmarks[0, 0], expected[:2], atol=0.01)


def test_a_face_over_the_side_of_its_region_is_cut_off_unless_the_picture_ends_there() -> None:
    sheet = Sheet.of(regions_around([(0, 0, 64, 64), (400, 300, 464, 364)], WIDTH, HEIGHT, 64))
    assert [region.part for region in sheet.regions] == [(368, 268, 496, 396), (0, 0, 96, 96)]
    (x, y), (far, _) = sheet.corners
    boxes = np.array(
        [[x + 1, y + 30, x + 60, y + 90], [x + 3, y + 30, x + 60, y + 90], [far - 4, -2, far + 60, 62]],
        np.float32,
    )
    found = Faces(boxes, np.ones(3, np.float32), np.zeros((3, 5, 2), np.float32))
    assert sheet.faces_of(0, found, WIDTH, HEIGHT).boxes.tolist() == [[371, 298, 428, 358]]
    assert sheet.faces_of(1, found, WIDTH, HEIGHT).boxes.tolist() == [[-4, -2, 60, 62]]


def test_the_pixels_of_each_region() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    sheet = Sheet.of(regions_around([(100, 100, 140, 140), (600, 400, 728, 528)], WIDTH, HEIGHT, 64))
    drawn = sheet.drawn(image)
    assert drawn.shape == (sheet.height, sheet.width, 3) == (128, 128 + GAP + 80, 3)
    (x, y), (u, v) = sheet.corners
    np.testing.assert_array_equal(drawn[v : v + 80, u : u + 80], image[80:160, 80:160])
    large = image[336:592, 536:792].reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    assert np.abs(drawn[y : y + 128, x : x + 128] - large).mean() < 25, "at half the size"
    assert (drawn[:, x + 128 : u] == 127).all() and drawn[80:, u:] == pytest.approx(127)
