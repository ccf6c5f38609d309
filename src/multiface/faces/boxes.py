"""Overlap of boxes and non-maximum suppression.

Boxes are (n, 4) arrays of x0, y0, x1, y1; a box covers x0..x1 and y0..y1 (no pixel is added), and one with
x1 <= x0 or y1 <= y0 is empty: it overlaps nothing.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from multiface.arrays import Indices

Boxes = npt.NDArray[np.floating]
Overlap = Literal["union", "minimum"]

_BLOCK = 128


def iou(a: Boxes, b: Boxes) -> npt.NDArray[np.floating]:
    """Intersection over union of every box of a (n, 4) with every box of b (m, 4): (n, m), 0..1."""
    return _overlaps(a, b, "union")


def nms(boxes: Boxes, scores: npt.NDArray[np.floating], threshold: float, mode: Overlap = "union") -> Indices:
    """Greedy non-maximum suppression: positions of the boxes that stay, best score first.

    The best box stays and takes away every other one that overlaps it by more than `threshold`; the same
    again with those left. Of equal scores the box that comes first counts as better.
    boxes (n, 4), scores (n,), no NaN; threshold 0..1.
    mode: "union" measures intersection over union, "minimum" intersection over the smaller box.
    """
    left = np.argsort(-scores, kind="stable")
    stay: list[Indices] = []
    while len(left):
        # One matrix a block instead of one row a box: a block's survivors take away from all that follow.
        block, left = left[:_BLOCK], left[_BLOCK:]
        alive = np.ones(len(block), np.bool_)
        inside = _overlaps(boxes[block], boxes[block], mode) > threshold
        for k in range(len(block)):
            if alive[k]:
                alive[k + 1 :] &= ~inside[k, k + 1 :]
        block = block[alive]
        left = left[~(_overlaps(boxes[block], boxes[left], mode) > threshold).any(axis=0)]
        stay.append(block)
    return np.concatenate(stay) if stay else np.zeros(0, np.intp)


def _overlaps(a: Boxes, b: Boxes, mode: Overlap) -> npt.NDArray[np.floating]:
    common = _common(a[:, 0], a[:, 2], b[:, 0], b[:, 2])
    common *= _common(a[:, 1], a[:, 3], b[:, 1], b[:, 3])
    area_a, area_b = _areas(a)[:, None], _areas(b)[None, :]
    whole = area_a + area_b - common if mode == "union" else np.minimum(area_a, area_b)
    overlaps: npt.NDArray[np.floating] = np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)
    return overlaps


def _common(start_a: Boxes, end_a: Boxes, start_b: Boxes, end_b: Boxes) -> npt.NDArray[np.floating]:
    """Length that every stretch of a (n,) has in common with every one of b (m,): (n, m)."""
    length = np.minimum(end_a[:, None], end_b)
    length -= np.maximum(start_a[:, None], start_b)
    common: npt.NDArray[np.floating] = np.maximum(length, 0, out=length)
    return common


def _areas(boxes: Boxes) -> npt.NDArray[np.floating]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas: npt.NDArray[np.floating] = sides[:, 0] * sides[:, 1]
    return areas
