"""A made-up scene for the benchmarks of video: two photos of one face each that move over a busy background.

`scene(photos, width, height, number)` gives frame `number` at 25 frames a second, (h, w, 3) uint8 RGB; a face is about
a fifth as high as the frame. `write_clip` encodes frames of it as H.264.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from PIL import Image

RATE = 25


@dataclass(frozen=True)
class Scene:
    """The parts of a scene of one size."""

    background: np.ndarray
    photos: tuple[np.ndarray, ...]

    def frame(self, number: int) -> np.ndarray:
        """Frame `number`; the photos move a few pixels from one frame to the next."""
        picture = self.background.copy()
        height, width = picture.shape[:2]
        for k, photo in enumerate(self.photos):
            room = width // 2 - photo.shape[1]
            phase = 2 * np.pi * number / 150 + k
            x = k * width // 2 + int(room * (0.5 + 0.4 * np.sin(phase)))
            y = int((height - photo.shape[0]) * (0.5 + 0.3 * np.cos(phase)))
            picture[y : y + photo.shape[0], x : x + photo.shape[1]] = photo
        return picture


@lru_cache
def scene(photos: Sequence[Path], width: int, height: int) -> Scene:
    """The scene with these photos."""
    rows, columns = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(1).integers(0, 24, (height // 8 + 1, width // 8 + 1))
    grain = np.kron(noise, np.ones((8, 8), int))[:height, :width]
    shades = [60 + 80 * rows // height + grain, 70 + 60 * columns // width + grain, 90 + grain]
    side = int(height * 0.45)
    small = []
    for path in photos:
        photo = Image.open(path).convert("RGB")
        photo.thumbnail((side, side))
        small.append(np.asarray(photo))
    return Scene(np.stack(shades, axis=-1).astype(np.uint8), tuple(small))


def write_clip(path: Path, photos: Sequence[Path], width: int, height: int, frames: int) -> None:
    """H.264 with B-frames, as cameras and editors write it."""
    made = scene(tuple(photos), width, height)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(made.frame(number), format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
