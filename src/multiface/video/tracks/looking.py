"""How much of a frame the detector looks at, so that it costs less where it can tell nothing new.

While everybody who was found is followed, most looks are around their faces (`nearby`). The whole picture is looked at
every `WHOLE_SECONDS`; in large pictures every second time only for faces of `COARSE` times the smallest size: smaller
ones cost most of the time, and who is so far away is hard to tell from others. Where somebody is not found again, the
frame is looked at thoroughly at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.video.results import Box
from multiface.video.tracks.last_look import LastLook
from multiface.video.tracks.nearby import all_found, detect_nearby

WHOLE_SECONDS = 0.65
"""Seconds between two looks at the whole picture, at most: three looks of a file at 0.2 s, and a rate like 29.97."""
THOROUGH_SECONDS = 2 * WHOLE_SECONDS
"""Seconds between two looks at the whole picture for faces of every size, at most."""
COARSE = 2.0
FAR_AWAY = 1 / 15
"""Share of the picture's shorter side that the smallest face of a coarse look must not be above."""
SURELY_FOUND = 1.5
"""Times the smallest size that is looked for, that all known faces must have."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Faces of a frame. whole, thorough: when the whole of a picture was last looked at, and for faces of every size.
    in_vain: somebody was not found where he was looked for first.
    """

    faces: Faces
    whole: float
    thorough: float
    in_vain: bool = False


def look_thoroughly(detector: Detector, image: Image, time: float, in_vain: bool = False) -> Found:
    """All faces of the picture."""
    return Found(detector.detect(image), time, time, in_vain)


def look_on(detector: Detector, image: Image, time: float, last: LastLook, boxes: Sequence[Box]) -> Found:
    """The faces of a picture, given the last look at a frame before it.

    boxes: x0, y0, x1, y1 in pixels, where the faces should be that were found then; at least one if `last.followed`.
    """
    if not last.followed:
        return look_thoroughly(detector, image, time)
    next_time = time + (time - last.time)
    if next_time - last.whole <= WHOLE_SECONDS:
        near = detect_nearby(detector, image, boxes)
        if near is not None:
            return Found(near, last.whole, last.thorough)
        return look_thoroughly(detector, image, time, in_vain=True)
    coarse = COARSE * detector.min_face
    far = coarse <= FAR_AWAY * min(image.shape[:2])
    large = min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes) >= SURELY_FOUND * coarse
    if next_time - last.thorough <= THOROUGH_SECONDS and far and large:
        whole = detector.detect(image, coarse)
        if all_found(boxes, whole):
            return Found(whole, time, last.thorough)
        return look_thoroughly(detector, image, time, in_vain=True)
    return look_thoroughly(detector, image, time)
