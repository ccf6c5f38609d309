"""How much of a frame the detector looks at, so that it costs less where it can tell nothing new.

While everybody who was found is followed, most looks are around their faces (`nearby`); the whole picture is looked at
every `WHOLE_SECONDS`, and at once where somebody is not found again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.images.box import Box
from multiface.video.tracks.last_look import LastLook
from multiface.video.tracks.nearby import detect_nearby

WHOLE_SECONDS = 0.65
"""Seconds between two looks at the whole picture, at most: three looks of a file at 0.2 s, and a rate like 29.97.
Looks that are farther apart are all at the whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """Faces of a frame. whole: when the whole of a picture was last looked at. in_vain: looking around the known faces
    did not do, so the whole had to be looked at before its time.
    """

    faces: Faces
    whole: float
    in_vain: bool = False


def look_at_all(detector: Detector, image: Image, time: float, in_vain: bool = False) -> Looked:
    """All faces of the picture."""
    return Looked(detector.detect(image), time, in_vain)


def look_on(detector: Detector, image: Image, time: float, last: LastLook, boxes: Sequence[Box]) -> Looked:
    """The faces of a picture, given the last look at a frame before it.

    boxes: x0, y0, x1, y1 in pixels, where the faces should be that were found then; at least one if `last.followed`.
    """
    next_time = time + (time - last.time)
    if not last.followed or next_time - last.whole > WHOLE_SECONDS:
        return look_at_all(detector, image, time)
    near = detect_nearby(detector, image, boxes)
    if near is None:
        return look_at_all(detector, image, time, in_vain=True)
    return Looked(near, last.whole)
