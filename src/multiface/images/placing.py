"""Where the labels go, so that they hide neither one another nor faces.

Rectangles are rows x0, y0, x1, y1 in pixels. Labels are placed one after the other, in the order given; each
takes the cheapest of a fixed set of places around its face: overlap with labels already placed costs most,
then overlap with faces, then distance.
"""

from collections.abc import Sequence

import numpy as np

from multiface.arrays import Doubles

_COST_LABEL = 1000.0
_COST_FACE = 100.0
_ROWS = 6


def place_labels(
    boxes: Doubles, sizes: Sequence[tuple[int, int]], gap: float, width: int, height: int
) -> Doubles:
    """Rectangles (n, 4), one per label, inside the picture of width x height as far as they fit into it.

    boxes: (n, 4), the faces, clipped to the picture. sizes: n pairs of width and height of the labels.
    gap: space between a face's box and its label.
    """
    placed = np.zeros((len(boxes), 4))
    for index, (label_width, label_height) in enumerate(sizes):
        first = _first_place(boxes[index], label_width, label_height, gap, width, height)
        if not (_overlap(first, placed[:index]).any() or _overlap(first, boxes).any()):
            placed[index] = first[0]
            continue
        places = _places(boxes[index], label_width, label_height, gap)
        distance = np.arange(len(places)) / len(places)
        places[:, 0] = np.clip(places[:, 0], 0, max(width - label_width, 0))
        places[:, 1] = np.clip(places[:, 1], 0, max(height - label_height, 0))
        places[:, 2] = places[:, 0] + label_width
        places[:, 3] = places[:, 1] + label_height
        area = max(label_width * label_height, 1)
        over_labels = _overlap(places, placed[:index]) / area
        over_faces = _overlap(places, boxes) / area
        placed[index] = places[np.argmin(_COST_LABEL * over_labels + _COST_FACE * over_faces + distance)]
    return placed


def _first_place(
    box: Doubles, label_width: int, label_height: int, gap: float, width: int, height: int
) -> Doubles:
    """The most wanted candidate, (1, 4), above the box: where it hides nothing, no other need be tried."""
    x = min(max(float(box[0]), 0.0), max(width - label_width, 0))
    y = min(max(float(box[1]) - gap - label_height, 0.0), max(height - label_height, 0))
    return np.array([[x, y, x + label_width, y + label_height]])


def _places(box: Doubles, label_width: int, label_height: int, gap: float) -> Doubles:
    """Candidates (k, 4), the most wanted first: above, below, beside, inside, then in rows farther away."""
    x0, y0, x1, y1 = box
    middle = (x0 + x1 - label_width) / 2
    columns = (x0, middle, x1 - label_width)
    above, below = y0 - gap - label_height, y1 + gap
    corners = [(x, above) for x in columns] + [(x, below) for x in columns]
    for x in (x1 + gap, x0 - gap - label_width):
        corners += [(x, y0), (x, (y0 + y1 - label_height) / 2), (x, y1 - label_height)]
    corners += [(x0, y1 - label_height), (x0, y0)]
    aside = (x0 - gap - label_width, x1 + gap)
    for row in range(1, _ROWS + 1):
        step = row * (label_height + gap)
        corners += [(x, y) for y in (above - step, below + step) for x in (*columns, *aside)]
        corners += [(x, y) for y in (y0 - step, y1 + step - label_height) for x in aside]
        corners += [(middle + side * row * label_width / 2, y) for y in (above, below) for side in (-1, 1)]
    rectangles = np.zeros((len(corners), 4))
    rectangles[:, :2] = corners
    return rectangles


def _overlap(places: Doubles, others: Doubles) -> Doubles:
    """For each place the summed area that it shares with the others: (k,)."""
    low = np.maximum(places[:, np.newaxis, :2], others[np.newaxis, :, :2])
    high = np.minimum(places[:, np.newaxis, 2:], others[np.newaxis, :, 2:])
    shared: Doubles = np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)
    return shared
