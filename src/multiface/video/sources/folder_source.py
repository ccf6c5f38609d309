"""A folder of pictures as a video: one picture a frame, in the order of their names, at a rate that is asked for.

Pictures are those that `images.listing` finds, also in folders below, in its natural order (2 before 10). A picture
that cannot be read leaves a gap in time, not in the numbers, and is told in `notes`. pts counts pictures from 0, the
time base is one over the rate. Pictures may be of different sizes.
"""

import math
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from multiface.errors import ExtraMissing, InputError, PictureError, UsageError
from multiface.images import Image, list_pictures, load_picture
from multiface.images.path_text import path_text
from multiface.video.sources.frame import Frame, SourceInfo

_FINEST = 1001  # denominators up to this one: 29.97 is 2997/100, 30000/1001 stays what it is
_NAMED = 5  # so many unreadable pictures are named


def open_folder(
    path: Path,
    rate: float | Fraction = 25,
    *,
    begin: float = 0.0,
    duration: float | None = None,
    after: int | None = None,
    first_number: int = 0,
) -> "FolderSource":
    """The pictures of a folder whose time is at least `begin` and less than `begin + duration`.

    rate: pictures a second, above 0 and at most 1000. begin, duration, after, first_number: as for `open_file`.
    Raises UsageError for numbers that cannot be meant, InputError where there is no such folder, no picture in it, or
    none that can be read, and where it ends before `begin`.
    """
    if not 0 < rate <= 1000:
        raise UsageError(f"the rate of a folder of pictures is above 0 and at most 1000 a second, got {rate}")
    if not (math.isfinite(begin) and begin >= 0):
        raise UsageError(f"begin is a time in seconds, at least 0, got {begin}")
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise UsageError(f"duration is a time in seconds, above 0, got {duration}")
    exact = Fraction(rate).limit_denominator(_FINEST)
    pictures = list_pictures(path).pictures
    first = round(Fraction(begin) * exact)
    last = len(pictures) if duration is None else round(Fraction(begin + duration) * exact)
    if not pictures:
        raise InputError(f"{path_text(path)}: holds no picture", path=path)
    if first >= len(pictures):
        raise InputError(
            f"{path_text(path)}: begin is {begin:g} s, but its {len(pictures)} pictures at {float(exact):g} a second "
            f"end at {float(len(pictures) / exact):.3f} s",
            path=path,
        )
    return FolderSource(path, pictures, range(first, min(last, len(pictures))), exact, after, first_number)


class FolderSource:
    """The pictures of a folder (a `Source`); made by `open_folder`.

    notes: what went wrong, in words, complete when the frames have come to their end. skipped: pictures that could
    not be read so far.
    """

    def __init__(
        self,
        path: Path,
        pictures: tuple[Path, ...],
        span: range,
        rate: Fraction,
        after: int | None,
        first_number: int,
    ) -> None:
        self.notes: list[str] = []
        self.skipped = 0
        self._path, self._name = path, path_text(path)
        self._pictures, self._rate = pictures, rate
        self._number = first_number
        self._left = span if after is None else range(max(span.start, after + 1), span.stop)
        self._closed = threading.Event()
        height, width = self._first_shape(span)
        self.info = SourceInfo(
            name=self._name,
            width=width,
            height=height,
            frames=len(span),
            rate=rate,
            duration=float(len(span) / rate),
            live=False,
        )

    def _first_shape(self, span: range) -> tuple[int, int]:
        trouble: PictureError | ExtraMissing | None = None
        for index in span:
            try:
                shape = load_picture(self._pictures[index]).shape
                return shape[0], shape[1]
            except (PictureError, ExtraMissing) as error:
                trouble = trouble or error
        raise InputError(
            f"{self._name}: none of its {len(span)} pictures can be read ({trouble})", path=self._path
        ) from trouble

    def frames(self) -> Iterator[Frame]:
        """The pictures as frames; called once."""
        for index in self._left:
            if self._closed.is_set():
                return
            try:
                image = load_picture(self._pictures[index])
            except (PictureError, ExtraMissing) as error:
                self.skipped += 1
                if self.skipped <= _NAMED:
                    self.notes.append(str(error))
                continue
            yield self._frame(index, image)
            self._number += 1
        if self.skipped:
            self.notes.append(f"{self._name}: {self.skipped} of {len(self._left)} pictures could not be read")

    def _frame(self, index: int, image: Image) -> Frame:
        return Frame(
            number=self._number,
            time=float(index / self._rate),
            pts=index,
            time_base=1 / self._rate,
            width=image.shape[1],
            height=image.shape[0],
            convert=lambda: image,
        )

    def close(self) -> None:
        """The frames end after the picture that is being read."""
        self._closed.set()
