"""The best picture of each track: the face with some of what is around it, as it was when the quality was highest."""

import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from multiface.faces.face import Image
from multiface.images.box import Box
from multiface.video.results import BestView
from multiface.video.tracks.track import StepResult

AROUND = 0.35
"""Added on each side of the box, as a share of its longer side."""
LONGEST_SIDE = 192
"""Pixels of a crop; larger ones are made smaller."""
MOST_TRACKS = 500
"""Kept at most; the ones that appeared first go first."""
BETTER = 1.05
"""A view replaces another when its quality is this much higher."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredView:
    """A best view in a form to be kept in a file: the crop as PNG, quality and time as in `BestView`."""

    png: bytes
    quality: float
    time: float

    def view(self) -> BestView:
        """The view itself, to the bit. Raises OSError or ValueError where `png` is broken."""
        with Pillow.open(io.BytesIO(self.png), formats=["PNG"]) as picture:
            return BestView(np.asarray(picture.convert("RGB")).copy(), self.quality, self.time)


class BestViews:
    """Best view by track number. Another thread may ask for `views` at any time."""

    def __init__(self, stored: Mapping[int, StoredView] | None = None) -> None:
        self._lock = threading.Lock()
        self._stored = dict(stored or {})
        self._views = {number: one.view() for number, one in self._stored.items()}

    def step(self, step: StepResult, image: Image) -> None:
        """Take in a frame with a detection."""
        for track in step.seen:
            best = self._views.get(track.number)
            if best is None or track.quality > best.quality * BETTER:
                view = BestView(face_crop(image, track.box), float(track.quality), step.time)
                self._stored.pop(track.number, None)
                with self._lock:
                    self._views[track.number] = view
        while len(self._views) > MOST_TRACKS:
            with self._lock:
                oldest = next(iter(self._views))
                del self._views[oldest]
            self._stored.pop(oldest, None)

    def views(self) -> dict[int, BestView]:
        """All of them, as they are now."""
        with self._lock:
            return dict(self._views)

    def stored(self) -> dict[int, StoredView]:
        """All of them, to be kept in a file; what did not change since the last time is not encoded again."""
        for number, view in self._views.items():
            if number not in self._stored:
                file = io.BytesIO()
                Pillow.fromarray(view.crop).save(file, "PNG", compress_level=1)
                self._stored[number] = StoredView(file.getvalue(), view.quality, view.time)
        return {number: self._stored[number] for number in self._views}


def face_crop(image: Image, box: Box) -> Image:
    """The part of an (h, w, 3) picture around a box, at least one pixel, its longer side at most `LONGEST_SIDE`."""
    height, width = image.shape[:2]
    around = AROUND * max(box[2] - box[0], box[3] - box[1])
    x0 = int(np.clip(box[0] - around, 0, width - 1))
    y0 = int(np.clip(box[1] - around, 0, height - 1))
    x1 = int(np.clip(np.ceil(box[2] + around), x0 + 1, width))
    y1 = int(np.clip(np.ceil(box[3] + around), y0 + 1, height))
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    longer = max(part.shape[:2])
    if longer <= LONGEST_SIDE:
        return part.copy()
    size = [max(1, round(side * LONGEST_SIDE / longer)) for side in (x1 - x0, y1 - y0)]
    small = Pillow.fromarray(part).resize((size[0], size[1]), Pillow.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small).copy()
