"""A stretch of the annotated picture in an MP4 file of its own, closed at a checkpoint.

Times in the file begin at 0 and are exact; `Written.first_pts` says where the stretch lies in the source. Each
stretch is encoded for itself, so one that is encoded again comes out the same.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from multiface.images import Image
from multiface.video.copy.picture_stream import PictureStream, clock
from multiface.video.copy.written_file import WrittenFile
from multiface.video.sources.pyav import av


@dataclass(frozen=True, slots=True)
class Shape:
    """What all stretches of one copy have in common.

    width, height: of the pictures. time_base: of the source. rate: frames a second, None where not known. aspect:
    width of a pixel by its height.
    """

    width: int
    height: int
    time_base: Fraction
    rate: Fraction | None
    aspect: Fraction


@dataclass(frozen=True, slots=True)
class Written:
    """A closed stretch. first_pts, last_pts: in the source's time base. size: of the file in bytes."""

    frames: int
    first_pts: int
    last_pts: int
    size: int


class Segment:
    """A stretch that is being written to `path`. Errors of the disk are raised as OSError."""

    def __init__(self, path: Path, shape: Shape) -> None:
        self._path = path
        self._shape = shape
        self._clock = clock(shape.time_base)
        self._first_pts: int | None = None
        self._last_pts = 0
        self._frames = 0
        self._file = WrittenFile(path, private=True)
        self._container = av.open(self._file, "w", format="mp4")
        self._pictures = PictureStream(
            self._container, shape.width, shape.height, self._clock, shape.rate, shape.aspect
        )

    def write(self, image: Image, pts: int) -> None:
        """Add a picture (h, w, 3) uint8 RGB; pts: in the source's time base, greater than the last one's."""
        self._pictures.write(image, self._time(pts))
        self._written(pts)

    def write_coded(self, picture: "av.VideoFrame", pts: int) -> None:
        """Add a picture that `fits_copy`, of the shape's size; pts as in `write`."""
        self._pictures.write_coded(picture, self._time(pts))
        self._written(pts)

    def _time(self, pts: int) -> int:
        """Time of a picture in the file."""
        if self._first_pts is None:
            self._first_pts = pts
        elapsed = (pts - self._first_pts) * self._shape.time_base
        return round(elapsed / self._clock)

    def _written(self, pts: int) -> None:
        self._file.check()
        self._last_pts = pts
        self._frames += 1

    def close(self) -> Written:
        """Finish the file and force it onto the disk. There must be a picture in it."""
        assert self._first_pts is not None
        self._pictures.finish()
        self._container.close()
        return Written(self._frames, self._first_pts, self._last_pts, self._file.finish())

    def discard(self) -> None:
        """Let go of the file without finishing it."""
        self._file.close()
        self._container.close()  # FFmpeg wants to write an end; it goes nowhere
        self._path.unlink(missing_ok=True)
