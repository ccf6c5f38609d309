"""Parts of a picture around the faces that are expected."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from multiface.images.box import Box
from multiface.video.tracks.search_regions import regions_around


def test_faces_that_share_a_region_are_looked_for_at_the_size_of_the_smaller() -> None:
    (region,) = regions_around([(100, 100, 228, 228), (230, 100, 262, 132)], 640, 480, 64)
    assert region.part == (36, 36, 292, 292) and region.scale == 1.0 and len(region.boxes) == 2


box = st.tuples(st.floats(-100, 700), st.floats(-100, 500), st.floats(1, 200), st.floats(1, 200)).map(
    lambda one: (one[0], one[1], one[0] + one[2], one[1] + one[3])
)


@given(st.lists(box, min_size=1, max_size=6))
def test_regions_hold_their_boxes_and_lie_apart(boxes: list[Box]) -> None:
    regions = regions_around(boxes, 640, 480, 64)
    covered = np.zeros((480, 640), int)
    for region in regions:
        left, top, right, bottom = region.part
        assert 0 < region.scale <= 1 and 0 <= left < right <= 640 and 0 <= top < bottom <= 480
        covered[top:bottom, left:right] += 1
    assert covered.max(initial=0) <= 1
    for x0, y0, x1, y1 in boxes:
        inside = covered[max(round(y0), 0) : max(round(y1), 0), max(round(x0), 0) : max(round(x1), 0)]
        assert inside.all()
