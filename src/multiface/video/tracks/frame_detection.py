"""The detection of one frame: of the full frame, or only around the known faces (`local_search`).

While all known faces are tracked, most detections are local. The full frame is searched every `FULL_SECONDS`, and at
once where a local search misses a face.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.images.box import Box
from multiface.video.tracks.last_detection import LastDetection
from multiface.video.tracks.local_search import detect_locally

FULL_SECONDS = 0.65
"""Longest time between two full-frame detections, in seconds: three detections of a file at 0.2 s, and a rate like
29.97. Detections that are farther apart are all of the full frame."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameDetection:
    """Faces of a frame.

    full: time of the last full-frame detection, in seconds. local_failed: the local search missed a face, forcing an
    early full-frame detection.
    """

    faces: Faces
    full: float
    local_failed: bool = False


def detect_full(detector: Detector, image: Image, time: float, local_failed: bool = False) -> FrameDetection:
    """All faces of the full frame."""
    return FrameDetection(detector.detect(image), time, local_failed)


def detect_next(
    detector: Detector, image: Image, time: float, last: LastDetection, boxes: Sequence[Box]
) -> FrameDetection:
    """The faces of a frame, given the last detection in an earlier one.

    boxes: x0, y0, x1, y1 in pixels, the expected positions of the faces found then; at least one if `last.followed`.
    """
    next_time = time + (time - last.time)
    if not last.followed or next_time - last.full > FULL_SECONDS:
        return detect_full(detector, image, time)
    near = detect_locally(detector, image, boxes)
    if near is None:
        return detect_full(detector, image, time, local_failed=True)
    return FrameDetection(near, last.full)
